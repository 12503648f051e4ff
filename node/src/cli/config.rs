//! `dgt config`.

use std::io::Write;

use anyhow::Result;
use clap::{Args, Subcommand};

use super::node_flags::{NodeFlags, environment};
use super::output::{Cell, Column, List, ListStyle};
use crate::config::{KEYS, Resolved, unknown_variables};

const COLUMNS: &[Column] = &[
    Column { key: "key", heading: "KEY" },
    Column { key: "value", heading: "VALUE" },
    Column { key: "source", heading: "SOURCE" },
];

/// Arguments of `dgt config`.
#[derive(Debug, Args)]
pub(super) struct Config {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Show every setting, its value, and where the value came from.
    Show {
        #[command(flatten)]
        node: Box<NodeFlags>,
        #[command(flatten)]
        style: ListStyle,
    },
    /// Check the settings that a node would start with.
    Validate {
        #[command(flatten)]
        node: Box<NodeFlags>,
    },
}

impl Config {
    pub(super) fn run(self, out: &mut dyn Write) -> Result<()> {
        match self.command {
            Command::Show { node, style } => {
                let resolved = read(&node)?;
                let mut list = List::new(out, style.format, COLUMNS);
                let row = |key| {
                    let source = resolved.source(key).to_string();
                    vec![Cell::Text(key.name.to_owned()), Cell::Text(resolved.value(key)), Cell::Text(source)]
                };
                list.print(&KEYS.iter().map(row).collect::<Vec<_>>())?;
                list.finish(None)
            }
            Command::Validate { node } => {
                read(&node)?;
                Ok(writeln!(out, "the settings are valid")?)
            }
        }
    }
}

fn read(node: &NodeFlags) -> Result<Resolved> {
    let resolved = node.resolve()?;
    for variable in unknown_variables(environment()) {
        eprintln!("warning: {variable} sets nothing");
    }
    Ok(resolved)
}
