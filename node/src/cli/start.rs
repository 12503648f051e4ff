//! `dgt start`.

use std::io::IsTerminal as _;
use std::net::SocketAddr;
use std::path::PathBuf;

use anyhow::Result;
use clap::Args;
use tracing_subscriber::EnvFilter;

use crate::wiring::{Node, NodeSettings, Started};

/// Arguments of `dgt start`.
#[derive(Debug, Args)]
pub(super) struct Start {
    /// The node's folder, with etc, keys, data, logs and backup.
    #[arg(long, default_value = "dgt_clust/c1/dgt1", value_name = "DIR")]
    home: PathBuf,
    /// Where the REST interface listens.
    #[arg(long, default_value = "127.0.0.1:8108", value_name = "ADDRESS")]
    api: SocketAddr,
    /// The network file for the first start [default: a network of one, made from this node's keys].
    #[arg(long, value_name = "FILE")]
    network: Option<PathBuf>,
    /// The largest size of each LMDB file, GiB. Files grow only as needed.
    #[arg(long, default_value_t = 64, value_parser = clap::value_parser!(u16).range(1..=4096))]
    map_gib: u16,
    /// Make state and receipts again from the blocks.
    #[arg(long)]
    rebuild: bool,
}

impl Start {
    pub(super) fn run(self) -> Result<()> {
        let filter = EnvFilter::try_from_env("DGT_LOG").unwrap_or_else(|_| EnvFilter::new("info"));
        let colours = std::io::stderr().is_terminal();
        tracing_subscriber::fmt()
            .with_env_filter(filter)
            .with_ansi(colours)
            .with_writer(std::io::stderr)
            .init();
        let settings = NodeSettings {
            home: self.home,
            api: self.api,
            network: self.network,
            map_bytes: usize::from(self.map_gib) << 30,
            rebuild: self.rebuild,
        };
        Node::open(&settings)?.run(greet)
    }
}

/// Says where everything is and what to try next.
fn greet(started: &Started<'_>) {
    let program = std::env::args().next().unwrap_or_else(|| "dgt".to_owned());
    let Started { home, genesis, own, api, height, is_new } = started;
    let new = if *is_new { " (new keys and a new network of one)" } else { "" };
    println!("dgt {} node {own}{new}", env!("CARGO_PKG_VERSION"));
    println!("  network  {}", genesis.network_id);
    println!("  height   {height}");
    println!("  keys     {}", home.keys().display());
    println!("  data     {}", home.data().display());
    println!("  API      http://{api}");
    println!();
    println!("Try in another terminal:");
    let url = match api.port() {
        8108 => String::new(),
        _ => format!(" --url http://{api}"),
    };
    println!("  {program} bgt set alice 100{url}");
    println!("  {program} bgt show alice{url}");
    println!("  curl http://{api}/blocks");
    println!();
    println!("Ctrl-C stops the node.");
}
