//! Blocks and what is in them, as they are stored.

use bytes::Bytes;
use ledger::store::pages::Pages;
use ledger_types::batch_list;
use ledger_types::codec::{Reader, Writer};
use ledger_types::receipt::Receipt;
use ledger_types::{Batch, Block, BlockHeader, Entry, Rejection};

use super::has_one_encoding;

/// A batch.
pub fn batch(input: &[u8]) -> bool {
    let mut reader = Reader::new(Bytes::copy_from_slice(input));
    let batch = Batch::decode(&mut reader).ok().filter(|_| reader.finish().is_ok());
    has_one_encoding(input, batch, |batch| {
        let mut writer = Writer::new();
        batch.encode(&mut writer);
        let bytes = writer.finish();
        assert_eq!(bytes.len(), batch.encoded_len());
        bytes
    })
}

/// Batches as a frame between nodes holds them.
pub fn batch_frame(input: &[u8]) -> bool {
    let batches = batch_list::decode(Bytes::copy_from_slice(input)).ok();
    has_one_encoding(input, batches, |batches| {
        assert_eq!(batches.iter().map(Batch::encoded_len).sum::<usize>(), input.len());
        batch_list::encode(batches).to_vec()
    })
}

/// A block, and its id.
pub fn block(input: &[u8]) -> bool {
    let block = Block::decode(Bytes::copy_from_slice(input)).ok();
    has_one_encoding(input, block, |block| {
        assert_eq!(block.entries.len(), block.header.entry_count as usize);
        assert_eq!(block.batches().count() + block.rejections().count(), block.entries.len());
        assert_eq!(block.id(), block.header.id());
        block.encode()
    })
}

/// A block's header.
pub fn block_header(input: &[u8]) -> bool {
    has_one_encoding(input, BlockHeader::decode(Bytes::copy_from_slice(input)).ok(), BlockHeader::encode)
}

/// An entry of a block.
pub fn entry(input: &[u8]) -> bool {
    has_one_encoding(input, Entry::decode(Bytes::copy_from_slice(input)).ok(), Entry::encode)
}

/// A receipt.
pub fn receipt(input: &[u8]) -> bool {
    has_one_encoding(input, Receipt::decode(Bytes::copy_from_slice(input)).ok(), Receipt::encode)
}

/// A rejection.
pub fn rejection(input: &[u8]) -> bool {
    let mut reader = Reader::new(Bytes::copy_from_slice(input));
    let rejection = Rejection::decode(&mut reader).ok().filter(|_| reader.finish().is_ok());
    has_one_encoding(input, rejection, |rejection| {
        let mut writer = Writer::new();
        rejection.encode(&mut writer);
        writer.finish()
    })
}

/// The pages of an LMDB file.
pub fn pages(input: &[u8]) -> bool {
    let (bytes, mut keys) = (input.to_vec(), Vec::new());
    let visit = &mut |_, key: &[u8], _: &[u8]| {
        keys.push(key.to_vec());
        Ok(())
    };
    let walked = Pages::of("file", &bytes, None).and_then(|pages| pages.walk(visit));
    let Ok(count) = walked else { return false };
    assert!(keys.is_sorted_by(|a, b| a < b), "keys are in order");
    assert_eq!(count.entries, keys.len() as u64);
    assert_eq!(count.all, 2 + count.records + count.free_list + count.free);
    true
}
