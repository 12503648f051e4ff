//! The receipts file: what blocks above a height did goes.

use std::collections::BTreeSet;

use ledger_types::codec::Writer as Encoder;
use ledger_types::{BatchId, NetworkId};

use super::finish;
use crate::reader::{Head, TransactionPlace, read_block};
use crate::store::{File, FileKind, StoreError, schema};

/// Takes away the records of the blocks above one, up to the head's height.
pub(super) fn truncate(
    file: &File,
    chain: &File,
    (to, head): (&Head, u64),
    network_id: NetworkId,
) -> Result<(), StoreError> {
    let mut writer = file.write()?;
    let mut overwritten = BTreeSet::new();
    for height in to.height + 1..=head {
        let block = read_block(chain, height)?;
        for (place, _) in TransactionPlace::all(&block) {
            writer.delete(&schema::receipt(place))?;
        }
        for rejection in block.rejections() {
            if is_of_above(file, &rejection.batch, to.height)? {
                writer.delete(&schema::rejection(&rejection.batch))?;
                overwritten.insert(rejection.batch);
            }
        }
    }
    // A batch's record is of its newest rejection: an earlier one, if there was one, holds again.
    for height in (0..=to.height).rev() {
        if overwritten.is_empty() {
            break;
        }
        for rejection in read_block(chain, height)?.rejections() {
            if overwritten.remove(&rejection.batch) {
                let mut record = Encoder::new();
                rejection.encode(record.u64(height));
                writer.put(&schema::rejection(&rejection.batch), &record.finish())?;
            }
        }
    }
    finish(writer, (file, FileKind::Receipts), to, network_id)
}

/// Whether a batch's rejection is recorded of a block above a height: the file may be behind the blocks.
fn is_of_above(file: &File, batch: &BatchId, height: u64) -> Result<bool, StoreError> {
    let record = file.read()?.get_copy(&schema::rejection(batch))?;
    let of = record.and_then(|record| record.first_chunk().copied()).map(u64::from_be_bytes);
    Ok(of.is_some_and(|of| of > height))
}
