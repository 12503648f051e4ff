//! What blocks add to the block file and to the receipts file, ascending by key: LMDB is many times faster so.

use std::borrow::Borrow;
use std::collections::BTreeMap;

use ledger_types::codec::Writer as Encoder;

use crate::execute::Executed;
use crate::reader::TransactionPlace;
use crate::store::schema;

/// Gives what blocks, in order, add to the block file, but for what [`crate::recent`] keeps.
///
/// # Errors
/// Those of `put`.
pub(super) fn for_each_block_record<E>(
    blocks: &[impl Borrow<Executed>],
    mut put: impl FnMut(&[u8], &[u8]) -> Result<(), E>,
) -> Result<(), E> {
    let mut ids = Vec::with_capacity(blocks.len());
    for executed in blocks.iter().map(Borrow::borrow) {
        let (id, height) = (executed.id(), executed.header().height);
        put(&schema::block_by_height(height), &[&id.0[..], executed.body()].concat())?;
        ids.push((id, height.to_be_bytes()));
    }
    ids.sort_unstable();
    ids.iter().try_for_each(|(id, height)| put(&schema::height_by_block(id), height))
}

/// Gives what blocks, in order, add to the receipts file.
///
/// # Errors
/// Those of `put`.
pub(crate) fn for_each_receipt_record<E>(
    blocks: &[impl Borrow<Executed>],
    mut put: impl FnMut(&[u8], &[u8]) -> Result<(), E>,
) -> Result<(), E> {
    let blocks = || blocks.iter().map(Borrow::borrow);
    // Of a batch that was rejected more than once, the newest rejection stands.
    let mut rejections = BTreeMap::new();
    for executed in blocks() {
        for rejection in executed.block().rejections() {
            let mut record = Encoder::new();
            rejection.encode(record.u64(executed.header().height));
            rejections.insert(rejection.batch, record.finish());
        }
    }
    rejections.iter().try_for_each(|(batch, record)| put(&schema::rejection(batch), record))?;
    for executed in blocks() {
        let places = TransactionPlace::all(executed.block()).map(|(place, _)| place);
        for (place, (_, receipt)) in places.zip(executed.receipts()) {
            put(&schema::receipt(place), receipt)?;
        }
    }
    Ok(())
}
