//! `dgt block`.

use std::io::Write;

use anyhow::{Context as _, Result, ensure};
use clap::{Args, Subcommand};
use serde_json::Value;

use super::client::Connection;
use super::item::{cell_at, count_of, part, text_at};
use super::output::{Cell, Column, DocumentStyle, List, ListStyle, Row, print_document};
use super::pages::{Window, path_of, read_list};

const COLUMNS: &[Column] = &[
    Column { key: "num", heading: "NUM" },
    Column { key: "block_id", heading: "BLOCK_ID" },
    Column { key: "batches", heading: "BATS" },
    Column { key: "txns", heading: "TXNS" },
    Column { key: "signer", heading: "SIGNER" },
];

/// Arguments of `dgt block`.
#[derive(Debug, Args)]
pub(super) struct Block {
    #[command(flatten)]
    connection: Connection,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// List blocks, the newest first.
    List {
        #[command(flatten)]
        window: Window,
        #[command(flatten)]
        style: ListStyle,
    },
    /// Show one block.
    Show {
        /// The block's id or its number.
        block: String,
        /// Only this key of the block or its header.
        #[arg(short, long)]
        key: Option<String>,
        #[command(flatten)]
        style: DocumentStyle,
    },
}

impl Block {
    pub(super) fn run(self, out: &mut dyn Write) -> Result<()> {
        match self.command {
            Command::List { window, style } => {
                let mut list = List::new(out, style.format, COLUMNS);
                let end = read_list(&self.connection, "/blocks", &[], &window, &mut |blocks| {
                    list.print(&blocks.iter().map(row).collect::<Result<Vec<_>>>()?)
                })?;
                list.finish(None)?;
                end.hint();
                Ok(())
            }
            Command::Show { block, key, style } => {
                let found = find(&self.connection, &block)?;
                print_document(out, style.format, &part(&found, key.as_deref())?)
            }
        }
    }
}

/// The most digits of a block's number. An id has 128 characters, which may all be digits.
const NUMBER_DIGITS: usize = 20;

/// A block by its id, or by its number.
fn find(connection: &Connection, block: &str) -> Result<Value> {
    let number = block.parse::<u64>().ok().filter(|_| block.len() <= NUMBER_DIGITS);
    let Some(height) = number else {
        return Ok(connection.get(&path_of("blocks", block)?, &[])?["data"].clone());
    };
    let newest = connection.get("/blocks", &[("limit", "1")])?;
    let newest = height_of(&newest["data"][0])?;
    ensure!(height <= newest, "there is no block {height}; the newest is {newest}");
    let start = format!("{height:#018x}");
    let page = connection.get("/blocks", &[("start", &start), ("limit", "1")])?;
    Ok(page["data"][0].clone())
}

/// A block's number. The API shows 64-bit numbers as text.
fn height_of(block: &Value) -> Result<u64> {
    text_at(block, "/header/block_num")?.parse().context("block_num is no number")
}

fn row(block: &Value) -> Result<Row> {
    let batches = block["batches"].as_array().map(Vec::as_slice).unwrap_or_default();
    Ok(vec![
        Cell::Number(height_of(block)?),
        cell_at(block, "/header_signature")?,
        Cell::Number(batches.len() as u64),
        Cell::Number(batches.iter().map(|batch| count_of(batch, "transactions")).sum()),
        cell_at(block, "/header/signer_public_key")?,
    ])
}
