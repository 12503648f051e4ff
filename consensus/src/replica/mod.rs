//! The state machine: inputs change what is known, then every rule that what is known allows is applied, until
//! nothing is left to do.
//!
//! | step | when | what | where |
//! |---|---|---|---|
//! | decide | a finalization is held and its block executed | `Commit` of it and its ancestors | `decide` |
//! | enter | a certificate of the current view or a later one | the next view | `views` |
//! | check | a proposal is here and its parent executed | `CheckProposal` | `check` |
//! | notarize | the current view's proposal satisfies V2 | NOTARIZE | `vote` |
//! | finalize | a notarized block is executed | FINALIZE | `vote` |
//! | propose | this node leads | `BuildProposal` | `propose` |
//! | give up | a deadline passed, or the proposal is bad | NULLIFY | `vote` |
//! | release | records became durable | `Send`, and the same message looped back | `release` |

mod check;
mod decide;
mod enter;
mod propose;
mod receive;
mod release;
mod restore;
mod state;
mod status;
mod vote;

pub use state::Replica;
pub use status::{Role, Status, Tip};
