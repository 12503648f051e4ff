//! `dgt topology`.

use std::io::Write;

use anyhow::Result;
use clap::{Args, Subcommand};
use serde_json::Value;

use super::client::Connection;
use super::item::{cell_at, text_at};
use super::output::{Cell, Column, DocumentFormat, Format, List, ListStyle, Row, print_document};

const COLUMNS: &[Column] = &[
    Column { key: "cluster", heading: "CLUSTER" },
    Column { key: "validator", heading: "VALIDATOR" },
    Column { key: "mnemonic", heading: "MNEMONIC" },
    Column { key: "role", heading: "ROLE" },
    Column { key: "state", heading: "STATE" },
    Column { key: "delegate", heading: "DELEGATE" },
    Column { key: "vote_key", heading: "VOTE_KEY" },
];

/// Arguments of `dgt topology`.
#[derive(Debug, Args)]
pub(super) struct Topology {
    #[command(flatten)]
    connection: Connection,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Show clusters and their validators: as a table, or as the tree that the node answers.
    Show {
        #[command(flatten)]
        style: ListStyle,
    },
}

impl Topology {
    pub(super) fn run(self, out: &mut dyn Write) -> Result<()> {
        let Command::Show { style } = self.command;
        let found = self.connection.get("/topology", &[])?;
        match style.format {
            Format::Json => print_document(out, DocumentFormat::Json, &found["data"]),
            Format::Yaml => print_document(out, DocumentFormat::Yaml, &found["data"]),
            format => {
                let mut list = List::new(out, format, COLUMNS);
                list.print(&rows(&found["data"])?)?;
                list.finish(None)
            }
        }
    }
}

fn rows(network: &Value) -> Result<Vec<Row>> {
    let children = |node: &Value| node["children"].as_object().cloned().unwrap_or_default();
    let mut rows = Vec::new();
    for (_, cluster) in children(network) {
        for (_, validator) in children(&cluster) {
            let is_delegate = validator["delegate"].as_bool().unwrap_or_default();
            rows.push(vec![
                cell_at(&cluster, "/name")?,
                cell_at(&validator, "/validator")?,
                cell_at(&validator, "/mnemonic")?,
                cell_at(&validator, "/role")?,
                cell_at(&validator, "/node_state")?,
                Cell::Text(if is_delegate { "yes" } else { "no" }.to_owned()),
                Cell::Text(text_at(&validator, "/vote_key")?.to_owned()),
            ]);
        }
    }
    Ok(rows)
}
