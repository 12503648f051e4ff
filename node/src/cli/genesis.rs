//! `dgt genesis`.

use std::io::Write;
use std::path::PathBuf;

use anyhow::{Context as _, Result, bail};
use clap::{Args, Subcommand};
use genesis::NetworkFile;
use ledger::reader::Head;
use ledger_types::PublicKey;

use crate::home::Home;
use crate::wiring;

/// What to do with network files.
#[derive(Debug, Subcommand)]
pub(super) enum Genesis {
    /// Write the network file of a network of one, from a node's keys.
    New(New),
    /// Check a network file and print what derives from it, up to block 0.
    Show {
        /// The network file.
        file: PathBuf,
    },
}

/// Arguments of `dgt genesis new`.
#[derive(Debug, Args)]
pub(super) struct New {
    /// The node's folder; its keys are made when they are not there.
    #[arg(long, default_value = "dgt_clust/c1/dgt1", value_name = "DIR")]
    home: PathBuf,
    /// A public key that may change settings; may be given several times [default: the node's admin key].
    #[arg(long = "authorized-key", value_name = "KEY")]
    authorized_keys: Vec<PublicKey>,
    /// How many of these keys must agree.
    #[arg(long, default_value_t = 1)]
    approval_threshold: u32,
    /// Where to write the file; existing files stay.
    #[arg(long, value_name = "FILE", default_value = "network.toml")]
    out: PathBuf,
}

impl Genesis {
    pub(super) fn run(self, out: &mut dyn Write) -> Result<()> {
        match self {
            Self::New(new) => new.run(out),
            Self::Show { file } => show(out, &wiring::read_network(&file)?),
        }
    }
}

impl New {
    fn run(self, out: &mut dyn Write) -> Result<()> {
        if self.out.exists() {
            bail!("{} exists", self.out.display());
        }
        let home = Home::new(&self.home)?;
        home.create()?;
        let network = wiring::lone_network(&home, self.authorized_keys, self.approval_threshold)?;
        // A file that makes no block 0 is not written.
        network.genesis()?;
        wiring::write_whole(&self.out, &network.to_toml())?;
        writeln!(out, "wrote {}", self.out.display())?;
        writeln!(out, "network  {}", network.network_id())?;
        writeln!(
            out,
            "start it with: dgt start --home {} --network {}",
            self.home.display(),
            self.out.display()
        )?;
        Ok(())
    }
}

fn show(out: &mut dyn Write, network: &NetworkFile) -> Result<()> {
    let genesis = network.genesis()?;
    let head = execute_block_0(&genesis)?;
    writeln!(out, "name        {}", network.name())?;
    writeln!(out, "network     {}", genesis.lineage.current())?;
    if !genesis.lineage.rollbacks().is_empty() {
        writeln!(out, "first id    {}", genesis.lineage.first())?;
    }
    for (rollback, id) in genesis.lineage.rollbacks() {
        writeln!(out, "rollback    to height {}, block {}: network {id}", rollback.height, rollback.block)?;
    }
    writeln!(out, "committee   {}", genesis.cfg_hash)?;
    writeln!(out, "block 0     {}", head.id)?;
    writeln!(out, "state root  {}", head.state_root)?;
    writeln!(out, "clusters    {}", genesis.topology.clusters().len())?;
    writeln!(out, "validators  {}", genesis.topology.validators().count())?;
    writeln!(out, "quorum      {}", consensus::Quorum::new(genesis.topology.shape()).flat_quorum())?;
    Ok(())
}

/// Makes block 0 of a network, in a folder that is gone afterwards.
pub(super) fn execute_block_0(genesis: &genesis::Genesis) -> Result<Head> {
    let folder = tempfile::tempdir().context("a temporary folder to execute block 0 in")?;
    let ledger = wiring::open_ledger(folder.path(), genesis, 1 << 30, false, u64::MAX)?;
    Ok(ledger.head())
}
