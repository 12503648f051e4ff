//! The columns of CSV.

use anyhow::Result;
use serde_json::Value;

use super::{What, list};
use crate::cli::item::{cell_at, count_of};
use crate::cli::output::{Cell, Column, Row};

macro_rules! columns {
    ($($name:literal),+) => { &[$(Column { key: $name, heading: $name }),+] };
}

/// The columns of each kind of item.
pub(super) fn columns(what: What) -> &'static [Column] {
    match what {
        What::Blocks => columns![
            "block_num",
            "block_id",
            "previous_block_id",
            "state_root_hash",
            "signer_public_key",
            "batches",
            "transactions"
        ],
        What::Batches => columns!["block_num", "batch_id", "signer_public_key", "transactions"],
        What::Transactions => columns![
            "block_num",
            "batch_id",
            "transaction_id",
            "family_name",
            "family_version",
            "signer_public_key",
            "payload"
        ],
        What::State => columns!["address", "data"],
        What::Receipts => columns!["block_num", "transaction_id", "state_changes", "events", "data"],
    }
}

pub(super) fn block(block: &Value) -> Result<Row> {
    let batches = list(block, "batches");
    Ok(vec![
        cell_at(block, "/header/block_num")?,
        cell_at(block, "/header_signature")?,
        cell_at(block, "/header/previous_block_id")?,
        cell_at(block, "/header/state_root_hash")?,
        cell_at(block, "/header/signer_public_key")?,
        Cell::Number(batches.len() as u64),
        Cell::Number(batches.iter().map(|batch| count_of(batch, "transactions")).sum()),
    ])
}

pub(super) fn batch(block_num: &str, batch: &Value) -> Result<Row> {
    Ok(vec![
        Cell::Text(block_num.to_owned()),
        cell_at(batch, "/header_signature")?,
        cell_at(batch, "/header/signer_public_key")?,
        Cell::Number(count_of(batch, "transactions")),
    ])
}

pub(super) fn transaction(block_num: &str, batch: &Value, transaction: &Value) -> Result<Row> {
    Ok(vec![
        Cell::Text(block_num.to_owned()),
        cell_at(batch, "/header_signature")?,
        cell_at(transaction, "/header_signature")?,
        cell_at(transaction, "/header/family_name")?,
        cell_at(transaction, "/header/family_version")?,
        cell_at(transaction, "/header/signer_public_key")?,
        // Bytes stay in base64, as JSON has them.
        cell_at(transaction, "/payload")?,
    ])
}

pub(super) fn state(value: &Value) -> Result<Row> {
    Ok(vec![cell_at(value, "/address")?, cell_at(value, "/data")?])
}

pub(super) fn receipt(block_num: &str, receipt: &Value) -> Result<Row> {
    Ok(vec![
        Cell::Text(block_num.to_owned()),
        cell_at(receipt, "/id")?,
        Cell::Number(count_of(receipt, "state_changes")),
        Cell::Number(count_of(receipt, "events")),
        Cell::Number(count_of(receipt, "data")),
    ])
}
