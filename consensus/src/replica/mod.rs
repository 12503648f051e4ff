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
//! | gather, catch up | entries or final blocks are missing | `Send` of a REQUEST | `check`, `catch_up` |
//! | guard | this node may have forgotten votes | silence, GUARD_REQUEST | `guard` |
//! | live | every second | HEARTBEAT | `peers` |
//! | release | records became durable | `Send`, and the same message looped back | `release` |

mod catch_up;
mod check;
mod decide;
mod enter;
mod guard;
mod origin;
mod passed;
mod peers;
mod propose;
mod receive;
mod release;
mod restore;
mod state;
mod status;
mod vote;

pub use peers::PeerStatus;
pub use state::Replica;
pub use status::{Duty, Role, Status, Tip};
