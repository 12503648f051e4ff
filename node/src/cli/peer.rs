//! `dgt peer`.

use std::io::Write;

use anyhow::Result;
use clap::{Args, Subcommand};
use serde_json::Value;

use super::client::Connection;
use super::output::{DocumentFormat, Format, ListStyle, print_document};

/// Arguments of `dgt peer`.
#[derive(Debug, Args)]
pub(super) struct Peer {
    #[command(flatten)]
    connection: Connection,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// List the endpoints of the peers that are connected.
    List {
        #[command(flatten)]
        style: ListStyle,
    },
}

impl Peer {
    pub(super) fn run(self, out: &mut dyn Write) -> Result<()> {
        let Command::List { style } = self.command;
        let answer = self.connection.get("/peers", &[])?;
        let peers = answer["data"].as_array().map(Vec::as_slice).unwrap_or_default();
        let mut peers: Vec<&str> = peers.iter().filter_map(Value::as_str).collect();
        peers.sort_unstable();
        match style.format {
            Format::Default | Format::Csv => writeln!(out, "{}", peers.join(","))?,
            Format::Json => print_document(out, DocumentFormat::Json, &peers.into())?,
            Format::Yaml => print_document(out, DocumentFormat::Yaml, &peers.into())?,
        }
        Ok(())
    }
}
