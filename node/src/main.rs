//! `dgt`: a permissioned ledger node and its tools.
#![forbid(unsafe_code)]

mod batch_list;
mod broadcast;
mod cli;
mod clock;
mod config;
mod engine;
mod file_check;
mod home;
mod intake;
mod keys;
mod log;
mod network;
mod network_file;
mod peers;
mod status;
#[cfg(test)]
mod testing;
mod thread;
mod verifiers;
mod wiring;

use std::process::ExitCode;

fn main() -> ExitCode {
    cli::run()
}
