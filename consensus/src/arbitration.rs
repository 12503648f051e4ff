//! The second step: other clusters vote once the proposing cluster has certified the block, and all sections together
//! become a certificate.

use ledger_types::certificate::{Candidate, Certificate, CertificateVote, Certified};

use crate::cluster::Ballot;
use crate::committee::Committee;

/// Whether a node of `cluster` may vote NOTARIZE (SPEC 3.5 V2, last clause): it belongs to the proposing cluster, or
/// that cluster's certificate is here.
pub(crate) fn is_open(cluster: u16, candidate: Candidate, notarize: &Ballot, committee: &Committee) -> bool {
    let proposing = committee.leader(candidate.view).cluster;
    cluster == proposing
        || notarize.has_section(proposing, Certified::Notarization(candidate), committee.quorum())
}

/// The certificate of an outcome, if its votes are a quorum. Holds every vote that is here.
pub(crate) fn certify(certified: Certified, ballot: &Ballot, committee: &Committee) -> Option<Certificate> {
    let votes = || ballot.votes_for(certified);
    if !committee.quorum().is_met_by(votes().map(|vote| vote.signer)) {
        return None;
    }
    let parts = votes().map(|vote| {
        let from_view = vote.statement.from_view();
        (vote.signer, CertificateVote { from_view, signature: vote.signature })
    });
    Certificate::new(committee.epoch(), certified, parts)
}
