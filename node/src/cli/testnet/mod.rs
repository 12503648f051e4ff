//! `dgt testnet`: a whole network on this machine, for trying out and for tests.
//!
//! Its nodes are processes of this same binary, each in a folder of its own under `DIR/dgt_clust`. Nothing watches them:
//! who runs is read from the lock that a running node holds on its keys.
//!
//! With `--compose` it is a Docker Compose project instead, whose containers make their network in their own volumes.

mod compose;
mod create;
mod down;
mod plan;
pub(super) mod process;
mod site;
mod status;
mod up;
mod volumes;

use std::io::Write;

use anyhow::Result;
use clap::Subcommand;

/// What to do with a test network.
#[derive(Debug, Subcommand)]
pub(super) enum Testnet {
    /// Make the folders, keys and settings of a network on this machine.
    Create(create::Create),
    /// Start its nodes and wait until they take part.
    Up(up::Up),
    /// Stop its nodes.
    Down(down::Down),
    /// Show which nodes run and what they do.
    Status(status::Status),
}

impl Testnet {
    pub(super) fn run(self, out: &mut dyn Write) -> Result<()> {
        match self {
            Self::Create(create) => create.run(out),
            Self::Up(up) => up.run(out),
            Self::Down(down) => down.run(out),
            Self::Status(status) => status.run(out),
        }
    }
}
