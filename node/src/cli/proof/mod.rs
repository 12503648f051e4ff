//! `dgt verify-certificate` and `dgt verify-proof`: what a node answered, checked without any node.
//!
//! The only thing believed is the network file: the validators' keys and what block 0 is made of. From there the way is
//! certificate, then the headers up to the block in question, then a root in its header, then the proof. [`check`] is
//! the last step. It shares no code with the trees that make proofs, so that one mistake cannot be made on both sides.

mod anchor;
mod certificate;
mod check;
mod claim;
mod source;
#[cfg(test)]
mod tests;

pub(super) use certificate::VerifyCertificate;
pub(super) use claim::VerifyProof;
