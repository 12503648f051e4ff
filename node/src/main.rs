//! `dgt`: a permissioned ledger node and its tools.
#![forbid(unsafe_code)]

mod cli;
mod clock;
mod config;
mod engine;
mod home;
mod intake;
mod keys;
mod log;
mod status;
mod wiring;

use std::process::ExitCode;

fn main() -> ExitCode {
    cli::run()
}
