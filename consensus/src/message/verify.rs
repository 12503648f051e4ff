//! From a message to one that is known to be from whom it says.

use ledger_types::certificate::{Candidate, Certificate, Certified};
use ledger_types::hash::sha512_256;
use ledger_types::{BlockHeader, BlockId, Hash, Rollback, Signature, ValidatorId};
use thiserror::Error;

use super::{GuardAnswer, GuardRequest, Heartbeat, Message, Propose, Run, Wanted};
use crate::certificates::{self, CertificateError};
use crate::committee::Committee;
use crate::crypto::Verifier;

/// The kind byte of a PROPOSE in signed bytes; votes have 1, 2 and 3 (SPEC 3.4).
const PROPOSE_KIND: u8 = 4;
/// The kind byte of a request in signed bytes.
const REQUEST_KIND: u8 = 5;
/// The kind byte of a heartbeat in signed bytes.
const HEARTBEAT_KIND: u8 = 6;
/// The kind byte of a guard request in signed bytes.
const GUARD_REQUEST_KIND: u8 = 7;
/// The kind byte of a guard answer in signed bytes.
const GUARD_ANSWER_KIND: u8 = 8;

/// Why a message is dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum VerifyError {
    /// The signer is not in the committee.
    #[error("{0} is not in the committee")]
    UnknownSigner(ValidatorId),
    /// The signature does not verify.
    #[error("the signature of {0} does not verify")]
    BadSignature(ValidatorId),
    /// The header names another network, epoch or committee.
    #[error("the header is of another network, epoch or committee")]
    ForeignHeader,
    /// The proposer does not lead the view.
    #[error("{proposer} does not lead view {view}")]
    NotLeader {
        /// The header's proposer.
        proposer: ValidatorId,
        /// The header's view.
        view: u64,
    },
    /// The certificate beside a header is not about its parent, or one that should nullify a view does not.
    #[error("a certificate in the PROPOSE is not what it should be")]
    MisplacedCertificate,
    /// The headers of a run do not follow each other, or its certificate does not finalize the last.
    #[error("the blocks of a run are not a chain up to a final one")]
    BrokenRun,
    /// What an answer claims to have seen of the asker is somebody else's.
    #[error("an answer shows what the asker never signed")]
    MisplacedAnswer,
    /// A certificate proves nothing.
    #[error(transparent)]
    Certificate(#[from] CertificateError),
}

/// A message whose signatures were checked against the committee; or this node's own, durable, looped back.
#[derive(Clone, Debug)]
pub struct VerifiedMessage(Message);

impl VerifiedMessage {
    /// Wraps a message that this node signed itself.
    pub(crate) fn own(message: Message) -> Self {
        Self(message)
    }

    /// The message.
    pub fn message(&self) -> &Message {
        &self.0
    }

    pub(crate) fn into_message(self) -> Message {
        self.0
    }
}

impl Message {
    /// Checks every signature. May run on any thread: it costs one verification per signature, certificates
    /// included.
    ///
    /// # Errors
    /// The first thing that is wrong; the message must be dropped.
    pub fn verify(
        self,
        committee: &Committee,
        verifier: &dyn Verifier,
    ) -> Result<VerifiedMessage, VerifyError> {
        let signed = |signer: ValidatorId, bytes: &[u8], signature: &Signature| {
            let key = committee.vote_key(signer).ok_or(VerifyError::UnknownSigner(signer))?;
            let is_good = verifier.verify(key, bytes, signature);
            is_good.then_some(()).ok_or(VerifyError::BadSignature(signer))
        };
        match &self {
            Self::Vote(vote) => {
                signed(vote.signer, &committee.statement_bytes(&vote.statement), &vote.signature)?;
            }
            Self::Request(request) => {
                signed(request.signer, &request_bytes(committee, &request.wanted), &request.signature)?;
            }
            Self::Certificate(certificate) => certificates::check(certificate, committee, verifier)?,
            // Proves nothing and needs no proof: it is checked against a header.
            Self::Entries(_) => {}
            Self::Run(run) => {
                check_run(run, committee)?;
                if let Some(certificate) = &run.certificate {
                    certificates::check_history(certificate, committee, verifier)?;
                }
            }
            Self::Heartbeat(heartbeat) => {
                signed(heartbeat.signer, &heartbeat_bytes(committee, heartbeat), &heartbeat.signature)?;
            }
            Self::GuardRequest(request) => {
                signed(request.signer, &question_bytes(committee, request), &request.signature)?;
            }
            Self::GuardAnswer(answer) => {
                signed(answer.signer, &answer_bytes(committee, answer), &answer.signature)?;
                if let Some(request) = &answer.seen_request {
                    signed(answer.asker, &question_bytes(committee, request), &request.signature)?;
                }
                if let Some(vote) = &answer.seen_vote {
                    signed(answer.asker, &committee.statement_bytes(&vote.statement), &vote.signature)?;
                }
                check_seen(answer)?;
                if let Some(proof) = &answer.proof {
                    certificates::check(proof, committee, verifier)?;
                }
            }
            Self::Propose(propose) => {
                check_header(&propose.header, committee)?;
                if propose.header.network_id != committee.network_id() {
                    return Err(VerifyError::ForeignHeader);
                }
                check_places(propose)?;
                let bytes = propose_bytes(committee, &propose.header, &propose.refs);
                signed(propose.header.proposer, &bytes, &propose.signature)?;
                for certificate in propose.parent.iter().chain(&propose.nullifications) {
                    certificates::check(certificate, committee, verifier)?;
                }
            }
        }
        Ok(VerifiedMessage(self))
    }
}

