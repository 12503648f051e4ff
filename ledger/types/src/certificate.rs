//! Votes' statements and the certificates made of them: what is said, by whom, and its one encoding.
//!
//! Whether the signatures are good and whether the signers are enough is decided in the consensus crate; here a
//! certificate is only well-formed. Layouts: consensus/SPEC.md, "Encodings".

use std::collections::BTreeMap;

use bytes::Bytes;

use crate::codec::{CodecError, Reader, Writer};
use crate::ids::BlockId;
use crate::limits;
use crate::signature::Signature;
use crate::topology::ValidatorId;

/// The version byte that begins every certificate.
pub const CERTIFICATE_VERSION: u8 = 1;

/// What a vote does. The numbers are signed and stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum VoteKind {
    /// "This is the one block I accept in this view."
    Notarize = 1,
    /// "This notarized block is durable and executed here; I will never nullify its view."
    Finalize = 2,
    /// "I finalise nothing in these views, now or later."
    Nullify = 3,
}

/// A block as proposed in a view.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Candidate {
    /// The view.
    pub view: u64,
    /// The block's height.
    pub height: u64,
    /// The block.
    pub block: BlockId,
}

/// What a validator signs when it votes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Statement {
    /// Accepts a block in a view.
    Notarize(Candidate),
    /// Makes a notarized block final.
    Finalize(Candidate),
    /// Gives up the views from `from_view` to `view`, both included; `from_view <= view`.
    Nullify {
        /// The first view given up.
        from_view: u64,
        /// The view that the vote wants to leave.
        view: u64,
    },
}

impl Statement {
    /// What the vote does.
    pub fn kind(&self) -> VoteKind {
        self.certified().kind()
    }

    /// The view voted in.
    pub fn view(&self) -> u64 {
        self.certified().view()
    }

    /// The first view that the vote speaks of: its own view unless it is a NULLIFY.
    pub fn from_view(&self) -> u64 {
        match self {
            Self::Notarize(candidate) | Self::Finalize(candidate) => candidate.view,
            Self::Nullify { from_view, .. } => *from_view,
        }
    }

    /// What a quorum of such statements certifies.
    pub fn certified(&self) -> Certified {
        match *self {
            Self::Notarize(candidate) => Certified::Notarization(candidate),
            Self::Finalize(candidate) => Certified::Finalization(candidate),
            Self::Nullify { view, .. } => Certified::Nullification { view },
        }
    }

    /// Appends the fields of every vote, 88 bytes: view, height, block, `from_view`; height and block are zero in
    /// a NULLIFY. The kind byte is written by the caller, before whatever binds the statement to its network.
    pub fn encode_fields(&self, writer: &mut Writer) {
        self.certified().encode_fields(writer);
        writer.u64(self.from_view());
    }

    /// Appends the kind byte and the fields.
    pub fn encode(&self, writer: &mut Writer) {
        writer.u8(self.kind() as u8);
        self.encode_fields(writer);
    }

    /// Reads what [`Statement::encode`] writes.
    ///
    /// # Errors
    /// When the bytes are not the one encoding of a statement.
    pub fn decode(reader: &mut Reader) -> Result<Self, CodecError> {
        let certified = Certified::decode(reader)?;
        let from_view = reader.u64("from view")?;
        match certified.statement(from_view) {
            Some(statement) => Ok(statement),
            None => reader.bad("from view"),
        }
    }
}

/// What a certificate proves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Certified {
    /// A quorum accepted the block in the view: no other block can be notarized there.
    Notarization(Candidate),
    /// The block and its ancestors are final.
    Finalization(Candidate),
    /// The view can be left: no block of it is or becomes final.
    Nullification {
        /// The view.
        view: u64,
    },
}

impl Certified {
    /// The kind of the votes behind it.
    pub fn kind(&self) -> VoteKind {
        match self {
            Self::Notarization(_) => VoteKind::Notarize,
            Self::Finalization(_) => VoteKind::Finalize,
            Self::Nullification { .. } => VoteKind::Nullify,
        }
    }

