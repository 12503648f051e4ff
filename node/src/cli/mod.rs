//! The command line: one binary, one subcommand a task. What was asked for goes to stdout, the rest to stderr.
//!
//! Commands write to the output they are given and say by their result whether they succeeded; [`run`] alone knows exit
//! codes. A reader that goes away, as `head` does, ends a command without a word.
#![allow(clippy::print_stderr, reason = "this is where dgt speaks to people")]

mod backup;
mod batch;
mod bgt;
mod block;
mod client;
mod command;
mod completions;
mod config;
mod digest;
mod doctor;
mod dumps;
mod export;
mod genesis;
mod init;
mod item;
mod keygen;
mod mdb;
mod node_flags;
mod output;
mod pages;
mod peer;
mod place;
mod progress;
mod proof;
mod receipt;
mod rollback;
mod settings;
mod start;
mod state;
mod status;
mod submit;
mod testnet;
mod topology;
mod transaction;
mod verify;

pub(crate) use command::run;
