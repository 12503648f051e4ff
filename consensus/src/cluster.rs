//! The votes of one kind in one view, and whether a cluster's part of them is a cluster certificate.

use std::collections::BTreeMap;

use ledger_types::ValidatorId;
use ledger_types::certificate::Certified;

use crate::ignored::Ignored;
use crate::message::Vote;
use crate::quorum::Quorum;

/// One vote per signer: at most as many as the committee has members.
#[derive(Debug, Default)]
pub(crate) struct Ballot(BTreeMap<ValidatorId, Vote>);

impl Ballot {
    /// Takes a vote; the first of a signer counts.
    pub(crate) fn add(&mut self, vote: Vote) -> Result<(), Ignored> {
        match self.0.get(&vote.signer) {
            None => {
                self.0.insert(vote.signer, vote);
                Ok(())
            }
            Some(first) if first.statement == vote.statement => Err(Ignored::Duplicate),
            Some(_) => Err(Ignored::Conflicting),
        }
    }

    /// The vote of a signer.
    pub(crate) fn get(&self, signer: ValidatorId) -> Option<Vote> {
        self.0.get(&signer).copied()
    }

    /// The votes for one outcome, in the order of their signers.
    pub(crate) fn votes_for(&self, certified: Certified) -> impl Iterator<Item = &Vote> + '_ {
        self.0.values().filter(move |vote| vote.statement.certified() == certified)
    }

    /// Whether a cluster's votes for an outcome are its cluster certificate (SPEC 3.3).
    pub(crate) fn has_section(&self, cluster: u16, certified: Certified, quorum: &Quorum) -> bool {
        let count = self.votes_for(certified).filter(|vote| vote.signer.cluster == cluster).count();
        quorum.node_quorum(cluster).is_some_and(|least| count >= least)
    }
}
