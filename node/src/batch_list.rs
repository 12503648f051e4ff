//! Batches on their way from node to node.

pub(crate) use ledger_types::batch_list::{decode, encode};
use ledger_types::{Batch, BatchError, BatchId, Verified};
use rayon::prelude::*;

/// Verifies every signature, on all cores.
///
/// # Errors
/// The first batch found with a signature that does not verify, and why.
pub(crate) fn verify(batches: Vec<Batch>) -> Result<Vec<Verified<Batch>>, (BatchId, BatchError)> {
    let verify = |batch: Batch| {
        let id = batch.id;
        batch.verify().map_err(|error| (id, error))
    };
    batches.into_par_iter().map(verify).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use bytes::Bytes;

    use super::{decode, encode, verify};
    use crate::testing::{batch, forged, large_batch};

    #[test]
    fn batches_read_back_and_nothing_else_does() {
        let batches = [batch(1), large_batch(2, 3), batch(3)];
        let bytes = encode(batches.iter().map(|batch| &**batch));
        let read = decode(bytes.clone()).unwrap();
        assert!(read.iter().map(|batch| batch.id).eq(batches.iter().map(|batch| batch.id)));
        assert_eq!(encode(&read), bytes);
        let ends: Vec<usize> = batches.iter().map(|batch| batch.encoded_len()).collect();
        let whole = [0, ends[0], ends[0] + ends[1]];
        for cut in (0..bytes.len()).filter(|cut| !whole.contains(cut)) {
            assert!(decode(bytes.slice(..cut)).is_err(), "cut at {cut}");
        }
        assert!(decode(Bytes::from_static(&[0xff; 200])).is_err());
    }

    #[test]
    fn a_batch_that_stays_does_not_keep_its_neighbours_in_memory() {
        let batches = [batch(1), large_batch(2, 3)];
        let frame = encode(batches.iter().map(|batch| &**batch));
        let range = frame.as_ptr_range();
        let is_of_frame = |bytes: &Bytes| range.contains(&bytes.as_ptr());
        for batch in decode(frame.clone()).unwrap() {
            let mut parts = vec![batch.header_bytes.clone()];
            for transaction in &batch.transactions {
                parts.extend([transaction.header_bytes.clone(), transaction.payload.clone()]);
            }
            assert!(!parts.iter().any(is_of_frame));
        }
    }

    #[test]
    fn a_batch_that_says_what_nobody_signed_is_named() {
        let (good, other) = (batch(1), batch(2));
        let list = encode([&*good, &forged(&other)]);
        let (id, _) = verify(decode(list).unwrap()).unwrap_err();
        assert_eq!(id, other.id);
        assert_eq!(verify(vec![good.clone().into_inner()]).unwrap()[0].id, good.id);
    }
}
