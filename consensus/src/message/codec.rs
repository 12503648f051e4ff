//! The one encoding of each message: a version byte, a tag byte, the fields.

use bytes::Bytes;
use ledger_types::certificate::{Certificate, Statement};
use ledger_types::codec::{CodecError, Reader, Writer};
use ledger_types::limits::BLOCK_BYTES;
use ledger_types::{BlockHeader, BlockId, Hash, Signature, ValidatorId};

use super::{
    AnswerStanding, Entries, GuardAnswer, GuardRequest, Heartbeat, Message, Propose, RUN_BODIES, RUN_HEADERS,
    Request, Run, Vote, Wanted,
};
use crate::certificates::NULLIFICATIONS_PER_PROPOSAL;
use crate::guard::Incarnation;

/// The version byte that begins every message.
const MESSAGE_VERSION: u8 = 1;
/// Bytes of the longest message: a PROPOSE with nine certificates of 4096 signers. A RUN has one, and headers.
pub const MESSAGE_BYTES: usize = BLOCK_BYTES + 9 * 64 * (64 * 72 + 10) + 4096;

const PROPOSE: u8 = 1;
const VOTE: u8 = 2;
const CERTIFICATE: u8 = 3;
const REQUEST: u8 = 4;
const ENTRIES: u8 = 5;
const RUN: u8 = 6;
const HEARTBEAT: u8 = 7;
const GUARD_REQUEST: u8 = 8;
const GUARD_ANSWER: u8 = 9;

impl Message {
    /// The bytes.
    pub fn encode(&self) -> Vec<u8> {
        let mut writer = Writer::new();
        writer.u8(MESSAGE_VERSION);
        match self {
            Self::Propose(propose) => propose.encode(writer.u8(PROPOSE)),
            Self::Vote(vote) => vote.encode(writer.u8(VOTE)),
            Self::Certificate(certificate) => certificate.encode(writer.u8(CERTIFICATE)),
            Self::Request(request) => request.encode(writer.u8(REQUEST)),
            Self::Entries(entries) => entries.encode(writer.u8(ENTRIES)),
            Self::Run(run) => run.encode(writer.u8(RUN)),
            Self::Heartbeat(heartbeat) => heartbeat.encode(writer.u8(HEARTBEAT)),
            Self::GuardRequest(request) => request.encode(writer.u8(GUARD_REQUEST)),
            Self::GuardAnswer(answer) => answer.encode(writer.u8(GUARD_ANSWER)),
        }
        writer.finish()
    }

    /// Reads the bytes. Frames above [`MESSAGE_BYTES`] should be refused before.
    ///
    /// # Errors
    /// When the bytes are not the one encoding of a message.
    pub fn decode(bytes: Bytes) -> Result<Self, CodecError> {
        let mut reader = Reader::new(bytes);
        if reader.u8("message version")? != MESSAGE_VERSION {
            return reader.bad("message version");
        }
        let message = match reader.u8("message tag")? {
            PROPOSE => Self::Propose(Box::new(Propose::decode(&mut reader)?)),
            VOTE => Self::Vote(Vote::decode(&mut reader)?),
            CERTIFICATE => Self::Certificate(Certificate::decode(&mut reader)?),
            REQUEST => Self::Request(Request::decode(&mut reader)?),
            ENTRIES => Self::Entries(Entries::decode(&mut reader)?),
            RUN => Self::Run(Box::new(Run::decode(&mut reader)?)),
            HEARTBEAT => Self::Heartbeat(Heartbeat::decode(&mut reader)?),
            GUARD_REQUEST => Self::GuardRequest(GuardRequest::decode(&mut reader)?),
            GUARD_ANSWER => Self::GuardAnswer(Box::new(GuardAnswer::decode(&mut reader)?)),
            _ => return reader.bad("message tag"),
        };
        reader.finish()?;
        Ok(message)
    }
}

impl Propose {
    pub(crate) fn encode(&self, writer: &mut Writer) {
        writer.bytes(&self.header.encode()).bytes(&self.refs);
        encode_optional(self.parent.as_ref(), writer, Certificate::encode);
        let count = u8::try_from(self.nullifications.len()).expect("invariant: at most 8 are chosen or read");
        writer.u8(count);
        for certificate in &self.nullifications {
            certificate.encode(writer);
        }
        writer.raw(&self.signature.0);
    }

