//! A proposal or a vote, from the signer's right to it to the setting's new value.

use ledger_types::family::{ApplyError, Context, FamilyDescription, TransactionFamily};
use ledger_types::proto::families::SettingProposal;
use ledger_types::{Transaction, setting};

use super::ballot::{Ballot, Outcome};
use super::electorate::Electorate;
use super::entries;
use super::payload::Payload;

/// The family.
#[derive(Clone, Copy, Debug)]
pub struct Settings;

impl TransactionFamily for Settings {
    fn describe(&self) -> FamilyDescription {
        FamilyDescription {
            names: &["sawtooth_settings", "dgt_settings"],
            version: "1.0",
            namespaces: &[setting::NAMESPACE],
            commands: &["propose", "vote"],
        }
    }

    fn apply(&self, transaction: &Transaction, context: &mut dyn Context) -> Result<(), ApplyError> {
        let signer = &transaction.header.signer_public_key;
        let electorate = Electorate::read(context)?;
        if !electorate.admits(signer) {
            return Err(ApplyError::invalid(format!("\"{signer}\" is not authorized to change settings")));
        }
        match Payload::decode(&transaction.payload)? {
            Payload::Propose { proposal, id } => propose(context, &electorate, signer, proposal, id),
            Payload::Vote { proposal_id, accept } => vote(context, &electorate, signer, &proposal_id, accept),
        }
    }
}

fn propose(
    context: &mut dyn Context,
    electorate: &Electorate,
    proposer: &str,
    proposal: SettingProposal,
    id: String,
) -> Result<(), ApplyError> {
    electorate.check_change(context, &proposal.setting, &proposal.value)?;
    if electorate.threshold > 1 {
        let mut ballot = Ballot::read(context)?;
        ballot.open(id, proposal, proposer)?;
        return ballot.write(context);
    }
    entries::write(context, &proposal.setting, &proposal.value)?;
    if proposal.setting != setting::AUTHORIZED_KEYS {
        return Ok(());
    }
    // Proposals may be open from a time of a higher threshold.
    let mut ballot = Ballot::read(context)?;
    if ballot.is_empty() {
        return Ok(());
    }
    ballot.adopt(&Electorate::read(context)?);
    ballot.write(context)
}

fn vote(
    context: &mut dyn Context,
    electorate: &Electorate,
    voter: &str,
    proposal_id: &str,
    accept: bool,
) -> Result<(), ApplyError> {
    let mut ballot = Ballot::read(context)?;
    let (outcome, proposal) = ballot.vote(proposal_id, voter, accept, electorate)?;
    if outcome == Outcome::Accepted {
        // Keys, threshold and what is set may have changed since it was proposed.
        electorate.check_change(context, &proposal.setting, &proposal.value)?;
        entries::write(context, &proposal.setting, &proposal.value)?;
        if proposal.setting == setting::AUTHORIZED_KEYS {
            ballot.adopt(&Electorate::read(context)?);
        }
    }
    ballot.write(context)
}
