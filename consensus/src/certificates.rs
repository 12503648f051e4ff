//! Whether a certificate is true, and which of them bridge the views between a parent and its child.

use ledger_types::certificate::Certificate;
use ledger_types::{NetworkId, ValidatorId};
use thiserror::Error;

use crate::committee::Committee;
use crate::crypto::Verifier;

/// Nullifications in one PROPOSE at most; one is normal (SPEC 3.5 V2).
pub const NULLIFICATIONS_PER_PROPOSAL: usize = 8;

/// Why a certificate proves nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum CertificateError {
    /// It is of another epoch.
    #[error("certificate of epoch {found}, expected {expected}")]
    Epoch {
        /// The certificate's.
        found: u64,
        /// The committee's.
        expected: u64,
    },
    /// A signer is not in the committee.
    #[error("{0} is not in the committee")]
    UnknownSigner(ValidatorId),
    /// The signers are too few, in all or in too many clusters.
    #[error("the signers are not a quorum")]
    NoQuorum,
    /// A signature does not verify.
    #[error("the signature of {0} does not verify")]
    BadSignature(ValidatorId),
}

/// Checks epoch, signers, quorum and every signature, the cheap ones first.
///
/// # Errors
/// The first thing that is wrong.
pub fn check(
    certificate: &Certificate,
    committee: &Committee,
    verifier: &dyn Verifier,
) -> Result<(), CertificateError> {
    check_under(committee.network_id(), certificate, committee, verifier)
}

/// The same for the finalization of a block that may be older than a rollback: it counts under the id that its block's
/// height was decided under.
///
/// # Errors
/// The first thing that is wrong.
pub fn check_history(
    certificate: &Certificate,
    committee: &Committee,
    verifier: &dyn Verifier,
) -> Result<(), CertificateError> {
    let height = certificate.certified().candidate().map(|candidate| candidate.height);
    let network_id =
        height.map_or_else(|| committee.network_id(), |height| committee.lineage().of_height(height));
    check_under(network_id, certificate, committee, verifier)
}

fn check_under(
    network_id: NetworkId,
    certificate: &Certificate,
    committee: &Committee,
    verifier: &dyn Verifier,
) -> Result<(), CertificateError> {
    let (found, expected) = (certificate.epoch(), committee.epoch());
    if found != expected {
        return Err(CertificateError::Epoch { found, expected });
    }
    for signer in certificate.signers() {
        committee.vote_key(signer).ok_or(CertificateError::UnknownSigner(signer))?;
    }
    if !committee.quorum().is_met_by(certificate.signers()) {
        return Err(CertificateError::NoQuorum);
    }
    for (signer, vote) in certificate.votes() {
        let statement = certificate.certified().statement(vote.from_view);
        let is_signed = statement.zip(committee.vote_key(signer)).is_some_and(|(statement, key)| {
            verifier.verify(key, &committee.statement_bytes_of(network_id, &statement), &vote.signature)
        });
        if !is_signed {
            return Err(CertificateError::BadSignature(signer));
        }
    }
    Ok(())
}

/// The fewest of these nullifications that cover every view strictly between `parent` and `child`, newest first.
///
/// # Errors
/// The highest view that none covers.
pub(crate) fn cover<'a>(
    nullifications: &(impl Iterator<Item = &'a Certificate> + Clone),
    parent: u64,
    child: u64,
) -> Result<Vec<&'a Certificate>, u64> {
    let mut chosen = Vec::new();
    let mut next = child.saturating_sub(1);
    while next > parent {
        let widest = nullifications
            .clone()
            .filter(|certificate| certificate.view() < child && certificate.nullifies(next))
            .min_by_key(|certificate| certificate.from_view());
        let Some(certificate) = widest else { return Err(next) };
        chosen.push(certificate);
        next = certificate.from_view().saturating_sub(1);
    }
    Ok(chosen)
}
