//! The authenticated state: a versioned radix-16 Merkle tree over the hashes of addresses, the values that its leaves
//! point to, and the presence of addresses, which serves scans in address order.
//!
//! A version is a block's height. Versions run from 0 (genesis) without a gap, and **every version has a root
//! node of its own**, also when its block changed nothing and when the state is empty. So a height needs no
//! table to find its tree, and the root of any kept height is answerable.
//!
//! Nothing here does I/O: trees read nodes from a [`NodeSource`], ranges read records from a [`PresenceCursor`],
//! and what must be written is returned. Every node that is read is checked against its own key and against the
//! hash that its parent holds, beside the seal that every record has in its file, so a damaged record is an error
//! that names it.
//!
//! Record layouts: nodes in [`NodeKey`] and `node`, presence in [`presence`]. Hashing rules: `hashing`.

mod branch;
mod error;
mod hashing;
mod key;
mod node;
pub mod presence;
mod proof;
mod range;
mod source;
mod top;
pub mod tree;
mod update;
mod walk;

#[cfg(test)]
mod tests;

pub(crate) use branch::{Branch, Leaf};
pub use error::StateError;
pub use hashing::EMPTY_ROOT;
pub(crate) use hashing::{key_hash, value_hash};
pub use key::NodeKey;
pub use presence::PresenceCursor;
pub use proof::{ProofEnd, ProofError, StateProof};
pub use source::{Known, LayeredSource, NodeSource};
pub use top::Top;
pub use tree::{TreeUpdate, oldest_kept};
pub(crate) use walk::{compare_with_previous, whole};
