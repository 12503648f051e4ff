//! From a message to one that is known to be from whom it says.

use ledger_types::certificate::{Certificate, Certified};
use ledger_types::hash::sha512_256;
use ledger_types::{BlockHeader, Signature, ValidatorId};
use thiserror::Error;

use super::{Message, Propose, Wanted};
use crate::certificates::{self, CertificateError};
use crate::committee::Committee;
use crate::crypto::Verifier;

/// The kind byte of a PROPOSE in signed bytes; votes have 1, 2 and 3 (SPEC 3.4).
const PROPOSE_KIND: u8 = 4;
/// The kind byte of a request in signed bytes.
const REQUEST_KIND: u8 = 5;

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
            Self::Propose(propose) => {
                check_header(&propose.header, committee)?;
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
    let mut writer = committee.signed_bytes(PROPOSE_KIND);
    writer.u64(header.view).raw(&header.id().0).raw(&sha512_256(&[refs]).0);
    writer.finish()
}

/// What an asker signs.
pub(crate) fn request_bytes(committee: &Committee, wanted: &Wanted) -> Vec<u8> {
    let mut writer = committee.signed_bytes(REQUEST_KIND);
    wanted.encode(&mut writer);
    writer.finish()
}

fn check_header(header: &BlockHeader, committee: &Committee) -> Result<(), VerifyError> {
    let is_ours = header.network_id == committee.network_id()
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
