//! `dgt start`.

use std::io::Write;
use std::path::PathBuf;

use anyhow::Result;
use clap::Args;
use consensus::store::Operator;

use super::client::reached;
use super::node_flags::NodeFlags;
use crate::log;
use crate::wiring::{Node, NodeSettings, Started};

/// Arguments of `dgt start`.
#[derive(Debug, Args)]
pub(super) struct Start {
    #[command(flatten)]
    node: NodeFlags,
    /// The network file for the first start [default: a network of one, made from this node's keys].
    #[arg(long, value_name = "FILE")]
    network: Option<PathBuf>,
    /// Make state and receipts again from the blocks.
    #[arg(long)]
    rebuild: bool,
    /// The consensus file was restored or is damaged: ask the other nodes how far this one voted, and be silent up to
    /// there.
    #[arg(long, conflicts_with = "trust_vote_store")]
    restored: bool,
    /// Vote from the consensus file whatever speaks against it. If votes are missing there, this node may vote twice.
    #[arg(long)]
    trust_vote_store: bool,
}

impl Start {
    pub(super) fn run(self, out: &mut dyn Write) -> Result<()> {
        let own = self.node.resolve()?.settings;
        let log_level = log::start(&own.log)?;
        let operator = match (self.restored, self.trust_vote_store) {
            (true, _) => Operator::Restored,
            (_, true) => Operator::Trusts,
            _ => Operator::Silent,
        };
        let (network, rebuild) = (self.network, self.rebuild);
        let settings = NodeSettings { home: self.node.home, network, rebuild, operator, own };
        // A node runs on when nobody reads its greeting.
        Node::open(&settings)?.run(log_level, |started| _ = greet(out, started))
    }
}

/// Says where everything is and what to try next.
fn greet(out: &mut dyn Write, started: &Started<'_>) -> std::io::Result<()> {
    let program = std::env::args().next().unwrap_or_else(|| "dgt".to_owned());
    let Started { home, genesis, own, api, scheme, height, is_new } = started;
    let new = if *is_new { " (new keys and a new network of one)" } else { "" };
    writeln!(out, "dgt {} node {own}{new}", env!("CARGO_PKG_VERSION"))?;
    writeln!(out, "  network  {}", genesis.lineage.current())?;
    writeln!(out, "  height   {height}")?;
    writeln!(out, "  keys     {}", home.keys().display())?;
    writeln!(out, "  data     {}", home.data().display())?;
    writeln!(out, "  API      {scheme}://{api}")?;
    writeln!(out)?;
    writeln!(out, "Try in another terminal:")?;
    let api = reached(*api);
    let url = match api.port() {
        8108 => String::new(),
        _ => format!(" --url {scheme}://{api}"),
    };
    writeln!(out, "  {program} bgt set alice 100{url}")?;
    writeln!(out, "  {program} bgt show alice{url}")?;
    writeln!(out, "  curl {scheme}://{api}/blocks")?;
    writeln!(out)?;
    writeln!(out, "Ctrl-C stops the node.")?;
    out.flush()
}