    pub(crate) fn decode(reader: &mut Reader) -> Result<Self, CodecError> {
        let header = BlockHeader::decode(reader.bytes("header")?)?;
        let refs = reader.bytes("refs")?;
        if refs.len() > BLOCK_BYTES {
            return reader.bad("length of refs");
        }
        let parent = optional(reader, "parent certificate flag", Certificate::decode)?;
        let count = usize::from(reader.u8("nullification count")?);
        if count > NULLIFICATIONS_PER_PROPOSAL {
            return reader.bad("nullification count");
        }
        let nullifications =
            (0..count).map(|_| Certificate::decode(reader)).collect::<Result<Vec<_>, CodecError>>()?;
        Ok(Self { header, refs, parent, nullifications, signature: signature(reader)? })
    }
}

impl Vote {
    pub(crate) fn encode(&self, writer: &mut Writer) {
        encode_validator(self.signer, writer);
        self.statement.encode(writer);
        writer.raw(&self.signature.0);
    }

    pub(crate) fn decode(reader: &mut Reader) -> Result<Self, CodecError> {
        Ok(Self {
            signer: validator(reader)?,
            statement: Statement::decode(reader)?,
            signature: signature(reader)?,
        })
    }
}

impl Request {
    fn encode(&self, writer: &mut Writer) {
        encode_validator(self.signer, writer);
        self.wanted.encode(writer);
        writer.raw(&self.signature.0);
    }

    fn decode(reader: &mut Reader) -> Result<Self, CodecError> {
        Ok(Self {
            signer: validator(reader)?,
            wanted: Wanted::decode(reader)?,
            signature: signature(reader)?,
        })
    }
}

impl Wanted {
    pub(super) fn encode(&self, writer: &mut Writer) {
        match self {
            Self::Proposal { block } => writer.u8(1).raw(&block.0),
            Self::Range { from_view, to_view } => writer.u8(2).u64(*from_view).u64(*to_view),
            Self::Entries { block, indices } => {
                let count = u32::try_from(indices.len()).expect("invariant: at most the entries of a block");
                writer.u8(3).raw(&block.0).u32(count);
                indices.iter().fold(writer, |writer, index| writer.u32(*index))
            }
            Self::Blocks { from_height } => writer.u8(4).u64(*from_height),
        };
    }

    fn decode(reader: &mut Reader) -> Result<Self, CodecError> {
        match reader.u8("wanted tag")? {
            1 => Ok(Self::Proposal { block: BlockId(reader.array("block")?) }),
            2 => {
                let (from_view, to_view) = (reader.u64("from view")?, reader.u64("to view")?);
                if from_view > to_view { reader.bad("range") } else { Ok(Self::Range { from_view, to_view }) }
            }
            3 => {
                let block = BlockId(reader.array("block")?);
                let mut indices = Vec::new();
                // Read one by one: the count is only a claim until the bytes are there.
                for _ in 0..reader.u32("index count")? {
                    let index = reader.u32("index")?;
                    if indices.last().is_some_and(|last| index <= *last) {
                        return reader.bad("index order");
                    }
                    indices.push(index);
                }
                if indices.is_empty() {
                    reader.bad("index count")
                } else {
                    Ok(Self::Entries { block, indices })
                }
            }
            4 => Ok(Self::Blocks { from_height: reader.u64("from height")? }),
            _ => reader.bad("wanted tag"),
        }
    }
}

impl Entries {
    fn encode(&self, writer: &mut Writer) {
        writer.raw(&self.block.0).bytes(&self.entries);
    }

    fn decode(reader: &mut Reader) -> Result<Self, CodecError> {
        let block = BlockId(reader.array("block")?);
        let entries = reader.bytes("entries")?;
        if entries.len() > BLOCK_BYTES {
            reader.bad("length of entries")
        } else {
            Ok(Self { block, entries })
        }
    }
}

impl Run {
    fn encode(&self, writer: &mut Writer) {
        let count = |count: usize| u16::try_from(count).expect("invariant: at most 1024 are made or read");
        writer.u16(count(self.headers.len()));
        for header in &self.headers {
            writer.bytes(&header.encode());
        }
        writer.u16(count(self.bodies.len()));
        for body in &self.bodies {
            writer.bytes(body);
        }
        encode_optional(self.certificate.as_ref(), writer, Certificate::encode);
    }

    fn decode(reader: &mut Reader) -> Result<Self, CodecError> {
        let count = usize::from(reader.u16("header count")?);
        if !(1..=RUN_HEADERS).contains(&count) {
            return reader.bad("header count");
        }
        let mut headers = Vec::new();
        for _ in 0..count {
            headers.push(BlockHeader::decode(reader.bytes("header")?)?);
        }
        let count = usize::from(reader.u16("body count")?);
        if !(1..=RUN_BODIES.min(headers.len())).contains(&count) {
            return reader.bad("body count");
        }
        let bodies = (0..count).map(|_| reader.bytes("body")).collect::<Result<Vec<_>, CodecError>>()?;
        Ok(Self { headers, bodies, certificate: optional(reader, "finalization flag", Certificate::decode)? })
    }
}

