//! Open proposals and the votes on them: the value of the setting `sawtooth.settings.vote.proposals`, base64 of a
//! `SettingCandidates` message.
//!
//! Its size is bounded so that a vote always fits: otherwise one authorized key could fill it up and no proposal could
//! ever be decided again.

use data_encoding::BASE64;
use ledger_types::family::{ApplyError, Context};
use ledger_types::proto::families::setting_candidate::VoteRecord;
use ledger_types::proto::families::setting_vote::Vote;
use ledger_types::proto::families::{SettingCandidate, SettingCandidates, SettingProposal};
use ledger_types::setting;
use prost::Message as _;

use super::electorate::Electorate;
use super::entries;

/// The most proposals open at a time.
pub const OPEN_PROPOSALS: usize = 32;
/// The most bytes of open proposals after one is added, votes included. With 100 votes on each of 32 proposals the
/// stored value stays below two thirds of the limit of a state value.
pub const OPEN_PROPOSALS_BYTES: usize = 256 * 1024;

/// What a vote leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// Enough keys accept.
    Accepted,
    /// Enough keys reject, or all have voted.
    Closed,
    /// More votes are needed.
    Open,
}

/// Reads the open proposals from the setting's value.
///
/// # Errors
/// When it is not what the family writes.
pub fn decode_candidates(value: &str) -> Result<SettingCandidates, ApplyError> {
    let unreadable = || ApplyError::invalid(format!("Cannot decode {}", setting::PROPOSALS));
    let bytes = BASE64.decode(value.as_bytes()).map_err(|_| unreadable())?;
    SettingCandidates::decode(bytes.as_slice()).map_err(|_| unreadable())
}

/// The open proposals.
pub(super) struct Ballot(SettingCandidates);

impl Ballot {
    /// Reads them from state.
    pub(super) fn read(context: &mut dyn Context) -> Result<Self, ApplyError> {
        let value = entries::read(context, setting::PROPOSALS)?;
        value.map_or_else(|| Ok(SettingCandidates::default()), |value| decode_candidates(&value)).map(Self)
    }

    /// Writes them to state.
    pub(super) fn write(&self, context: &mut dyn Context) -> Result<(), ApplyError> {
        entries::write(context, setting::PROPOSALS, &BASE64.encode(&self.0.encode_to_vec()))
    }

    /// Whether no proposal is open.
    pub(super) fn is_empty(&self) -> bool {
        self.0.candidates.is_empty()
    }

    /// Opens a proposal; its proposer accepts it.
    pub(super) fn open(
        &mut self,
        id: String,
        proposal: SettingProposal,
        proposer: &str,
    ) -> Result<(), ApplyError> {
        if self.0.candidates.iter().any(|candidate| candidate.proposal_id == id) {
            return Err(ApplyError::invalid(format!("Duplicate proposal for \"{}\"", proposal.setting)));
        }
        let votes = vec![record(proposer, true)];
        self.0.candidates.push(SettingCandidate { proposal_id: id, proposal: Some(proposal), votes });
        if self.0.candidates.len() > OPEN_PROPOSALS || self.0.encoded_len() > OPEN_PROPOSALS_BYTES {
            return Err(ApplyError::invalid(format!(
                "open proposals may be at most {OPEN_PROPOSALS} and {OPEN_PROPOSALS_BYTES} bytes"
            )));
        }
        Ok(())
    }

    /// Counts a vote on an open proposal. A proposal that is decided by it is no longer open and returned.
    pub(super) fn vote(
        &mut self,
        id: &str,
        voter: &str,
        accept: bool,
        electorate: &Electorate,
    ) -> Result<(Outcome, SettingProposal), ApplyError> {
        let candidates = &mut self.0.candidates;
        let place = candidates
            .iter()
            .position(|candidate| candidate.proposal_id == id)
            .ok_or_else(|| ApplyError::invalid(format!("Proposal \"{id}\" does not exist")))?;
        let votes = &mut candidates[place].votes;
        if votes.iter().any(|vote| vote.public_key == voter) {
            return Err(ApplyError::invalid(format!("\"{voter}\" already has voted")));
        }
        votes.push(record(voter, accept));
        let outcome = tally(votes, electorate);
        let proposal = candidates[place].proposal.clone().unwrap_or_default();
        if outcome != Outcome::Open {
            candidates.remove(place);
        }
        Ok((outcome, proposal))
    }

    /// Strikes the votes of keys that are no longer authorized, and closes what nobody can vote on any more.
    pub(super) fn adopt(&mut self, electorate: &Electorate) {
        for candidate in &mut self.0.candidates {
            candidate.votes.retain(|vote| electorate.is_member(&vote.public_key));
        }
        self.0.candidates.retain(|candidate| candidate.votes.len() < electorate.keys.len());
    }
}

fn record(voter: &str, accept: bool) -> VoteRecord {
    let vote = if accept { Vote::Accept } else { Vote::Reject };
    VoteRecord { public_key: voter.to_owned(), vote: vote.into() }
}

fn tally(votes: &[VoteRecord], electorate: &Electorate) -> Outcome {
    let accepted = votes.iter().filter(|record| record.vote() == Vote::Accept).count();
    let rejected = votes.len() - accepted;
    if accepted >= electorate.threshold {
        Outcome::Accepted
    } else if rejected >= electorate.threshold || votes.len() >= electorate.keys.len() {
        Outcome::Closed
    } else {
        Outcome::Open
    }
}

#[cfg(test)]
mod tests {
    use data_encoding::BASE64;
    use ledger_types::limits;
    use ledger_types::proto::families::SettingProposal;
    use prost::Message as _;

    use super::{Ballot, OPEN_PROPOSALS, OPEN_PROPOSALS_BYTES, Outcome, SettingCandidates};
    use crate::settings::AUTHORIZED_KEYS_MAX;
    use crate::settings::electorate::Electorate;

    #[test]
    fn the_fullest_ballot_fits_into_a_state_value() {
        let keys: Vec<String> = (0..AUTHORIZED_KEYS_MAX).map(|n| format!("{n:066}")).collect();
        let electorate = Electorate { threshold: keys.len(), keys };
        let mut ballot = Ballot(SettingCandidates::default());
        for n in 0..OPEN_PROPOSALS {
            let value = "v".repeat(OPEN_PROPOSALS_BYTES / OPEN_PROPOSALS - 200);
            let proposal = SettingProposal { setting: "a".into(), value, nonce: String::new() };
            ballot.open(format!("{n:064}"), proposal, &electorate.keys[0]).unwrap();
        }
        for n in 0..OPEN_PROPOSALS {
            for voter in &electorate.keys[1..AUTHORIZED_KEYS_MAX - 1] {
                let (outcome, _) = ballot.vote(&format!("{n:064}"), voter, true, &electorate).unwrap();
                assert_eq!(outcome, Outcome::Open);
            }
        }
        let stored = BASE64.encode_len(ballot.0.encoded_len());
        assert!(stored < limits::STATE_VALUE_BYTES / 3 * 2, "{stored}");
    }
}
