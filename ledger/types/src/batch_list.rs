//! Batches on their way from node to node: their stored forms, one after the other.

use bytes::Bytes;

use crate::batch::{Batch, BatchError};
use crate::codec::{Reader, Writer};

/// Encodes batches.
pub fn encode<'a>(batches: impl IntoIterator<Item = &'a Batch>) -> Bytes {
    let mut writer = Writer::new();
    batches.into_iter().for_each(|batch| batch.encode(&mut writer));
    writer.finish().into()
}

/// Decodes batches; no bytes are no batches. No signature is checked. One of them that stays
/// does not keep the bytes of the others in memory.
///
/// # Errors
/// When the bytes are not batches, or one breaks a structural rule.
pub fn decode(bytes: Bytes) -> Result<Vec<Batch>, BatchError> {
    let len = bytes.len();
    let mut reader = Reader::new(bytes);
    let (mut batches, mut read) = (Vec::new(), 0);
    while read < len {
        let batch = Batch::decode(&mut reader)?;
        read += batch.encoded_len();
        batches.push(batch);
    }
    reader.finish()?;
    if batches.len() > 1 {
        batches.iter_mut().for_each(Batch::detach);
    }
    Ok(batches)
}