/// What a leader signs: `refs` too, so that nobody between can make its block unassemblable.
pub(crate) fn propose_bytes(committee: &Committee, header: &BlockHeader, refs: &[u8]) -> Vec<u8> {
    signed_proposal_bytes(committee, header.view, header.id(), sha512_256(&[refs]))
}

/// The same, from the hashes alone.
pub(crate) fn signed_proposal_bytes(committee: &Committee, view: u64, block: BlockId, refs: Hash) -> Vec<u8> {
    let mut writer = committee.signed_bytes(PROPOSE_KIND);
    writer.u64(view).raw(&block.0).raw(&refs.0);
    writer.finish()
}

/// What an asker signs.
pub(crate) fn request_bytes(committee: &Committee, wanted: &Wanted) -> Vec<u8> {
    let mut writer = committee.signed_bytes(REQUEST_KIND);
    wanted.encode(&mut writer);
    writer.finish()
}

/// What is signed in a heartbeat.
pub(crate) fn heartbeat_bytes(committee: &Committee, heartbeat: &Heartbeat) -> Vec<u8> {
    let mut writer = committee.signed_bytes(HEARTBEAT_KIND);
    heartbeat.encode_fields(&mut writer);
    writer.finish()
}

/// What a starting node signs when it asks; its hash names the question.
pub(crate) fn question_bytes(committee: &Committee, request: &GuardRequest) -> Vec<u8> {
    let mut writer = committee.signed_bytes(GUARD_REQUEST_KIND);
    request.encode_fields(&mut writer);
    writer.finish()
}

/// What is signed in the answer to it.
pub(crate) fn answer_bytes(committee: &Committee, answer: &GuardAnswer) -> Vec<u8> {
    let mut writer = committee.signed_bytes(GUARD_ANSWER_KIND);
    answer.encode_fields(&mut writer);
    writer.finish()
}

fn check_seen(answer: &GuardAnswer) -> Result<(), VerifyError> {
    let signers =
        answer.seen_request.map(|it| it.signer).into_iter().chain(answer.seen_vote.map(|it| it.signer));
    let are_askers = signers.into_iter().all(|signer| signer == answer.asker);
    are_askers.then_some(()).ok_or(VerifyError::MisplacedAnswer)
}

/// Every header is ours and names its predecessor; the certificate, or agreement, makes the last one final.
fn check_run(run: &Run, committee: &Committee) -> Result<(), VerifyError> {
    let mut parent: Option<(&BlockHeader, BlockId)> = None;
    for header in &run.headers {
        check_header(header, committee)?;
        let follows = |(before, id): (&BlockHeader, BlockId)| {
            header.parent == id
                && before.height.checked_add(1) == Some(header.height)
                && before.view < header.view
        };
        if parent.is_some_and(|parent| !follows(parent)) {
            return Err(VerifyError::BrokenRun);
        }
        let id = header.id();
        if committee.lineage().agreed(header.height).is_some_and(|agreed| agreed != id) {
            return Err(VerifyError::BrokenRun);
        }
        parent = Some((header, id));
    }
    let last = parent.map(|(header, id)| Candidate { view: header.view, height: header.height, block: id });
    let is_final = last.is_some_and(|last| match &run.certificate {
        Some(certificate) => certificate.certified() == Certified::Finalization(last),
        None => committee.origin() == Some(Rollback { height: last.height, block: last.block }),
    });
    is_final.then_some(()).ok_or(VerifyError::BrokenRun)
}

/// A header of any time: a block carries the id that its height was decided under.
fn check_header(header: &BlockHeader, committee: &Committee) -> Result<(), VerifyError> {
    let is_ours = header.network_id == committee.lineage().of_height(header.height)
        && header.epoch == committee.epoch()
        && header.cfg_hash == committee.cfg_hash();
    if !is_ours {
        return Err(VerifyError::ForeignHeader);
    }
    let (proposer, view) = (header.proposer, header.view);
    if view == 0 || committee.leader(view) != proposer {
        return Err(VerifyError::NotLeader { proposer, view });
    }
    Ok(())
}

/// Every redundant field must agree: the certificates are about the parent and about views before this one.
fn check_places(propose: &Propose) -> Result<(), VerifyError> {
    let header = &propose.header;
    let is_about_parent = |certificate: &Certificate| {
        let candidate = certificate.certified().candidate();
        candidate.is_some_and(|it| {
            it.block == header.parent
                && it.height.checked_add(1) == Some(header.height)
                && it.view < header.view
        })
    };
    let nullifies_before = |certificate: &Certificate| matches!(certificate.certified(), Certified::Nullification { view } if view < header.view);
    let is_right =
        propose.parent.iter().all(is_about_parent) && propose.nullifications.iter().all(nullifies_before);
    is_right.then_some(()).ok_or(VerifyError::MisplacedCertificate)
}