    /// The view.
    pub fn view(&self) -> u64 {
        match self {
            Self::Notarization(candidate) | Self::Finalization(candidate) => candidate.view,
            Self::Nullification { view } => *view,
        }
    }

    /// The block, if it is about one.
    pub fn candidate(&self) -> Option<Candidate> {
        match self {
            Self::Notarization(candidate) | Self::Finalization(candidate) => Some(*candidate),
            Self::Nullification { .. } => None,
        }
    }

    /// The statement that a signer with this `from_view` signed; `None` if no honest signer could have: above the
    /// view, or different from it in a vote about a block.
    pub fn statement(&self, from_view: u64) -> Option<Statement> {
        match *self {
            Self::Notarization(candidate) => {
                (from_view == candidate.view).then_some(Statement::Notarize(candidate))
            }
            Self::Finalization(candidate) => {
                (from_view == candidate.view).then_some(Statement::Finalize(candidate))
            }
            Self::Nullification { view } => {
                (from_view <= view).then_some(Statement::Nullify { from_view, view })
            }
        }
    }

    fn encode_fields(&self, writer: &mut Writer) {
        let (height, block) = self.candidate().map_or((0, BlockId::ZERO), |it| (it.height, it.block));
        writer.u64(self.view()).u64(height).raw(&block.0);
    }

    fn decode(reader: &mut Reader) -> Result<Self, CodecError> {
        let kind = reader.u8("vote kind")?;
        let (view, height) = (reader.u64("view")?, reader.u64("height")?);
        let block = BlockId(reader.array("block")?);
        let candidate = Candidate { view, height, block };
        match kind {
            1 => Ok(Self::Notarization(candidate)),
            2 => Ok(Self::Finalization(candidate)),
            3 if height == 0 && block == BlockId::ZERO => Ok(Self::Nullification { view }),
            3 => reader.bad("block in a NULLIFY"),
            _ => reader.bad("vote kind"),
        }
    }
}

/// One signer's part of a certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CertificateVote {
    /// The first view that the signer gave up; the certificate's view unless it is a nullification.
    pub from_view: u64,
    /// The signature over the signer's statement.
    pub signature: Signature,
}

/// The signers of one cluster in a certificate: the *cluster certificate* if it is the proposing cluster's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Section {
    /// The cluster's index.
    pub cluster: u16,
    /// The signers' indices in the cluster, ascending, with their votes. Never empty.
    pub votes: Vec<(u16, CertificateVote)>,
}

/// Statements of one kind about one view by many signers. Well-formed, not yet known to be true.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Certificate {
    epoch: u64,
    certified: Certified,
    votes: BTreeMap<ValidatorId, CertificateVote>,
}

impl Certificate {
    /// A certificate of these votes. `None` if a signer's place exceeds the limits of a topology or its
    /// `from_view` fits no statement.
    pub fn new(
        epoch: u64,
        certified: Certified,
        votes: impl IntoIterator<Item = (ValidatorId, CertificateVote)>,
    ) -> Option<Self> {
        let votes: BTreeMap<_, _> = votes.into_iter().collect();
        let is_sound = |(signer, vote): (&ValidatorId, &CertificateVote)| {
            usize::from(signer.cluster) < limits::CLUSTERS
                && usize::from(signer.node) < limits::VALIDATORS_PER_CLUSTER
                && certified.statement(vote.from_view).is_some()
        };
        votes.iter().all(is_sound).then_some(Self { epoch, certified, votes })
    }

    /// The epoch whose committee signed.
    pub fn epoch(&self) -> u64 {
        self.epoch
    }

    /// What it proves.
    pub fn certified(&self) -> Certified {
        self.certified
    }

    /// The view.
    pub fn view(&self) -> u64 {
        self.certified.view()
    }

    /// The first view that it covers: for a nullification the highest `from_view` of a signer, since only from
    /// there on every signer gave up; otherwise its own view.
    pub fn from_view(&self) -> u64 {
        self.votes.values().map(|vote| vote.from_view).max().unwrap_or(self.view())
    }

