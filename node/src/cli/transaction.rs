//! `dgt transaction`.

use std::io::Write;

use anyhow::Result;
use clap::{Args, Subcommand};
use serde_json::Value;

use super::client::Connection;
use super::item::{bytes_at, cell_at, part};
use super::output::{Cell, Column, DocumentStyle, List, ListStyle, Row, print_document};
use super::pages::{Window, path_of, read_list};

const COLUMNS: &[Column] = &[
    Column { key: "transaction_id", heading: "TRANSACTION_ID" },
    Column { key: "family", heading: "FAMILY" },
    Column { key: "version", heading: "VERS" },
    Column { key: "size", heading: "SIZE" },
    Column { key: "payload", heading: "PAYLOAD" },
];

/// Arguments of `dgt transaction`.
#[derive(Debug, Args)]
pub(super) struct Transaction {
    #[command(flatten)]
    connection: Connection,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// List committed transactions, the newest block's first.
    List {
        #[command(flatten)]
        window: Window,
        #[command(flatten)]
        style: ListStyle,
    },
    /// Show one committed transaction.
    Show {
        /// The transaction's id.
        transaction_id: String,
        /// Only this key of the transaction or its header.
        #[arg(short, long)]
        key: Option<String>,
        #[command(flatten)]
        style: DocumentStyle,
    },
}

impl Transaction {
    pub(super) fn run(self, out: &mut dyn Write) -> Result<()> {
        match self.command {
            Command::List { window, style } => {
                let mut list = List::new(out, style.format, COLUMNS);
                let end = read_list(&self.connection, "/transactions", &[], &window, &mut |transactions| {
                    list.print(&transactions.iter().map(row).collect::<Result<Vec<_>>>()?)
                })?;
                list.finish(None)?;
                end.hint();
                Ok(())
            }
            Command::Show { transaction_id, key, style } => {
                let path = path_of("transactions", &transaction_id)?;
                let found = self.connection.get(&path, &[])?;
                print_document(out, style.format, &part(&found["data"], key.as_deref())?)
            }
        }
    }
}

fn row(transaction: &Value) -> Result<Row> {
    let payload = bytes_at(transaction, "/payload")?;
    Ok(vec![
        cell_at(transaction, "/header_signature")?,
        cell_at(transaction, "/header/family_name")?,
        cell_at(transaction, "/header/family_version")?,
        Cell::Number(payload.len() as u64),
        Cell::Bytes(payload),
    ])
}
