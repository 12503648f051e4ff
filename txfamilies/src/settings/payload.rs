//! The payload: a `SettingsPayload` message with a proposal or a vote in it.

use data_encoding::HEXLOWER;
use ledger_types::family::ApplyError;
use ledger_types::hash::sha256;
use ledger_types::proto::families::setting_vote::Vote;
use ledger_types::proto::families::settings_payload::Action;
use ledger_types::proto::families::{SettingProposal, SettingVote, SettingsPayload};
use ledger_types::setting;
use prost::Message as _;

use crate::client::UnsignedTransaction;

/// A decoded payload.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Payload {
    /// A proposal, and its id: the hex SHA-256 of its bytes as received.
    Propose {
        /// The proposal.
        proposal: SettingProposal,
        /// Its id.
        id: String,
    },
    /// A vote on an open proposal.
    Vote {
        /// The proposal's id.
        proposal_id: String,
        /// Whether to accept it.
        accept: bool,
    },
}

impl Payload {
    /// Reads a payload.
    ///
    /// # Errors
    /// When it is not a `SettingsPayload`, or its action or vote is unset.
    pub fn decode(bytes: &[u8]) -> Result<Self, ApplyError> {
        let malformed = |_| ApplyError::invalid("Failed to unmarshal SettingsTransaction");
        let payload = SettingsPayload::decode(bytes).map_err(malformed)?;
        match payload.action() {
            Action::Unset => {
                Err(ApplyError::invalid("'action' must be one of {PROPOSE, VOTE} in 'Ballot' mode"))
            }
            Action::Propose => {
                let id = HEXLOWER.encode(sha256(&[&payload.data]).as_bytes());
                let proposal = SettingProposal::decode(payload.data).map_err(malformed)?;
                Ok(Self::Propose { proposal, id })
            }
            Action::Vote => {
                let vote = SettingVote::decode(payload.data).map_err(malformed)?;
                let accept = match vote.vote() {
                    Vote::Unset => return Err(ApplyError::invalid("'vote' must be one of {ACCEPT, REJECT}")),
                    Vote::Accept => true,
                    Vote::Reject => false,
                };
                Ok(Self::Vote { proposal_id: vote.proposal_id, accept })
            }
        }
    }
}

/// The id of a proposal that [`propose`] makes.
pub fn proposal_id(key: &str, value: &str, nonce: &str) -> String {
    HEXLOWER.encode(sha256(&[&proposal(key, value, nonce)]).as_bytes())
}

/// A transaction that proposes a setting's value. The nonce tells apart proposals that are equal otherwise.
pub fn propose(key: &str, value: &str, nonce: &str) -> UnsignedTransaction {
    transaction(key, Action::Propose, proposal(key, value, nonce))
}

/// A transaction that votes on an open proposal about a setting.
pub fn vote(key: &str, proposal_id: &str, accept: bool) -> UnsignedTransaction {
    let vote = if accept { Vote::Accept } else { Vote::Reject };
    let vote = SettingVote { proposal_id: proposal_id.to_owned(), vote: vote.into() };
    transaction(key, Action::Vote, vote.encode_to_vec())
}

fn proposal(key: &str, value: &str, nonce: &str) -> Vec<u8> {
    let proposal =
        SettingProposal { setting: key.to_owned(), value: value.to_owned(), nonce: nonce.to_owned() };
    proposal.encode_to_vec()
}

fn transaction(key: &str, action: Action, message: Vec<u8>) -> UnsignedTransaction {
    let payload = SettingsPayload { action: action.into(), data: message.into() };
    let mut transaction = UnsignedTransaction::new(
        "sawtooth_settings",
        "1.0",
        &[setting::address(setting::PROPOSALS), setting::address(key)],
        payload.encode_to_vec(),
    );
    for read in [setting::AUTHORIZED_KEYS, setting::APPROVAL_THRESHOLD] {
        transaction.inputs.push(setting::address(read).to_string());
    }
    transaction
}