    /// Whether it is a nullification that covers a view.
    pub fn nullifies(&self, view: u64) -> bool {
        matches!(self.certified, Certified::Nullification { .. })
            && (self.from_view()..=self.view()).contains(&view)
    }

    /// The signers with what each signed, in order.
    pub fn votes(&self) -> impl Iterator<Item = (ValidatorId, CertificateVote)> + '_ {
        self.votes.iter().map(|(signer, vote)| (*signer, *vote))
    }

    /// The signers, in order.
    pub fn signers(&self) -> impl Iterator<Item = ValidatorId> + '_ {
        self.votes.keys().copied()
    }

    /// The signers by cluster, in order.
    pub fn sections(&self) -> Vec<Section> {
        let mut sections: Vec<Section> = Vec::new();
        for (signer, vote) in self.votes() {
            match sections.last_mut() {
                Some(section) if section.cluster == signer.cluster => section.votes.push((signer.node, vote)),
                _ => sections.push(Section { cluster: signer.cluster, votes: vec![(signer.node, vote)] }),
            }
        }
        sections
    }

    /// Appends the canonical bytes.
    pub fn encode(&self, writer: &mut Writer) {
        writer.u8(CERTIFICATE_VERSION).u64(self.epoch).u8(self.certified.kind() as u8);
        self.certified.encode_fields(writer);
        let sections = self.sections();
        writer.u16(u16::try_from(sections.len()).expect("invariant: at most 64 clusters"));
        for section in &sections {
            let bitmap = section.votes.iter().fold(0u64, |bits, (node, _)| bits | 1 << node);
            writer.u16(section.cluster).u64(bitmap);
            for (_, vote) in &section.votes {
                if self.certified.kind() == VoteKind::Nullify {
                    writer.u64(vote.from_view);
                }
                writer.raw(&vote.signature.0);
            }
        }
    }

    /// The canonical bytes.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut writer = Writer::new();
        self.encode(&mut writer);
        writer.finish()
    }

    /// Reads what [`Certificate::encode`] writes.
    ///
    /// # Errors
    /// When the bytes are not the one encoding of a certificate.
    pub fn decode(reader: &mut Reader) -> Result<Self, CodecError> {
        if reader.u8("certificate version")? != CERTIFICATE_VERSION {
            return reader.bad("certificate version");
        }
        let epoch = reader.u64("epoch")?;
        let certified = Certified::decode(reader)?;
        let mut votes = BTreeMap::new();
        let mut previous = None;
        for _ in 0..reader.u16("section count")? {
            let cluster = reader.u16("section cluster")?;
            if previous.replace(cluster).is_some_and(|previous| cluster <= previous) {
                return reader.bad("section order");
            }
            decode_section(reader, certified, cluster, &mut votes)?;
        }
        Ok(Self { epoch, certified, votes })
    }

    /// Reads bytes that are one certificate and nothing else.
    ///
    /// # Errors
    /// When the bytes are not the one encoding of a certificate.
    pub fn from_bytes(bytes: Bytes) -> Result<Self, CodecError> {
        let mut reader = Reader::new(bytes);
        let certificate = Self::decode(&mut reader)?;
        reader.finish()?;
        Ok(certificate)
    }
}

