//! `dgt settings`.

use std::io::Write;

use anyhow::{Context as _, Result};
use clap::{Args, Subcommand};
use ledger_types::proto::families::Setting;
use ledger_types::setting::{NAMESPACE, PROPOSALS};
use prost::Message as _;
use serde_json::{Map, Value, json};

use super::client::Connection;
use super::item::bytes_at;
use super::output::{Cell, Column, DocumentFormat, Format, List, ListStyle, print_document, printable};
use super::pages::{Window, read_list};

const COLUMNS: &[Column] =
    &[Column { key: "key", heading: "KEY" }, Column { key: "value", heading: "VALUE" }];

/// Arguments of `dgt settings`.
#[derive(Debug, Args)]
pub(super) struct Settings {
    #[command(flatten)]
    connection: Connection,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// List the network's settings on the ledger.
    List {
        /// Only keys that begin so.
        #[arg(long, default_value = "", value_name = "PREFIX")]
        filter: String,
        #[command(flatten)]
        style: ListStyle,
    },
}

impl Settings {
    pub(super) fn run(self, out: &mut dyn Write) -> Result<()> {
        let Command::List { filter, style } = self.command;
        let mut found: Vec<(String, String)> = Vec::new();
        let end = read_list(
            &self.connection,
            "/state",
            &[("address", NAMESPACE)],
            &Window::default(),
            &mut |values| values.iter().try_for_each(|value| collect(value, &filter, &mut found)),
        )?;
        found.sort();
        match style.format {
            Format::Default => {
                found
                    .iter()
                    .try_for_each(|(key, value)| writeln!(out, "{}: {}", printable(key), printable(value)))?;
                Ok(())
            }
            Format::Csv => {
                let mut list = List::new(out, style.format, COLUMNS);
                let rows: Vec<_> =
                    found.into_iter().map(|(key, value)| vec![Cell::Text(key), Cell::Text(value)]).collect();
                list.print(&rows)?;
                list.finish(None)
            }
            Format::Json | Format::Yaml => {
                let settings: Map<_, _> =
                    found.into_iter().map(|(key, value)| (key, Value::from(value))).collect();
                let format =
                    if style.format == Format::Json { DocumentFormat::Json } else { DocumentFormat::Yaml };
                print_document(out, format, &json!({"head": end.head, "settings": settings}))
            }
        }
    }
}

fn collect(value: &Value, filter: &str, found: &mut Vec<(String, String)>) -> Result<()> {
    let setting = Setting::decode(&bytes_at(value, "/data")?[..]).context("the value is no setting")?;
    // Open proposals are encoded; they are not for reading.
    let shown =
        setting.entries.into_iter().filter(|entry| entry.key != PROPOSALS && entry.key.starts_with(filter));
    found.extend(shown.map(|entry| (entry.key, entry.value)));
    Ok(())
}
