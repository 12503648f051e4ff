//! What a proposal says of its entries: batch ids, and rejections in full. Peers have the batches in their pools.

use bytes::Bytes;
use ledger_types::codec::{CodecError, Reader, Writer};
use ledger_types::{BatchId, Block, Entry, Rejection};

/// One entry of a proposal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct EntryRef {
    /// The batch.
    pub(super) batch: BatchId,
    /// The rejection, or `None` when the batch shall take effect.
    pub(super) rejection: Option<Rejection>,
}

/// Encodes a block's entries: for each a tag byte (0 batch, 1 rejection) and the batch id or the rejection.
pub(super) fn encode(block: &Block) -> Bytes {
    let mut writer = Writer::new();
    for entry in &block.entries {
        match entry {
            Entry::Batch(batch) => writer.u8(0).raw(&batch.id.0),
            Entry::Rejection(rejection) => {
                rejection.encode(writer.u8(1));
                &mut writer
            }
        };
    }
    writer.finish().into()
}

/// Decodes `count` entries.
pub(super) fn decode(refs: Bytes, count: u32) -> Result<Vec<EntryRef>, CodecError> {
    let mut reader = Reader::new(refs);
    let mut entries = Vec::new();
    for _ in 0..count {
        entries.push(match reader.u8("entry tag")? {
            0 => EntryRef { batch: BatchId(reader.array("batch id")?), rejection: None },
            1 => {
                let rejection = Rejection::decode(&mut reader)?;
                EntryRef { batch: rejection.batch, rejection: Some(rejection) }
            }
            _ => return reader.bad("entry tag"),
        });
    }
    reader.finish()?;
    Ok(entries)
}
