//! What clients sign and post.

use bytes::Bytes;
use ledger_types::codec::{Reader, Writer};
use ledger_types::proto::client as proto;
use ledger_types::{Batch, Transaction, TransactionId};
use prost::Message as _;

/// A list of batches: structure, the stored and the protobuf form of each, signatures.
pub fn batch_list(input: &[u8]) -> bool {
    let Ok(list) = proto::BatchList::decode(Bytes::copy_from_slice(input)) else { return false };
    let batches: Result<Vec<Batch>, _> = list.batches.into_iter().map(Batch::from_proto).collect();
    let Ok(batches) = batches else { return false };
    for batch in &batches {
        let stored = stored(batch);
        let again = Batch::decode(&mut Reader::new(stored.clone().into())).expect("what was stored is read");
        assert_eq!(self::stored(&again), stored);
        let again = Batch::from_proto(batch.to_proto()).expect("what was received is sound when sent on");
        assert_eq!(self::stored(&again), stored);
        // Good or bad, the answer must come.
        let _ = batch.clone().verify();
    }
    !batches.is_empty()
}

fn stored(batch: &Batch) -> Vec<u8> {
    let mut writer = Writer::new();
    batch.encode(&mut writer);
    writer.finish()
}

/// The header of a transaction with an empty payload.
pub fn transaction_header(input: &[u8]) -> bool {
    let header = Bytes::copy_from_slice(input);
    let Ok(transaction) = Transaction::from_parts(TransactionId::ZERO, header, Bytes::new()) else {
        return false;
    };
    assert_eq!(transaction.header_bytes, input, "the header stays as it was signed");
    assert_eq!(transaction.signer.to_string(), transaction.header.signer_public_key);
    let again = proto::TransactionHeader::decode(&transaction.header.encode_to_vec()[..]);
    assert_eq!(again.as_ref(), Ok(&transaction.header));
    assert!(transaction.verify_signature().is_err(), "a signature of zeros is good");
    true
}
