use std::io::Write;
use std::process::ExitCode;

use anyhow::Result;
use clap::{CommandFactory as _, Parser, Subcommand};

use super::output::Stdout;
use super::proof::{VerifyCertificate, VerifyProof};
use super::{
    batch, bgt, block, completions, config, digest, genesis, init, keygen, peer, receipt, settings, start,
    state, status, testnet, topology, transaction, verify,
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
    /// Check the chain on disk of a stopped node.
    Verify(verify::Verify),
    /// Check, without any node, that a block is final: what /blocks/{id}/certificate answered.
    VerifyCertificate(VerifyCertificate),
    /// Check, without any node, a proof of a state value, its absence, a transaction or a receipt.
    VerifyProof(VerifyProof),
    /// Succeed if a node takes part in its network.
    Healthcheck(status::Healthcheck),
    /// Print what a shell needs to complete commands and options.
    Completions(completions::Completions),
    /// Write the manual's pages.
    Man(completions::Man),
    /// Print the version.
    Version,
}

/// Runs the command that was given. Exit codes: 0 done, 1 failed, 2 wrong use.
pub(crate) fn run() -> ExitCode {
    // Wrong use, --help and --version end here, with their own exit codes.
    let cli = Cli::parse();
    let mut out = Stdout::new();
    let done = execute(cli.command, &mut out).and_then(|()| Ok(out.flush()?));
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
        Command::Verify(verify) => verify.run(out),
        Command::VerifyCertificate(verify) => verify.run(out),
        Command::VerifyProof(verify) => verify.run(out),
        Command::Healthcheck(healthcheck) => healthcheck.run(out),
        Command::Completions(completions) => completions.run(out, Cli::command()),
        Command::Man(man) => man.run(out, Cli::command()),
        Command::Version => Ok(writeln!(out, "dgt {}", env!("CARGO_PKG_VERSION"))?),
    }
}
