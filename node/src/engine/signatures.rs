//! Signatures that were found good are not checked again: a vote comes by itself and then in certificates from everybody,
//! and a liar may repeat what is true as often as its meter lets it.

use std::collections::{BTreeMap, HashSet};

use consensus::{Committee, Verifier};
use ledger_types::hash::sha512_256;
use ledger_types::{Hash, Signature, VoteKey};
use parking_lot::Mutex;

/// Good signatures that are remembered of each signer, at least: more than an honest one makes in the views that are open.
const REMEMBERED: usize = 256;

/// A verifier that remembers what it found good. Each signer has room of its own, so a liar that signs much makes only
/// its own signatures dear.
pub(super) struct Remembering<V> {
    verifier: V,
    good: BTreeMap<VoteKey, Mutex<Good>>,
}

/// The newest good signatures of a signer: when there are enough, the older half goes.
#[derive(Default)]
struct Good {
    newer: HashSet<Hash>,
    older: HashSet<Hash>,
}

impl Good {
    fn contains(&self, signed: &Hash) -> bool {
        self.newer.contains(signed) || self.older.contains(signed)
    }

    fn insert(&mut self, signed: Hash) {
        if self.newer.len() == REMEMBERED {
            self.older = std::mem::take(&mut self.newer);
        }
        self.newer.insert(signed);
    }
}

impl<V> Remembering<V> {
    /// Remembers nothing yet; only signatures of the committee's members ever.
    pub(super) fn new(verifier: V, committee: &Committee) -> Self {
        let keys = committee.topology().validators().map(|(_, validator)| validator.vote_key);
        Self { verifier, good: keys.map(|key| (key, Mutex::default())).collect() }
    }
}

impl<V: Verifier> Verifier for Remembering<V> {
    fn verify(&self, key: &VoteKey, message: &[u8], signature: &Signature) -> bool {
        let Some(good) = self.good.get(key) else {
            return self.verifier.verify(key, message, signature);
        };
        let signed = sha512_256(&[&signature.0, message]);
        if good.lock().contains(&signed) {
            return true;
        }
        let is_good = self.verifier.verify(key, message, signature);
        if is_good {
            good.lock().insert(signed);
        }
        is_good
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicUsize;
    use std::sync::atomic::Ordering::Relaxed;

    use consensus::{Ed25519Verifier, Verifier};
    use ledger_types::{PublicKey, Signature, VoteKey};

    use super::{REMEMBERED, Remembering};
    use crate::testing::{committee, key, ledger, network};

    /// Counts what is really checked.
    #[derive(Default)]
    struct Counting(AtomicUsize);

    impl Verifier for Counting {
        fn verify(&self, key: &VoteKey, message: &[u8], signature: &Signature) -> bool {
            self.0.fetch_add(1, Relaxed);
            Ed25519Verifier.verify(key, message, signature)
        }
    }

    fn vote_key(number: u8) -> VoteKey {
        let PublicKey::Ed25519(bytes) = key(number).public_key() else { unreachable!("an ed25519 key") };
        VoteKey(bytes)
    }

    #[test]
    fn a_good_signature_is_checked_once_and_a_bad_one_always() {
        let (directory, network) = (tempfile::tempdir().unwrap(), network(4));
        let committee = committee(&ledger(directory.path(), &network), &network);
        let remembering = Remembering::new(Counting::default(), &committee);
        let checks = || remembering.verifier.0.load(Relaxed);
        let good = key(1).sign(b"a");
        for _ in 0..3 {
            assert!(remembering.verify(&vote_key(1), b"a", &good));
        }
        assert_eq!(checks(), 1);
        // Nothing but key, message and signature together is known.
        for (number, message, signature) in
            [(1, &b"b"[..], good), (2, b"a", good), (1, b"a", key(2).sign(b"a")), (1, b"a", Signature::ZERO)]
        {
            let before = checks();
            for times in 1..=2 {
                assert!(!remembering.verify(&vote_key(number), message, &signature));
                assert_eq!(checks(), before + times);
            }
        }
        // Who is not in the committee is checked and not remembered.
        let before = checks();
        (0..2).for_each(|_| assert!(remembering.verify(&vote_key(9), b"a", &key(9).sign(b"a"))));
        assert_eq!(checks(), before + 2);
    }

    #[test]
    fn a_signer_that_signs_much_is_forgotten_and_nobody_else() {
        let (directory, network) = (tempfile::tempdir().unwrap(), network(4));
        let committee = committee(&ledger(directory.path(), &network), &network);
        let remembering = Remembering::new(Counting::default(), &committee);
        let say = |number: u8, count: usize| {
            let message = count.to_be_bytes();
            assert!(remembering.verify(&vote_key(number), &message, &key(number).sign(&message)));
            remembering.verifier.0.load(Relaxed)
        };
        say(2, 0);
        (0..3 * REMEMBERED).for_each(|count| _ = say(1, count));
        let held = remembering.good[&vote_key(1)].lock();
        assert!(held.newer.len() <= REMEMBERED && held.older.len() <= REMEMBERED);
        drop(held);
        let checks = remembering.verifier.0.load(Relaxed);
        assert_eq!(say(2, 0), checks, "still known");
        assert_eq!(say(1, 2 * REMEMBERED), checks, "the newest are known");
        assert_eq!(say(1, 0), checks + 1, "the oldest are not");
    }
}
