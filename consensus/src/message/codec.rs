//! The one encoding of each message: a version byte, a tag byte, the fields.

use bytes::Bytes;
use ledger_types::certificate::{Certificate, Statement};
use ledger_types::codec::{CodecError, Reader, Writer};
use ledger_types::limits::BLOCK_BYTES;
use ledger_types::{BlockHeader, BlockId, Signature, ValidatorId};

use super::{Message, Propose, Request, Vote, Wanted};
use crate::certificates::NULLIFICATIONS_PER_PROPOSAL;

/// The version byte that begins every message.
const MESSAGE_VERSION: u8 = 1;
/// Bytes of the longest message: a PROPOSE with nine certificates of 4096 signers.
pub const MESSAGE_BYTES: usize = BLOCK_BYTES + 9 * 64 * (64 * 72 + 10) + 4096;

const PROPOSE: u8 = 1;
const VOTE: u8 = 2;
const CERTIFICATE: u8 = 3;
const REQUEST: u8 = 4;

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
            _ => return reader.bad("message tag"),
        };
        reader.finish()?;
        Ok(message)
    }
}

impl Propose {
    pub(crate) fn encode(&self, writer: &mut Writer) {
        writer.bytes(&self.header.encode()).bytes(&self.refs);
        writer.u8(u8::from(self.parent.is_some()));
        if let Some(certificate) = &self.parent {
            certificate.encode(writer);
        }
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
        let parent = match reader.u8("parent certificate flag")? {
            0 => None,
            1 => Some(Certificate::decode(reader)?),
            _ => return reader.bad("parent certificate flag"),
        };
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
        };
    }

    fn decode(reader: &mut Reader) -> Result<Self, CodecError> {
        match reader.u8("wanted tag")? {
            1 => Ok(Self::Proposal { block: BlockId(reader.array("block")?) }),
            2 => {
                let (from_view, to_view) = (reader.u64("from view")?, reader.u64("to view")?);
                if from_view > to_view { reader.bad("range") } else { Ok(Self::Range { from_view, to_view }) }
            }
            _ => reader.bad("wanted tag"),
        }
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
