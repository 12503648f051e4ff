//! Messages as SPEC 3.4 lays them out, read by hand.

use ledger_types::BlockId;
use ledger_types::hash::sha512;

/// What a vote says. Kinds: 1 NOTARIZE, 2 FINALIZE, 3 NULLIFY.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Said {
    pub(super) kind: u8,
    pub(super) view: u64,
    pub(super) height: u64,
    pub(super) block: BlockId,
    pub(super) from_view: u64,
}

/// A cluster and a node in it.
pub(super) type Place = (u16, u16);

/// A message, as far as the oracle cares.
#[derive(Debug)]
pub(super) enum Wire<'a> {
    Propose { block: BlockId, header: Header, refs: &'a [u8] },
    Vote { place: Place, said: Said, signature: [u8; 64], body: &'a [u8] },
    GuardAnswer { place: Place, mark: u64 },
    Other,
}

/// Of a header what places the block.
#[derive(Clone, Copy, Debug)]
pub(super) struct Header {
    pub(super) view: u64,
    pub(super) height: u64,
    pub(super) parent: BlockId,
    pub(super) proposer: Place,
}

/// One signer of a certificate.
pub(super) struct Signer {
    pub(super) place: Place,
    pub(super) from_view: u64,
    pub(super) signature: [u8; 64],
}

struct Cursor<'a>(&'a [u8]);

impl<'a> Cursor<'a> {
    fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(taken)
    }

    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        self.take(N)?.try_into().ok()
    }

    fn u8(&mut self) -> Option<u8> {
        self.array().map(u8::from_be_bytes)
    }

    fn u16(&mut self) -> Option<u16> {
        self.array().map(u16::from_be_bytes)
    }

    fn u32(&mut self) -> Option<u32> {
        self.array().map(u32::from_be_bytes)
    }

    fn u64(&mut self) -> Option<u64> {
        self.array().map(u64::from_be_bytes)
    }

    fn bytes(&mut self) -> Option<&'a [u8]> {
        let count = self.u32()?;
        self.take(usize::try_from(count).ok()?)
    }

    fn place(&mut self) -> Option<Place> {
        Some((self.u16()?, self.u16()?))
    }

    fn said(&mut self) -> Option<Said> {
        let (kind, view, height) = (self.u8()?, self.u64()?, self.u64()?);
        Some(Said { kind, view, height, block: BlockId(self.array()?), from_view: self.u64()? })
    }
}

/// Reads a message.
pub(super) fn read(message: &[u8]) -> Option<Wire<'_>> {
    let mut cursor = Cursor(message);
    let (version, tag) = (cursor.u8()?, cursor.u8()?);
    match (version, tag) {
        (1, 1) => {
            let header = cursor.bytes()?;
            let (block, header, refs) = (block_id(header), read_header(header)?, cursor.bytes()?);
            Some(Wire::Propose { block, header, refs })
        }
        (1, 2) => {
            let body = cursor.0;
            let (place, said, signature) = (cursor.place()?, cursor.said()?, cursor.array()?);
            Some(Wire::Vote { place, said, signature, body })
        }
        (1, 9) => {
            let place = cursor.place()?;
            cursor.take(4 + 32 + 1)?;
            Some(Wire::GuardAnswer { place, mark: cursor.u64()? })
        }
        (1, _) => Some(Wire::Other),
        _ => None,
    }
}

/// The id of a block whose header has these bytes.
pub(super) fn block_id(header: &[u8]) -> BlockId {
    BlockId(sha512(&[b"dgt-block", header]))
}

/// Reads a header: version, network (32), epoch, view, height, parent (64), proposer; the rest does not matter here.
pub(super) fn read_header(bytes: &[u8]) -> Option<Header> {
    let mut cursor = Cursor(bytes);
    cursor.take(1 + 32 + 8)?;
    let (view, height, parent) = (cursor.u64()?, cursor.u64()?, BlockId(cursor.array()?));
    Some(Header { view, height, parent, proposer: cursor.place()? })
}

/// Reads a certificate: what it is about (`from_view` is left 0) and who signed.
pub(super) fn read_certificate(bytes: &[u8]) -> Option<(Said, Vec<Signer>)> {
    let mut cursor = Cursor(bytes);
    cursor.take(1 + 8)?;
    let (kind, view, height) = (cursor.u8()?, cursor.u64()?, cursor.u64()?);
    let said = Said { kind, view, height, block: BlockId(cursor.array()?), from_view: 0 };
    let mut signers = Vec::new();
    for _ in 0..cursor.u16()? {
        let (cluster, bitmap) = (cursor.u16()?, cursor.u64()?);
        for node in (0..64).filter(|node| bitmap >> node & 1 == 1) {
            let from_view = if kind == 3 { cursor.u64()? } else { view };
            signers.push(Signer { place: (cluster, node), from_view, signature: cursor.array()? });
        }
    }
    Some((said, signers))
}

/// The bytes that a vote's signature is over.
pub(super) fn signed_bytes(network: &[u8; 32], cfg_hash: &[u8; 32], said: &Said) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(166);
    bytes.extend(b"FBFT1");
    bytes.push(said.kind);
    bytes.extend(network);
    bytes.extend(0u64.to_be_bytes());
    bytes.extend(cfg_hash);
    bytes.extend(said.view.to_be_bytes());
    bytes.extend(said.height.to_be_bytes());
    bytes.extend(said.block.0);
    bytes.extend(said.from_view.to_be_bytes());
    bytes
}

/// What signed bytes say if they are a vote's or, as kind 4, a proposal's: the kind, the first and the last view.
pub(super) fn signed_views(bytes: &[u8]) -> Option<(u8, u64, u64)> {
    let mut cursor = Cursor(bytes);
    (cursor.take(5)? == b"FBFT1").then_some(())?;
    let kind = cursor.u8()?;
    cursor.take(32 + 8 + 32)?;
    let view = cursor.u64()?;
    match kind {
        1..=3 => {
            cursor.take(8 + 64)?;
            Some((kind, cursor.u64()?, view))
        }
        4 => Some((kind, view, view)),
        _ => None,
    }
}
