//! The command line: one binary, one subcommand a task. What was asked for goes to stdout, the rest to stderr.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "this is where dgt speaks to people")]

mod bgt;
mod client;
mod digest;
mod genesis;
mod keygen;
mod start;
mod verify;

use std::process::ExitCode;

use anyhow::Result;
use clap::{Parser, Subcommand};

/// A permissioned blockchain ledger node.
#[derive(Debug, Parser)]
#[command(name = "dgt", version, max_term_width = 100)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run a node; without any option, a network of one in ./dgt_clust/c1/dgt1.
    Start(start::Start),
    /// Make a key pair: NAME.priv and NAME.pub.
    Keygen(keygen::Keygen),
    /// Make and inspect network files, from which block 0 is made.
    #[command(subcommand)]
    Genesis(genesis::Genesis),
    /// Demo tokens: open a wallet, change it, pay, look.
    #[command(subcommand)]
    Bgt(bgt::Bgt),
    /// Print the record digest of each file of a stopped node, for comparison between nodes and backups.
    Digest(digest::Digest),
    /// Check the chain on disk of a stopped node.
    Verify(verify::Verify),
    /// Print the version.
    Version,
}

/// Runs the command that was given. Exit codes: 0 done, 1 failed, 2 wrong use.
pub(crate) fn run() -> ExitCode {
    // Wrong use, --help and --version end here, with their own exit codes.
    let cli = Cli::parse();
    match execute(cli.command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("dgt: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn execute(command: Command) -> Result<()> {
    match command {
        Command::Start(start) => start.run(),
        Command::Keygen(keygen) => keygen.run(),
        Command::Genesis(genesis) => genesis.run(),
        Command::Bgt(bgt) => bgt.run(),
        Command::Digest(digest) => digest.run(),
        Command::Verify(verify) => verify.run(),
        Command::Version => {
            println!("dgt {}", env!("CARGO_PKG_VERSION"));
            Ok(())
        }
    }
}

/// The folder of client keys: `~/.dgt/keys`.
fn client_keys() -> Result<std::path::PathBuf> {
    let home =
        std::env::home_dir().ok_or_else(|| anyhow::anyhow!("no home folder; name a key with --key"))?;
    Ok(home.join(".dgt").join("keys"))
}
