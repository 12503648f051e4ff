//! On-ledger settings, version 1.0 of `sawtooth_settings` (also `dgt_settings`): authorized keys propose values and
//! vote on them.
//!
//! - Without authorized keys anybody may set them, and nothing else. Later only they propose and vote.
//! - With a threshold of 1 a proposal applies at once. Above, it stays open, its proposer accepting: it applies when as
//!   many keys as the threshold accept, and is closed when as many reject or when every key has voted.
//! - A key that is no longer authorized loses its votes. A proposal on which then nobody can vote any more is closed.
//! - A value that would halt the chain, or leave nobody able to change settings, is refused when it is proposed and
//!   again when it would apply.

mod apply;
mod ballot;
mod electorate;
mod entries;
mod payload;
mod values;

/// Addresses of settings are the ledger's own knowledge.
pub use ledger_types::setting::{NAMESPACE, address};

pub use apply::Settings;
pub use ballot::{OPEN_PROPOSALS, OPEN_PROPOSALS_BYTES, decode_candidates};
pub use payload::{Payload, proposal_id, propose, vote};
pub use values::{ALGORITHM_NAME, ALGORITHM_VERSION, AUTHORIZED_KEYS_MAX, KEY_BYTES, check_value};
