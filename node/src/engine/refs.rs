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

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use ledger_types::block::RejectionReason;
    use ledger_types::codec::Writer;
    use ledger_types::{BatchId, Rejection, TransactionId};

    use super::{EntryRef, decode};

    /// What `encode` writes for a batch and a rejection, by hand.
    fn encoded() -> (Vec<u8>, Vec<EntryRef>) {
        let rejection = Rejection {
            batch: BatchId([2; 64]),
            transaction: TransactionId([3; 64]),
            reason: RejectionReason::Family,
            message: "no".to_owned(),
        };
        let mut writer = Writer::new();
        writer.u8(0).raw(&[1; 64]);
        rejection.encode(writer.u8(1));
        let entries = vec![
            EntryRef { batch: BatchId([1; 64]), rejection: None },
            EntryRef { batch: BatchId([2; 64]), rejection: Some(rejection) },
        ];
        (writer.finish(), entries)
    }

    #[test]
    fn entries_read_back_and_nothing_else_does() {
        let (bytes, entries) = encoded();
        assert_eq!(decode(Bytes::from(bytes.clone()), 2), Ok(entries));
        for cut in 0..bytes.len() {
            assert!(decode(Bytes::copy_from_slice(&bytes[..cut]), 2).is_err(), "cut at {cut}");
        }
        assert!(decode(Bytes::from(bytes.clone()), 1).is_err(), "bytes left over");
        assert!(decode(Bytes::from(bytes.clone()), 3).is_err(), "an entry too few");
        assert!(decode(Bytes::from([&[2], &bytes[1..]].concat()), 2).is_err(), "unknown tag");
    }
}
