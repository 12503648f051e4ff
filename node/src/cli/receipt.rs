//! `dgt receipt`.

use std::io::Write;

use anyhow::Result;
use clap::{Args, Subcommand};

use super::client::Connection;
use super::output::{DocumentStyle, print_document};

/// Arguments of `dgt receipt`.
#[derive(Debug, Args)]
pub(super) struct Receipt {
    #[command(flatten)]
    connection: Connection,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Show what committed transactions did: state changes, events, data.
    Show {
        /// Ids of transactions, with commas or spaces between them.
        #[arg(required = true, value_delimiter = ',')]
        transaction_ids: Vec<String>,
        #[command(flatten)]
        style: DocumentStyle,
    },
}

impl Receipt {
    pub(super) fn run(self, out: &mut dyn Write) -> Result<()> {
        let Command::Show { transaction_ids, style } = self.command;
        let found = self.connection.get("/receipts", &[("id", &transaction_ids.join(","))])?;
        print_document(out, style.format, &found["data"])
    }
}
