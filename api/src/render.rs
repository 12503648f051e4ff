//! Parts of a ledger in the JSON that the routes answer with, for what shows them by other ways.

use bytes::Bytes;
use ledger_types::receipt::Receipt;
use ledger_types::{Address, Block, Topology};
use serde_json::Value;

use crate::shapes::{Base64, BlockShape, ReceiptShape, StateShape};

/// A block with its batches and transactions in full, as `/blocks` lists it; `None` when its leader is not of the
/// topology.
pub fn block(block: &Block, topology: &Topology) -> Option<Value> {
    serde_json::to_value(BlockShape::of(block, topology).ok()?).ok()
}

/// A receipt, as `/receipts` lists it.
pub fn receipt(receipt: &Receipt) -> Value {
    // The shapes have text keys alone, which is all that could fail.
    serde_json::to_value(ReceiptShape::of(receipt)).unwrap_or_default()
}

/// A value of state, as `/state` lists it.
pub fn state(address: Address, value: Bytes) -> Value {
    serde_json::to_value(StateShape { address, data: Base64(value) }).unwrap_or_default()
}
