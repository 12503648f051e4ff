//! What is persisted: keys and values of the consensus file (SPEC, "Records").
//!
//! Keys begin with a tag byte; 0x00 belongs to whoever owns the file. Tags below 0x20 are *live*: few records, read at
//! every start. From 0x20 on they are an archive that grows with the chain and is never needed to go on.

use bytes::Bytes;
use ledger_types::certificate::{Certificate, VoteKind};
use ledger_types::codec::{CodecError, Reader, Writer};
use ledger_types::{BlockId, ValidatorId};

use crate::evidence::Evidence;
use crate::guard::Incarnation;
use crate::message::{Propose, Vote};

/// The first tag of the archive: [`crate::Replica::restore`] needs no record with this or a higher tag.
pub const ARCHIVE_TAG: u8 = 0x20;

const PROPOSED: u8 = 0x01;
/// Plus the kind of the vote: 0x02 to 0x04.
const VOTED: u8 = 0x01;
const BODY: u8 = 0x05;
const FLOOR: u8 = 0x06;
const INCARNATION: u8 = 0x07;
const GUARD: u8 = 0x08;
const EVIDENCE: u8 = 0x09;
/// Plus the kind of the votes behind it: 0x11 to 0x13.
const CERTIFICATE: u8 = 0x10;
const FINALIZED_AT: u8 = 0x20;

/// Where a record stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum RecordKey {
    /// The block this node proposed in a view.
    Proposed {
        /// The epoch.
        epoch: u64,
        /// The view.
        view: u64,
    },
    /// This node's vote of a kind in a view.
    Voted {
        /// The kind.
        kind: VoteKind,
        /// The epoch.
        epoch: u64,
        /// The view.
        view: u64,
    },
    /// A block that is not known to be durable in the block file.
    Body {
        /// The block.
        block: BlockId,
    },
    /// The floor.
    Floor,
    /// The life that runs.
    Incarnation,
    /// What a rollback guard demands of an epoch.
    Guard {
        /// The epoch.
        epoch: u64,
    },
    /// Proof that a validator lied.
    Evidence {
        /// The epoch.
        epoch: u64,
        /// Who lied.
        offender: ValidatorId,
    },
    /// A certificate of a kind about a view.
    Certificate {
        /// The kind of the votes behind it.
        kind: VoteKind,
        /// The epoch.
        epoch: u64,
        /// The view.
        view: u64,
    },
    /// The finalization of the block at a height (archive).
    FinalizedAt {
        /// The height.
        height: u64,
    },
}

impl RecordKey {
    /// The key's bytes: the tag, then the fields.
    pub fn encode(&self) -> Vec<u8> {
        let mut writer = Writer::new();
        match self {
            Self::Proposed { epoch, view } => writer.u8(PROPOSED).u64(*epoch).u64(*view),
            Self::Voted { kind, epoch, view } => writer.u8(VOTED + *kind as u8).u64(*epoch).u64(*view),
            Self::Body { block } => writer.u8(BODY).raw(&block.0),
            Self::Floor => writer.u8(FLOOR),
            Self::Incarnation => writer.u8(INCARNATION),
            Self::Guard { epoch } => writer.u8(GUARD).u64(*epoch),
            Self::Evidence { epoch, offender } => {
                writer.u8(EVIDENCE).u64(*epoch).u16(offender.cluster).u16(offender.node)
            }
            Self::Certificate { kind, epoch, view } => {
                writer.u8(CERTIFICATE + *kind as u8).u64(*epoch).u64(*view)
            }
            Self::FinalizedAt { height } => writer.u8(FINALIZED_AT).u64(*height),
        };
        writer.finish()
    }
}

/// One record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Record {
    /// This node proposed the block in the view and will propose no other there.
    Proposed {
        /// The epoch.
        epoch: u64,
        /// The view.
        view: u64,
        /// The block; its PROPOSE is in its `Body`.
        block: BlockId,
    },
    /// This node voted.
    Voted {
        /// The epoch.
        epoch: u64,
        /// The vote, as sent.
        vote: Vote,
    },
    /// A block with the message that proposed it.
    Body {
        /// The message.
        propose: Box<Propose>,
        /// The encoded block; opaque here.
        body: Bytes,
    },
    /// Nothing is signed in this view or below: its finalization is held.
    Floor {
        /// The epoch.
        epoch: u64,
        /// The view.
        view: u64,
    },
    /// The life that runs, written before it says anything.
    Incarnation(Incarnation),
    /// This node forgot votes of the epoch.
    Guard {
        /// The epoch.
        epoch: u64,
        /// It signs nothing in this view or below; `None`: nothing at all until its peers have told how far.
        bound: Option<u64>,
    },
    /// Proof that a validator lied; the first one counts.
    Evidence {
        /// The epoch.
        epoch: u64,
        /// The proof.
        evidence: Evidence,
    },
    /// A certificate that is still needed to go on.
    Certificate(Certificate),
    /// The finalization of the block at a height, or of the nearest descendant that has one.
    FinalizedAt {
        /// The height.
        height: u64,
        /// The finalization.
        certificate: Certificate,
    },
}

