//! What validators send each other and write down.

use bytes::Bytes;
use consensus::{Ed25519Verifier, Message, Record};
use ledger_types::certificate::{Certificate, Statement};
use ledger_types::codec::{Reader, Writer};

use super::{has_one_encoding, seeds};

/// What a vote says.
pub fn statement(input: &[u8]) -> bool {
    let mut reader = Reader::new(Bytes::copy_from_slice(input));
    let statement = Statement::decode(&mut reader).ok().filter(|_| reader.finish().is_ok());
    has_one_encoding(input, statement, |statement| {
        assert!(statement.from_view() <= statement.view());
        let mut writer = Writer::new();
        statement.encode(&mut writer);
        writer.finish()
    })
}

/// A certificate, and whether it proves anything to a committee of four.
pub fn certificate(input: &[u8]) -> bool {
    let certificate = Certificate::from_bytes(Bytes::copy_from_slice(input)).ok();
    has_one_encoding(input, certificate, |certificate| {
        assert!(certificate.from_view() <= certificate.view());
        let _ = consensus::certificates::check(certificate, seeds::committee(), &Ed25519Verifier);
        certificate.to_bytes()
    })
}

/// A message, and whether a committee of four believes it.
pub fn consensus_message(input: &[u8]) -> bool {
    let message = Message::decode(Bytes::copy_from_slice(input)).ok();
    has_one_encoding(input, message, |message| {
        let _ = message.clone().verify(seeds::committee(), &Ed25519Verifier);
        message.encode()
    })
}

/// A record: a byte with the key's length, the key, the value.
pub fn consensus_record(input: &[u8]) -> bool {
    let Some((len, rest)) = input.split_first() else { return false };
    let Some((key, value)) = rest.split_at_checked((*len).into()) else { return false };
    let record = Record::decode(key, Bytes::copy_from_slice(value)).ok();
    has_one_encoding(input, record, |record| {
        let key = record.key().encode();
        [&[*len], &key[..], &record.value()].concat()
    })
}
