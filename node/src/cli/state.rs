//! `dgt state`.

use std::io::Write;

use anyhow::{Context as _, Result};
use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::client::Connection;
use super::item::{bytes_at, cell_at, text_at};
use super::output::DocumentFormat;
use super::output::{Cell, Column, Format, List, ListStyle, Row, print_document, python_bytes};
use super::pages::{Window, path_of, read_list};

const COLUMNS: &[Column] = &[
    Column { key: "address", heading: "ADDRESS" },
    Column { key: "size", heading: "SIZE" },
    Column { key: "data", heading: "DATA" },
];

/// Arguments of `dgt state`.
#[derive(Debug, Args)]
pub(super) struct State {
    #[command(flatten)]
    connection: Connection,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// List values by address.
    List {
        /// The beginning of the addresses, hexadecimal.
        #[arg(default_value = "")]
        subtree: String,
        #[command(flatten)]
        window: Window,
        #[command(flatten)]
        style: ListStyle,
    },
    /// Show one value.
    Show {
        /// The address, 70 hexadecimal characters.
        address: String,
        /// Read as of this block instead of the newest one.
        #[arg(long, value_name = "BLOCK_ID")]
        head: Option<String>,
        /// How it looks; JSON and YAML hold the value in base64.
        #[arg(short = 'F', long, value_enum, default_value_t = DocumentFormat::Default)]
        format: DocumentFormat,
    },
}

impl State {
    pub(super) fn run(self, out: &mut dyn Write) -> Result<()> {
        match self.command {
            Command::List { subtree, window, style } => {
                list(out, &self.connection, &subtree, &window, style.format)
            }
            Command::Show { address, head, format } => {
                let head: Vec<_> = head.iter().map(|head| ("head", head.as_str())).collect();
                let found = self.connection.find(&path_of("state", &address)?, &head)?;
                let found = found.with_context(|| format!("no data at {address}"))?;
                let (value, head) = (bytes_at(&found, "/data")?, text_at(&found, "/head")?);
                match format {
                    DocumentFormat::Default => {
                        writeln!(out, "DATA: \"{}\"", python_bytes(&value))?;
                        writeln!(out, "HEAD: \"{head}\"")?;
                        Ok(())
                    }
                    format => {
                        let document = json!({"address": address, "data": found["data"], "head": head});
                        print_document(out, format, &document)
                    }
                }
            }
        }
    }
}

fn list(
    out: &mut dyn Write,
    connection: &Connection,
    subtree: &str,
    window: &Window,
    format: Format,
) -> Result<()> {
    let mut list = List::new(out, format, COLUMNS).with_head();
    let end = read_list(connection, "/state", &[("address", subtree)], window, &mut |values| {
        list.print(&values.iter().map(row).collect::<Result<Vec<_>>>()?)
    })?;
    list.finish(end.head.as_deref())?;
    end.hint();
    Ok(())
}

fn row(item: &Value) -> Result<Row> {
    let value = bytes_at(item, "/data")?;
    Ok(vec![cell_at(item, "/address")?, Cell::Number(value.len() as u64), Cell::Bytes(value)])
}
