//! Keys and signatures: real ed25519 in some seeds, in all others a hash over key and message in the same 64 bytes.
//! The hash is no secret, but whoever lives in the world signs only through the signers it is given.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use consensus::{Ed25519Signer, Ed25519Verifier, Signer, Verifier};
use ledger_types::signature::Curve;
use ledger_types::{PrivateKey, PublicKey, Signature, VoteKey};

use super::mixing;

/// Which signatures a world uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signatures {
    /// Fast ones.
    Simulated,
    /// Strict ed25519.
    Ed25519,
}

impl Signatures {
    /// The key that a validator is known by; `index` counts all validators, clusters first.
    pub fn vote_key(self, index: usize) -> VoteKey {
        match self {
            Self::Simulated => VoteKey(mixing::digest(index as u64, b"simulated vote key")),
            Self::Ed25519 => match private_key(index).public_key() {
                PublicKey::Ed25519(key) => VoteKey(key),
                PublicKey::Secp256k1(_) => unreachable!("made as an ed25519 key"),
            },
        }
    }

    /// The signer of a validator.
    pub fn signer(self, index: usize) -> Box<dyn Signer> {
        match self {
            Self::Simulated => Box::new(SimulatedSigner(self.vote_key(index))),
            Self::Ed25519 => {
                Box::new(Ed25519Signer::new(private_key(index)).expect("made as an ed25519 key"))
            }
        }
    }

    /// Checks everybody's signatures.
    pub fn verifier(self) -> Arc<dyn Verifier> {
        match self {
            Self::Simulated => Arc::new(SimulatedVerifier),
            Self::Ed25519 => Arc::new(RememberingVerifier::default()),
        }
    }
}

fn private_key(index: usize) -> PrivateKey {
    PrivateKey::from_bytes(Curve::Ed25519, mixing::digest(index as u64, b"ed25519 vote key"))
        .expect("any 32 bytes are an ed25519 key")
}

#[derive(Clone, Debug)]
struct SimulatedSigner(VoteKey);

impl Signer for SimulatedSigner {
    fn sign(&self, message: &[u8]) -> Signature {
        simulated(&self.0, message)
    }
}

#[derive(Clone, Copy, Debug)]
struct SimulatedVerifier;

impl Verifier for SimulatedVerifier {
    fn verify(&self, key: &VoteKey, message: &[u8], signature: &Signature) -> bool {
        simulated(key, message) == *signature
    }
}

/// What verified once verifies again: every node of the world would do the same work, forty times over.
#[derive(Debug, Default)]
struct RememberingVerifier(Mutex<BTreeMap<Signature, (VoteKey, Vec<u8>)>>);

impl Verifier for RememberingVerifier {
    fn verify(&self, key: &VoteKey, message: &[u8], signature: &Signature) -> bool {
        let mut known = self.0.lock().expect("one thread, no panic while held");
        if known.get(signature).is_some_and(|(of, over)| of == key && over == message) {
            return true;
        }
        let is_good = Ed25519Verifier.verify(key, message, signature);
        if is_good {
            known.insert(*signature, (*key, message.to_vec()));
        }
        is_good
    }
}

fn simulated(key: &VoteKey, message: &[u8]) -> Signature {
    Signature(mixing::digest(mixing::hash(0, &key.0), message))
}

/// What an honest node's key has signed since somebody looked: the signed bytes, in order.
pub(super) type Signed = Arc<Mutex<Vec<Vec<u8>>>>;

/// A signer that writes down what it signs, for the oracle.
pub(super) struct RecordingSigner {
    pub(super) inner: Box<dyn Signer>,
    pub(super) signed: Signed,
}

impl Signer for RecordingSigner {
    fn sign(&self, message: &[u8]) -> Signature {
        self.signed.lock().expect("one thread, no panic while held").push(message.to_vec());
        self.inner.sign(message)
    }
}
