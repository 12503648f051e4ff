//! Signing and verifying, injected so that a simulator can be fast. There is one rule for real signatures:
//! strict ed25519 on every path.

use ledger_types::signature::Curve;
use ledger_types::{PrivateKey, PublicKey, Signature, VoteKey};

/// Makes signatures with this node's vote key. Only `safety` holds one.
pub trait Signer: Send {
    /// Signs a message; the same message always gives the same signature.
    fn sign(&self, message: &[u8]) -> Signature;
}

/// Checks anybody's signatures.
pub trait Verifier: Send + Sync {
    /// Whether the key signed the message.
    fn verify(&self, key: &VoteKey, message: &[u8], signature: &Signature) -> bool;
}

/// Signs with an ed25519 key.
#[derive(Debug)]
pub struct Ed25519Signer(PrivateKey);

impl Ed25519Signer {
    /// A signer; `None` if the key is of another curve.
    pub fn new(key: PrivateKey) -> Option<Self> {
        (key.public_key().curve() == Curve::Ed25519).then_some(Self(key))
    }
}

impl Signer for Ed25519Signer {
    fn sign(&self, message: &[u8]) -> Signature {
        self.0.sign(message)
    }
}

/// Verifies strictly.
#[derive(Clone, Copy, Debug, Default)]
pub struct Ed25519Verifier;

impl Verifier for Ed25519Verifier {
    fn verify(&self, key: &VoteKey, message: &[u8], signature: &Signature) -> bool {
        PublicKey::Ed25519(key.0).verify(message, signature).is_ok()
    }
}
