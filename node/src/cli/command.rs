use std::io::Write;
use std::process::ExitCode;

use anyhow::Result;
use clap::{CommandFactory as _, Parser, Subcommand};

use super::output::Stdout;
use super::proof::{VerifyCertificate, VerifyProof};
use super::{
    backup, batch, bgt, block, completions, config, digest, doctor, dumps, export, genesis, init, keygen,
    mdb, peer, receipt, rollback, settings, start, state, status, testnet, topology, transaction, verify,
};

/// A permissioned blockchain ledger node.
#[derive(Debug, Parser)]
#[command(name = "dgt", version, max_term_width = 100)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Make a node's folder with its settings file and keys, without starting it.
    Init(init::Init),
    /// Run a node; without any option, a network of one in ./dgt_clust/c1/dgt1.
    Start(start::Start),
    /// Look at a node's settings and where they come from.
    Config(config::Config),
    /// Make a key pair: NAME.priv and NAME.pub.
    Keygen(keygen::Keygen),
    /// Make and inspect network files, from which block 0 is made.
    #[command(subcommand)]
    Genesis(genesis::Genesis),
    /// A whole network on this machine, for trying out.
    #[command(subcommand)]
    Testnet(testnet::Testnet),
    /// Look at batches and submit them.
    Batch(batch::Batch),
    /// Look at blocks.
    Block(block::Block),
    /// Look at transactions.
    Transaction(transaction::Transaction),
    /// Look at the values that transactions left.
    State(state::State),
    /// Look at what transactions did.
    Receipt(receipt::Receipt),
    /// Look at a node's peers.
    Peer(peer::Peer),
    /// Look at the network's settings.
    Settings(settings::Settings),
    /// Look at the network's clusters and validators.
    Topology(topology::Topology),
    /// Show what a node is and does.
    Status(status::Status),
    /// Demo tokens: open a wallet, change it, pay, look.
    #[command(subcommand)]
    Bgt(bgt::Bgt),
    /// Print the record digest of each file of a stopped node, for comparison between nodes and backups.
    Digest(digest::Digest),
    /// Write the records of an LMDB file as text, exactly as `mdb_dump -n` does.
    Dump(dumps::Dump),
    /// Make an LMDB file from a dump: all of it, or nothing.
    Load(dumps::Load),
    /// Make, check and bring back backup sets: all four files of a stopped node, of one moment.
    #[command(subcommand)]
    Backup(backup::Backup),
    /// Write what a ledger holds as JSON lines or CSV, from a stopped node's files or a running node.
    Export(export::Export),
    /// The stock LMDB tools mdb_dump, mdb_load, mdb_stat and mdb_copy, with their options; the binary is also
    /// one of them when it is called by that name.
    #[command(subcommand)]
    Mdb(mdb::Mdb),
    /// Check the chain on disk of a stopped node.
    Verify(verify::Verify),
    /// Take a stopped node back to a block that all members agreed on, under a new network id.
    Rollback(rollback::Rollback),
    /// Check, without any node, that a block is final: what /blocks/{id}/certificate answered.
    VerifyCertificate(VerifyCertificate),
    /// Check, without any node, a proof of a state value, its absence, a transaction or a receipt.
    VerifyProof(VerifyProof),
    /// Succeed if a node takes part in its network.
    Healthcheck(status::Healthcheck),
    /// Look for what keeps a node from running well, and name the mend.
    Doctor(Box<doctor::Doctor>),
    /// Print what a shell needs to complete commands and options.
    Completions(completions::Completions),
    /// Write the manual's pages.
    Man(completions::Man),
    /// Print the version.
    Version,
}

/// Runs the command that was given. Exit codes: 0 done, 1 failed, 2 wrong use.
pub(crate) fn run() -> ExitCode {
    let mut words = std::env::args_os();
    let program = words.next().unwrap_or_default();
    let command = match mdb::Mdb::named(&program, words.collect()) {
        Some(tool) => Command::Mdb(tool),
        // Wrong use, --help and --version end here, with their own exit codes.
        None => Cli::parse().command,
    };
    let mut out = Stdout::new();
    let done = execute(command, &mut out).and_then(|()| Ok(out.flush()?));
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) if out.is_closed() => ExitCode::SUCCESS,
        Err(error) => {
            // Where nobody reads the words, the exit code says it.
            let _ = writeln!(std::io::stderr(), "dgt: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn execute(command: Command, out: &mut dyn Write) -> Result<()> {
    match command {
        Command::Init(init) => init.run(out),
        Command::Start(start) => start.run(out),
        Command::Config(config) => config.run(out),
        Command::Keygen(keygen) => keygen.run(out),
        Command::Genesis(genesis) => genesis.run(out),
        Command::Testnet(testnet) => testnet.run(out),
        Command::Batch(batch) => batch.run(out),
        Command::Block(block) => block.run(out),
        Command::Transaction(transaction) => transaction.run(out),
        Command::State(state) => state.run(out),
        Command::Receipt(receipt) => receipt.run(out),
        Command::Peer(peer) => peer.run(out),
        Command::Settings(settings) => settings.run(out),
        Command::Topology(topology) => topology.run(out),
        Command::Status(status) => status.run(out),
        Command::Bgt(bgt) => bgt.run(out),
        Command::Digest(digest) => digest.run(out),
        Command::Dump(dump) => dump.run(out),
        Command::Load(load) => load.run(out),
        Command::Backup(backup) => backup.run(out),
        Command::Export(export) => export.run(out),
        Command::Mdb(mdb) => mdb.run(out),
        Command::Verify(verify) => verify.run(out),
        Command::Rollback(rollback) => rollback.run(out),
        Command::VerifyCertificate(verify) => verify.run(out),
        Command::VerifyProof(verify) => verify.run(out),
        Command::Healthcheck(healthcheck) => healthcheck.run(out),
        Command::Doctor(doctor) => doctor.run(out),
        Command::Completions(completions) => completions.run(out, Cli::command()),
        Command::Man(man) => man.run(out, Cli::command()),
        Command::Version => Ok(writeln!(out, "dgt {}", env!("CARGO_PKG_VERSION"))?),
    }
}
