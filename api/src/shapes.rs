//! How blocks, batches, transactions and receipts look in JSON. Fields stand in alphabetical order, which is the order
//! that clients get them in.

use base64::display::Base64Display;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use ledger_types::receipt::{Event, Receipt, StateChange};
use ledger_types::{
    Address, Batch, BatchId, Block, BlockId, Hash, Topology, Transaction, TransactionId, VoteKey,
};
use serde::{Serialize, Serializer};

use crate::error::{ApiResult, ErrorKind};

/// What the `consensus` field of a block begins with before it is encoded.
const CONSENSUS_TAG: &[u8] = b"FBFT1";
/// The parent of the first block, as upstream writes it.
const NO_PARENT: &str = "0000000000000000";

/// Bytes, shown in base64.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Base64<B>(pub(crate) B);

impl<B: AsRef<[u8]>> Base64<B> {
    fn is_empty(&self) -> bool {
        self.0.as_ref().is_empty()
    }
}

impl<B: AsRef<[u8]>> Serialize for Base64<B> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&Base64Display::new(self.0.as_ref(), &STANDARD))
    }
}

/// A block with its committed batches in full.
#[derive(Serialize)]
pub(crate) struct BlockShape<'a> {
    batches: Vec<BatchShape<'a>>,
    header: BlockHeaderShape<'a>,
    header_signature: BlockId,
}

#[derive(Serialize)]
struct BlockHeaderShape<'a> {
    batch_ids: Vec<BatchId>,
    block_num: String,
    consensus: Base64<Vec<u8>>,
    previous_block_id: String,
    signer_public_key: &'a VoteKey,
    state_root_hash: Hash,
}

impl<'a> BlockShape<'a> {
    /// The shape of a block whose leader belongs to the topology.
    ///
    /// # Errors
    /// 21 when the leader does not: the stored block is not one of this network.
    pub(crate) fn of(block: &'a Block, topology: &'a Topology) -> ApiResult<Self> {
        let header = &block.header;
        let leader = topology.validator(header.proposer).ok_or(ErrorKind::ResourceHeaderInvalid)?;
        let consensus = [CONSENSUS_TAG, &header.epoch.to_be_bytes(), &header.view.to_be_bytes()].concat();
        Ok(Self {
            batches: block.batches().map(BatchShape::of).collect(),
            header: BlockHeaderShape {
                batch_ids: block.batches().map(|batch| batch.id).collect(),
                block_num: header.height.to_string(),
                consensus: Base64(consensus),
                previous_block_id: previous_block_id(header.height, &header.parent),
                signer_public_key: &leader.vote_key,
                state_root_hash: header.state_root,
            },
            header_signature: block.id(),
        })
    }
}

/// The parent of the block at a height, as clients know it.
pub(crate) fn previous_block_id(height: u64, parent: &BlockId) -> String {
    if height == 0 { NO_PARENT.to_owned() } else { parent.to_string() }
}

/// A batch with its transactions in full.
#[derive(Serialize)]
pub(crate) struct BatchShape<'a> {
    header: BatchHeaderShape,
    header_signature: BatchId,
    /// Outside the signature and never stored, so always false, as upstream reports it.
    trace: bool,
    transactions: Vec<TransactionShape<'a>>,
}

#[derive(Serialize)]
struct BatchHeaderShape {
    signer_public_key: String,
    transaction_ids: Vec<TransactionId>,
}

impl<'a> BatchShape<'a> {
    /// The shape of a batch.
    pub(crate) fn of(batch: &'a Batch) -> Self {
        Self {
            header: BatchHeaderShape {
                signer_public_key: batch.signer.to_string(),
                transaction_ids: batch.transactions.iter().map(|transaction| transaction.id).collect(),
            },
            header_signature: batch.id,
            trace: false,
            transactions: batch.transactions.iter().map(TransactionShape::of).collect(),
        }
    }
}

/// A transaction with its header expanded.
#[derive(Serialize)]
pub(crate) struct TransactionShape<'a> {
    header: TransactionHeaderShape<'a>,
    header_signature: TransactionId,
    payload: Base64<&'a [u8]>,
}

#[derive(Serialize)]
struct TransactionHeaderShape<'a> {
    batcher_public_key: &'a str,
    dependencies: &'a [String],
    family_name: &'a str,
    family_version: &'a str,
    inputs: &'a [String],
    nonce: &'a str,
    outputs: &'a [String],
    payload_sha512: &'a str,
    signer_public_key: &'a str,
}

impl<'a> TransactionShape<'a> {
    /// The shape of a transaction.
    pub(crate) fn of(transaction: &'a Transaction) -> Self {
        let header = &transaction.header;
        Self {
            header: TransactionHeaderShape {
                batcher_public_key: &header.batcher_public_key,
                dependencies: &header.dependencies,
                family_name: &header.family_name,
                family_version: &header.family_version,
                inputs: &header.inputs,
                nonce: &header.nonce,
                outputs: &header.outputs,
                payload_sha512: &header.payload_sha512,
                signer_public_key: &header.signer_public_key,
            },
            header_signature: transaction.id,
            payload: Base64(&transaction.payload),
        }
    }
}

/// One value of state.
#[derive(Serialize)]
pub(crate) struct StateShape {
    pub(crate) address: Address,
    pub(crate) data: Base64<Bytes>,
}

/// A receipt. As upstream, properties that are empty are left out (list items are not) and `transaction_id` is `id`.
#[derive(Serialize)]
pub(crate) struct ReceiptShape<'a> {
    data: Vec<Base64<&'a [u8]>>,
    events: Vec<EventShape<'a>>,
    id: TransactionId,
    state_changes: Vec<StateChangeShape<'a>>,
}

#[derive(Serialize)]
struct EventShape<'a> {
    attributes: Vec<AttributeShape<'a>>,
    #[serde(skip_serializing_if = "Base64::is_empty")]
    data: Base64<&'a [u8]>,
    #[serde(skip_serializing_if = "str::is_empty")]
    event_type: &'a str,
}

#[derive(Serialize)]
struct AttributeShape<'a> {
    #[serde(skip_serializing_if = "str::is_empty")]
    key: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    value: &'a str,
}

#[derive(Serialize)]
struct StateChangeShape<'a> {
    address: Address,
    #[serde(rename = "type")]
    kind: &'static str,
    #[serde(skip_serializing_if = "Base64::is_empty")]
    value: Base64<&'a [u8]>,
}

impl<'a> ReceiptShape<'a> {
    /// The shape of a receipt.
    pub(crate) fn of(receipt: &'a Receipt) -> Self {
        Self {
            data: receipt.data.iter().map(|data| Base64(data.as_ref())).collect(),
            events: receipt.events.iter().map(EventShape::of).collect(),
            id: receipt.transaction,
            state_changes: receipt.state_changes.iter().map(StateChangeShape::of).collect(),
        }
    }
}

impl<'a> EventShape<'a> {
    fn of(event: &'a Event) -> Self {
        let attributes = event.attributes.iter().map(|(key, value)| AttributeShape { key, value });
        Self { attributes: attributes.collect(), data: Base64(&event.data), event_type: &event.event_type }
    }
}

impl<'a> StateChangeShape<'a> {
    fn of(change: &'a StateChange) -> Self {
        let (kind, value) = match &change.value {
            Some(value) => ("SET", value.as_ref()),
            None => ("DELETE", &[][..]),
        };
        Self { address: change.address, kind, value: Base64(value) }
    }
}
