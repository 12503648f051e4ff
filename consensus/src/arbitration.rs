//! The second step: other clusters vote once the proposing cluster has certified the block, and all sections together
//! become a certificate.

use ledger_types::certificate::{Candidate, Certificate, CertificateVote, Certified};

use crate::cluster::Ballot;
use crate::committee::Committee;
use crate::message::Vote;

/// Whether a node of `cluster` may vote NOTARIZE (SPEC 3.5 V2, last clause): it belongs to the proposing cluster, or
/// that cluster's certificate is here.
pub(crate) fn is_open(cluster: u16, candidate: Candidate, notarize: &Ballot, committee: &Committee) -> bool {
    let proposing = committee.leader(candidate.view).cluster;
    cluster == proposing
        || notarize.has_section(proposing, Certified::Notarization(candidate), committee.quorum())
}

/// The certificate of an outcome, if its votes are a quorum. Holds every vote that is here; of NULLIFYs only as many as
/// make a quorum, those that reach back furthest first, so that one that reaches less far shortens nothing.
pub(crate) fn certify(certified: Certified, ballot: &Ballot, committee: &Committee) -> Option<Certificate> {
    let mut votes: Vec<&Vote> = ballot.votes_for(certified).collect();
    votes.sort_by_key(|vote| vote.statement.from_view());
    let is_quorum = |votes: &[&Vote]| committee.quorum().is_met_by(votes.iter().map(|vote| vote.signer));
    if !is_quorum(&votes) {
        return None;
    }
    if matches!(certified, Certified::Nullification { .. }) {
        let enough = (1..votes.len()).find(|count| is_quorum(&votes[..*count]));
        votes.truncate(enough.unwrap_or(votes.len()));
    }
    let parts = votes.into_iter().map(|vote| {
        let from_view = vote.statement.from_view();
        (vote.signer, CertificateVote { from_view, signature: vote.signature })
    });
    Certificate::new(committee.epoch(), certified, parts)
}
