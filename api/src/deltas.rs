//! What a block changed in state, as subscribers get it.

use std::collections::BTreeSet;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use ledger::Reader;
use ledger::reader::ReadError;
use ledger_types::{Address, BlockId, Hash};
use serde::Serialize;
use tokio::sync::Mutex;

use crate::error::ApiResult;
use crate::listing::block_at;
use crate::shapes::previous_block_id;
use crate::shared::Shared;

/// Bytes of a change in JSON beside its value.
const CHANGE_BYTES: usize = 128;
/// Bytes of a message beside its changes.
const MESSAGE_BYTES: usize = 512;

/// A block's changes: the last one of each address, newest first.
pub(crate) struct BlockDelta {
    pub(crate) height: u64,
    id: BlockId,
    parent: BlockId,
    state_root: Hash,
    changes: Vec<(Address, Option<Bytes>)>,
}

/// Keeps the newest delta that anybody asked for.
#[derive(Default)]
pub(crate) struct Deltas(Mutex<Option<Arc<BlockDelta>>>);

impl Deltas {
    /// The delta of the block at a committed height. Whoever asks for the newest while it is made waits for it; whoever
    /// catches up makes its own.
    pub(crate) async fn at(&self, shared: &Arc<Shared>, height: u64) -> ApiResult<Arc<BlockDelta>> {
        let mut newest = self.0.lock().await;
        match newest.as_ref().map(|delta| delta.height) {
            Some(found) if found > height => {
                drop(newest);
                Self::make(shared, height).await
            }
            Some(found) if found == height => {
                Ok(Arc::clone(newest.as_ref().expect("invariant: matched above")))
            }
            _ => {
                let delta = Self::make(shared, height).await?;
                *newest = Some(Arc::clone(&delta));
                Ok(delta)
            }
        }
    }

    async fn make(shared: &Arc<Shared>, height: u64) -> ApiResult<Arc<BlockDelta>> {
        let read = move |shared: &Shared| Ok(Arc::new(BlockDelta::read(&shared.api.reader, height)?));
        Arc::clone(shared).heavy(read).await
    }
}

impl BlockDelta {
    fn read(reader: &Reader, height: u64) -> Result<Self, ReadError> {
        let block = block_at(reader, height)?;
        let (mut seen, mut changes) = (BTreeSet::new(), Vec::new());
        let transactions: Vec<_> = block.batches().flat_map(|batch| &batch.transactions).collect();
        for transaction in transactions.into_iter().rev() {
            let Some(receipt) = reader.receipt(&transaction.id)? else { continue };
            for change in receipt.state_changes.into_iter().rev() {
                if seen.insert(change.address) {
                    changes.push((change.address, change.value));
                }
            }
        }
        let header = &block.header;
        Ok(Self { height, id: block.id(), parent: header.parent, state_root: header.state_root, changes })
    }

    /// The changes that a subscriber of these prefixes gets; without prefixes, all.
    fn changes<'a>(&'a self, prefixes: &'a [String]) -> impl Iterator<Item = &'a (Address, Option<Bytes>)> {
        self.changes.iter().filter(move |(address, _)| {
            let text = address.to_string();
            prefixes.is_empty() || prefixes.iter().any(|prefix| text.starts_with(prefix.as_str()))
        })
    }

    /// About the bytes of [`BlockDelta::message`].
    pub(crate) fn message_bytes(&self, prefixes: &[String]) -> usize {
        let bytes = |value: &Option<Bytes>| value.as_ref().map_or(0, |value| value.len().div_ceil(3) * 4);
        self.changes(prefixes).map(|(_, value)| CHANGE_BYTES + bytes(value)).sum::<usize>() + MESSAGE_BYTES
    }

    /// The message that subscribers get.
    pub(crate) fn message(&self, prefixes: &[String]) -> String {
        let change = |(address, value): &(Address, Option<Bytes>)| ChangeShape {
            address: *address,
            kind: if value.is_some() { "SET" } else { "DELETE" },
            value: value.as_ref().map_or_else(String::new, |value| STANDARD.encode(value)),
        };
        to_line(&DeltaShape {
            block_id: self.id,
            block_num: self.height.to_string(),
            previous_block_id: previous_block_id(self.height, &self.parent),
            state_changes: self.changes(prefixes).map(change).collect(),
        })
    }

    /// The commit, without the changes.
    pub(crate) fn commit(&self) -> String {
        to_line(&CommitShape {
            block_id: self.id,
            block_num: self.height.to_string(),
            previous_block_id: previous_block_id(self.height, &self.parent),
            state_root_hash: self.state_root,
        })
    }
}

/// JSON in one line.
fn to_line(value: &impl Serialize) -> String {
    serde_json::to_string(value).expect("invariant: shapes have string keys and total serialisers")
}

#[derive(Serialize)]
struct DeltaShape {
    block_id: BlockId,
    block_num: String,
    previous_block_id: String,
    state_changes: Vec<ChangeShape>,
}

#[derive(Serialize)]
struct ChangeShape {
    address: Address,
    #[serde(rename = "type")]
    kind: &'static str,
    /// Empty for a delete.
    value: String,
}

#[derive(Serialize)]
struct CommitShape {
    block_id: BlockId,
    block_num: String,
    previous_block_id: String,
    state_root_hash: Hash,
}