fn decode_section(
    reader: &mut Reader,
    certified: Certified,
    cluster: u16,
    votes: &mut BTreeMap<ValidatorId, CertificateVote>,
) -> Result<(), CodecError> {
    if usize::from(cluster) >= limits::CLUSTERS {
        return reader.bad("section cluster");
    }
    let bitmap = reader.u64("section bitmap")?;
    if bitmap == 0 {
        return reader.bad("section bitmap");
    }
    for node in (0..64u16).filter(|node| bitmap >> node & 1 == 1) {
        let from_view = match certified {
            Certified::Nullification { .. } => reader.u64("from view")?,
            Certified::Notarization(_) | Certified::Finalization(_) => certified.view(),
        };
        if certified.statement(from_view).is_none() {
            return reader.bad("from view");
        }
        let signature = Signature(reader.array("signature")?);
        votes.insert(ValidatorId { cluster, node }, CertificateVote { from_view, signature });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn candidates() -> impl Strategy<Value = Candidate> {
        (any::<u64>(), any::<u64>(), any::<u8>()).prop_map(|(view, height, byte)| Candidate {
            view,
            height,
            block: BlockId([byte; 64]),
        })
    }

    fn certificates() -> impl Strategy<Value = Certificate> {
        let certified = prop_oneof![
            candidates().prop_map(Certified::Notarization),
            candidates().prop_map(Certified::Finalization),
            any::<u64>().prop_map(|view| Certified::Nullification { view }),
        ];
        let votes = prop::collection::btree_map((0..64u16, 0..64u16), (any::<u64>(), any::<u8>()), 0..20);
        (any::<u64>(), certified, votes).prop_map(|(epoch, certified, votes)| {
            let votes = votes.into_iter().map(|((cluster, node), (from, byte))| {
                let from_view = match certified {
                    Certified::Nullification { view } => from.min(view),
                    _ => certified.view(),
                };
                let vote = CertificateVote { from_view, signature: Signature([byte; 64]) };
                (ValidatorId { cluster, node }, vote)
            });
            Certificate::new(epoch, certified, votes).unwrap()
        })
    }

    proptest! {
        #[test]
        fn a_certificate_has_exactly_one_encoding(certificate in certificates(), at in any::<prop::sample::Index>(), bit in 0..8u8) {
            let bytes = certificate.to_bytes();
            prop_assert_eq!(&Certificate::from_bytes(bytes.clone().into()).unwrap(), &certificate);
            let mut changed = bytes.clone();
            changed[at.index(bytes.len())] ^= 1 << bit;
            if let Ok(other) = Certificate::from_bytes(changed.clone().into()) {
                prop_assert_ne!(&other, &certificate);
                prop_assert_eq!(other.to_bytes(), changed);
            }
            prop_assert!(Certificate::from_bytes(bytes[..at.index(bytes.len())].to_vec().into()).is_err());
        }

        #[test]
        fn random_bytes_are_never_a_second_encoding(mut bytes in prop::collection::vec(any::<u8>(), 0..400), kind in 0..5u8) {
            if bytes.len() > 9 {
                (bytes[0], bytes[9]) = (CERTIFICATE_VERSION, kind);
            }
            if let Ok(certificate) = Certificate::from_bytes(bytes.clone().into()) {
                prop_assert_eq!(certificate.to_bytes(), bytes);
            }
        }

        #[test]
        fn a_statement_reads_back(candidate in candidates(), from in any::<u64>(), kind in 0..3) {
            let statement = match kind {
                0 => Statement::Notarize(candidate),
                1 => Statement::Finalize(candidate),
                _ => Statement::Nullify { from_view: from.min(candidate.view), view: candidate.view },
            };
            let mut writer = Writer::new();
            statement.encode(&mut writer);
            let bytes = writer.finish();
            prop_assert_eq!(bytes.len(), 89);
            prop_assert_eq!(Statement::decode(&mut Reader::new(bytes.into())).unwrap(), statement);
        }
    }

    #[test]
    fn a_nullification_covers_only_what_every_signer_gave_up() {
        let vote = |from_view| CertificateVote { from_view, signature: Signature::ZERO };
        let signer = |node| ValidatorId { cluster: 0, node };
        let votes = [(signer(0), vote(3)), (signer(1), vote(5))];
        let certificate = Certificate::new(0, Certified::Nullification { view: 7 }, votes).unwrap();
        let covered: Vec<u64> = (0..10).filter(|view| certificate.nullifies(*view)).collect();
        assert_eq!(covered, [5, 6, 7]);
        assert!(Certificate::new(0, Certified::Nullification { view: 7 }, [(signer(0), vote(8))]).is_none());
    }

    #[test]
    fn a_nullify_statement_names_no_block() {
        let mut writer = Writer::new();
        Statement::Nullify { from_view: 1, view: 2 }.encode(&mut writer);
        let mut bytes = writer.finish();
        bytes[20] = 1;
        assert!(Statement::decode(&mut Reader::new(bytes.into())).is_err());
    }
}