impl Heartbeat {
    /// What is signed.
    pub(super) fn encode_fields(&self, writer: &mut Writer) {
        writer.u64(self.view).u64(self.final_view).u64(self.final_height).u64(self.wall_ms);
    }

    fn encode(&self, writer: &mut Writer) {
        encode_validator(self.signer, writer);
        self.encode_fields(writer);
        writer.raw(&self.signature.0);
    }

    fn decode(reader: &mut Reader) -> Result<Self, CodecError> {
        Ok(Self {
            signer: validator(reader)?,
            view: reader.u64("view")?,
            final_view: reader.u64("final view")?,
            final_height: reader.u64("final height")?,
            wall_ms: reader.u64("wall time")?,
            signature: signature(reader)?,
        })
    }
}

impl Incarnation {
    pub(crate) fn encode(&self, writer: &mut Writer) {
        writer.u64(self.counter).raw(&self.nonce);
    }

    pub(crate) fn decode(reader: &mut Reader) -> Result<Self, CodecError> {
        Ok(Self { counter: reader.u64("incarnation")?, nonce: reader.array("incarnation nonce")? })
    }
}

impl GuardRequest {
    /// What is signed.
    pub(super) fn encode_fields(&self, writer: &mut Writer) {
        encode_validator(self.signer, writer);
        encode_optional(self.previous.as_ref(), writer, Incarnation::encode);
        self.current.encode(writer);
        writer.u64(self.asked_ms);
    }

    fn encode(&self, writer: &mut Writer) {
        self.encode_fields(writer);
        writer.raw(&self.signature.0);
    }

    fn decode(reader: &mut Reader) -> Result<Self, CodecError> {
        Ok(Self {
            signer: validator(reader)?,
            previous: optional(reader, "incarnation flag", Incarnation::decode)?,
            current: Incarnation::decode(reader)?,
            asked_ms: reader.u64("time of asking")?,
            signature: signature(reader)?,
        })
    }
}

impl GuardAnswer {
    /// What is signed.
    pub(super) fn encode_fields(&self, writer: &mut Writer) {
        encode_validator(self.signer, writer);
        encode_validator(self.asker, writer);
        writer.raw(&self.question.0).u8(self.standing as u8).u64(self.mark);
    }

    fn encode(&self, writer: &mut Writer) {
        self.encode_fields(writer);
        encode_optional(self.proof.as_ref(), writer, Certificate::encode);
        encode_optional(self.seen_request.as_ref(), writer, GuardRequest::encode);
        encode_optional(self.seen_vote.as_ref(), writer, Vote::encode);
        writer.raw(&self.signature.0);
    }

    fn decode(reader: &mut Reader) -> Result<Self, CodecError> {
        Ok(Self {
            signer: validator(reader)?,
            asker: validator(reader)?,
            question: Hash(reader.array("question")?),
            standing: match reader.u8("standing")? {
                1 => AnswerStanding::Asking,
                2 => AnswerStanding::Guarded,
                3 => AnswerStanding::Voting,
                _ => return reader.bad("standing"),
            },
            mark: reader.u64("mark")?,
            proof: optional(reader, "proof flag", Certificate::decode)?,
            seen_request: optional(reader, "request flag", GuardRequest::decode)?,
            seen_vote: optional(reader, "vote flag", Vote::decode)?,
            signature: signature(reader)?,
        })
    }
}

fn encode_optional<T>(value: Option<&T>, writer: &mut Writer, encode: impl FnOnce(&T, &mut Writer)) {
    writer.u8(u8::from(value.is_some()));
    if let Some(value) = value {
        encode(value, writer);
    }
}

fn optional<T>(
    reader: &mut Reader,
    flag: &'static str,
    decode: impl FnOnce(&mut Reader) -> Result<T, CodecError>,
) -> Result<Option<T>, CodecError> {
    match reader.u8(flag)? {
        0 => Ok(None),
        1 => decode(reader).map(Some),
        _ => reader.bad(flag),
    }
}

fn encode_validator(id: ValidatorId, writer: &mut Writer) {
    writer.u16(id.cluster).u16(id.node);
}

fn validator(reader: &mut Reader) -> Result<ValidatorId, CodecError> {
    Ok(ValidatorId { cluster: reader.u16("cluster")?, node: reader.u16("node")? })
}

fn signature(reader: &mut Reader) -> Result<Signature, CodecError> {
    Ok(Signature(reader.array("signature")?))
}