impl Record {
    /// Where it stands.
    pub fn key(&self) -> RecordKey {
        match self {
            Self::Proposed { epoch, view, .. } => RecordKey::Proposed { epoch: *epoch, view: *view },
            Self::Voted { epoch, vote } => {
                let statement = &vote.statement;
                RecordKey::Voted { kind: statement.kind(), epoch: *epoch, view: statement.view() }
            }
            Self::Body { propose, .. } => RecordKey::Body { block: propose.header.id() },
            Self::Floor { .. } => RecordKey::Floor,
            Self::Incarnation(_) => RecordKey::Incarnation,
            Self::Guard { epoch, .. } => RecordKey::Guard { epoch: *epoch },
            Self::Evidence { epoch, evidence } => {
                RecordKey::Evidence { epoch: *epoch, offender: evidence.offender() }
            }
            Self::Certificate(certificate) => RecordKey::Certificate {
                kind: certificate.certified().kind(),
                epoch: certificate.epoch(),
                view: certificate.view(),
            },
            Self::FinalizedAt { height, .. } => RecordKey::FinalizedAt { height: *height },
        }
    }

    /// The value's bytes.
    pub fn value(&self) -> Vec<u8> {
        let mut writer = Writer::new();
        match self {
            Self::Proposed { block, .. } => {
                writer.raw(&block.0);
            }
            Self::Voted { vote, .. } => vote.encode(&mut writer),
            Self::Body { propose, body } => {
                propose.encode(&mut writer);
                writer.bytes(body);
            }
            Self::Floor { epoch, view } => {
                writer.u64(*epoch).u64(*view);
            }
            Self::Incarnation(incarnation) => incarnation.encode(&mut writer),
            Self::Guard { bound, .. } => {
                writer.u8(u8::from(bound.is_some())).u64(bound.unwrap_or(0));
            }
            Self::Evidence { evidence, .. } => evidence.encode(&mut writer),
            Self::Certificate(certificate) | Self::FinalizedAt { certificate, .. } => {
                certificate.encode(&mut writer);
            }
        }
        writer.finish()
    }

    /// Reads a record back; the shell has checked its checksum.
    ///
    /// # Errors
    /// When key and value are not what [`Record::key`] and [`Record::value`] give for any record.
    pub fn decode(key: &[u8], value: Bytes) -> Result<Self, CodecError> {
        let mut keys = Reader::new(Bytes::copy_from_slice(key));
        let mut values = Reader::new(value);
        let record = match keys.u8("record tag")? {
            PROPOSED => Self::Proposed {
                epoch: keys.u64("epoch")?,
                view: keys.u64("view")?,
                block: BlockId(values.array("block")?),
            },
            0x02..=0x04 => Self::Voted { epoch: keys.u64("epoch")?, vote: Vote::decode(&mut values)? },
            BODY => {
                let propose = Box::new(Propose::decode(&mut values)?);
                Self::Body { propose, body: values.bytes("body")? }
            }
            FLOOR => Self::Floor { epoch: values.u64("epoch")?, view: values.u64("view")? },
            INCARNATION => Self::Incarnation(Incarnation::decode(&mut values)?),
            GUARD => {
                let epoch = keys.u64("epoch")?;
                let bound = match (values.u8("guard flag")?, values.u64("guard bound")?) {
                    (0, 0) => None,
                    (1, bound) => Some(bound),
                    _ => return values.bad("guard flag"),
                };
                Self::Guard { epoch, bound }
            }
            EVIDENCE => {
                Self::Evidence { epoch: keys.u64("epoch")?, evidence: Evidence::decode(&mut values)? }
            }
            0x11..=0x13 => Self::Certificate(Certificate::decode(&mut values)?),
            FINALIZED_AT => Self::FinalizedAt {
                height: keys.u64("height")?,
                certificate: Certificate::decode(&mut values)?,
            },
            _ => return keys.bad("record tag"),
        };
        values.finish()?;
        // A value that stands under another record's key is as wrong as one that cannot be read.
        if record.key().encode() != key {
            return keys.bad("record key");
        }
        Ok(record)
    }
}

/// One change of the consensus file.
#[allow(clippy::large_enum_variant, reason = "changes are few and written at once")]
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// Writes a record, over an older one with the same key if there is one.
    Put(Record),
    /// Removes a record; it may be gone already.
    Delete(RecordKey),
}

impl Change {
    /// The key's bytes.
    pub fn key(&self) -> Vec<u8> {
        match self {
            Self::Put(record) => record.key().encode(),
            Self::Delete(key) => key.encode(),
        }
    }

    /// The value's bytes; `None` to remove.
    pub fn value(&self) -> Option<Vec<u8>> {
        match self {
            Self::Put(record) => Some(record.value()),
            Self::Delete(_) => None,
        }
    }
}
