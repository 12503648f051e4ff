//! Whether the files of a stopped node hold what they must: every record of all four is compared with what the blocks
//! make of it, and the first one that is wrong is named with its file.
//!
//! The blocks vouch for themselves: a header hashes to its id, names its parent, and commits to the entries, the
//! receipts and the state after it; finalizations by the committee tie the ids to the network. Receipts tell each
//! block's state changes, and with them every stored value is known; the tree is checked version by version from its
//! roots in the headers. Executing everything again ([`VerifyOptions::registry`]) adds that the families, as they are
//! now, still give the same. Before any of this, the pages of the files are walked without LMDB, which would follow a
//! bad page anywhere ([`crate::store::pages`]), and with them the seal of every record.
//!
//! Records that a crash left for the next start to write are no damage: a receipts or state file may end below the
//! blocks, and finalizations may be ahead of them.

mod audit;
mod blocks;
mod files;
mod finality;
mod pages;
mod receipts;
mod replay;
mod run;
mod state;
#[cfg(test)]
mod tests;

pub(super) use files::{Files, check_presence};
pub use finality::{CertificateCheck, Finalized};
pub use run::{Step, Summary, VerifyOptions, verify};
