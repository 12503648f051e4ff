//! Verifying at the lowest price that leaves the rule as it is.
//!
//! Public keys are kept once they are parsed: the square root that makes a point of a key's bytes is a tenth of a
//! verification. `verify_strict` takes another root to see whether R has small order, which R's bytes tell as well. And to
//! compare R with what the equation gives takes an inversion, which the signatures that are verified together share.

use std::sync::{LazyLock, Mutex};

use curve25519_dalek::{EdwardsPoint, Scalar};
use ed25519_dalek::VerifyingKey;

use crate::hash::sha512;

/// Parsed keys that are kept of each curve.
const SLOTS: usize = 4_096;

static ED25519: LazyLock<Parsed<32, Ed25519Key>> = LazyLock::new(Parsed::new);
static SECP256K1: LazyLock<Parsed<33, secp256k1::PublicKey>> = LazyLock::new(Parsed::new);

/// The encodings of the eight points of small order. A point has others that are not canonical; none of those is ever equal
/// to the R that verification computes.
const SMALL_ORDER: [[u8; 32]; 8] = {
    const ONE: [u8; 32] = {
        let mut bytes = [0; 32];
        bytes[0] = 1;
        bytes
    };
    const MINUS_ONE: [u8; 32] = {
        let mut bytes = [0xff; 32];
        (bytes[0], bytes[31]) = (0xec, 0x7f);
        bytes
    };
    const EIGHTH: [u8; 32] = [
        0x26, 0xe8, 0x95, 0x8f, 0xc2, 0xb2, 0x27, 0xb0, 0x45, 0xc3, 0xf4, 0x89, 0xf2, 0xef, 0x98, 0xf0, 0xd5,
        0xdf, 0xac, 0x05, 0xd3, 0xc6, 0x33, 0x39, 0xb1, 0x38, 0x02, 0x88, 0x6d, 0x53, 0xfc, 0x05,
    ];
    const OTHER_EIGHTH: [u8; 32] = [
        0xc7, 0x17, 0x6a, 0x70, 0x3d, 0x4d, 0xd8, 0x4f, 0xba, 0x3c, 0x0b, 0x76, 0x0d, 0x10, 0x67, 0x0f, 0x2a,
        0x20, 0x53, 0xfa, 0x2c, 0x39, 0xcc, 0xc6, 0x4e, 0xc7, 0xfd, 0x77, 0x92, 0xac, 0x03, 0x7a,
    ];
    const fn negative(mut bytes: [u8; 32]) -> [u8; 32] {
        bytes[31] |= 0x80;
        bytes
    }
    [
        ONE,
        MINUS_ONE,
        [0; 32],
        negative([0; 32]),
        EIGHTH,
        negative(EIGHTH),
        OTHER_EIGHTH,
        negative(OTHER_EIGHTH),
    ]
};

/// A key whose bytes are a point of the curve.
#[derive(Clone, Copy)]
pub(crate) struct Ed25519Key {
    bytes: [u8; 32],
    /// The point's negative, which the equation has.
    minus_a: EdwardsPoint,
    has_small_order: bool,
}

impl Ed25519Key {
    fn parse(bytes: &[u8; 32]) -> Option<Self> {
        let key = VerifyingKey::from_bytes(bytes).ok()?;
        Some(Self { bytes: *bytes, minus_a: -key.to_edwards(), has_small_order: key.is_weak() })
    }
}

/// An ed25519 key from its bytes, or none.
pub(crate) fn ed25519_key(bytes: &[u8; 32]) -> Option<Ed25519Key> {
    ED25519.get(bytes, Ed25519Key::parse)
}

/// A secp256k1 key from its compressed bytes, or none.
pub(crate) fn secp256k1_key(bytes: &[u8; 33]) -> Option<secp256k1::PublicKey> {
    SECP256K1.get(bytes, |bytes| secp256k1::PublicKey::from_byte_array_compressed(*bytes).ok())
}

/// ed25519 signatures that are verified together. Each is good when `VerifyingKey::verify_strict` says so: its own equation
/// holds, neither key nor R has small order, and s is reduced.
#[derive(Default)]
pub(crate) struct Strict {
    /// What the equation of each says R is: sB - kA.
    expected: Vec<EdwardsPoint>,
    /// The bytes of each one's R, and whose it is.
    claimed: Vec<([u8; 32], usize)>,
}

impl Strict {
    /// Takes a signature, unless it is bad whatever its equation gives.
    #[must_use]
    pub(crate) fn add(
        &mut self,
        whose: usize,
        key: &Ed25519Key,
        message: &[u8],
        signature: &[u8; 64],
    ) -> bool {
        let (r, s) = signature.split_at(32);
        let [r, s]: [[u8; 32]; 2] = [r, s].map(|half| half.try_into().expect("invariant: half of 64 bytes"));
        let Some(s) = Scalar::from_canonical_bytes(s).into_option() else { return false };
        if SMALL_ORDER.contains(&r) || key.has_small_order {
            return false;
        }
        let k = Scalar::from_bytes_mod_order_wide(&sha512(&[&r, &key.bytes, message]));
        self.expected.push(EdwardsPoint::vartime_double_scalar_mul_basepoint(&k, &key.minus_a, &s));
        self.claimed.push((r, whose));
        true
    }

    /// How many equations there are.
    pub(crate) fn len(&self) -> usize {
        self.expected.len()
    }

    /// The first whose equation does not hold. R is compared by its bytes, so one that is not canonical is none.
    pub(crate) fn first_bad(&self) -> Option<usize> {
        if self.expected.is_empty() {
            // It would invert one nevertheless.
            return None;
        }
        let expected = EdwardsPoint::compress_batch_alloc(&self.expected);
        let mut pairs = expected.iter().zip(&self.claimed);
        pairs.find(|(expected, (r, _))| expected.as_bytes() != r).map(|(_, (_, whose))| *whose)
    }
}

/// Parsed keys by their bytes. A key displaces whichever had its slot, so nothing grows; who aims at a slot makes others
/// parse again, no more.
struct Parsed<const N: usize, K>(Vec<Slot<N, K>>);

type Slot<const N: usize, K> = Mutex<Option<([u8; N], K)>>;

impl<const N: usize, K: Copy> Parsed<N, K> {
    fn new() -> Self {
        Self((0..SLOTS).map(|_| Mutex::default()).collect())
    }

    fn get(&self, bytes: &[u8; N], parse: impl FnOnce(&[u8; N]) -> Option<K>) -> Option<K> {
        // Not the first byte, which tells little of a compressed point, nor the last, which holds a sign.
        let slot = &self.0[usize::from(u16::from_be_bytes([bytes[1], bytes[2]])) % SLOTS];
        // Whoever finds the slot in use parses instead of waiting.
        if let Ok(held) = slot.try_lock()
            && let Some((of, key)) = &*held
            && of == bytes
        {
            return Some(*key);
        }
        let key = parse(bytes)?;
        if let Ok(mut held) = slot.try_lock() {
            *held = Some((*bytes, key));
        }
        Some(key)
    }
}

#[cfg(test)]
mod tests {
    use curve25519_dalek::edwards::CompressedEdwardsY;
    use curve25519_dalek::traits::IsIdentity as _;
    use curve25519_dalek::{EdwardsPoint, Scalar};
    use ed25519_dalek::{Signature, Signer as _, SigningKey, Verifier as _, VerifyingKey};
    use proptest::prelude::*;
    use ring::signature::{ED25519, UnparsedPublicKey};

    use super::{Ed25519Key, Parsed, SLOTS, SMALL_ORDER, Strict};
    use crate::hash::sha512;

    /// Whether both ways say the same of a signature, and what. The equation itself is asked of ring too, whose arithmetic
    /// is not chosen by the processor: what is good must not depend on that.
    fn agreed(key: &VerifyingKey, message: &[u8], signature: &Signature) -> bool {
        let strict = key.verify_strict(message, signature).is_ok();
        let (ours, mut equations) = (Ed25519Key::parse(key.as_bytes()).unwrap(), Strict::default());
        let is_good =
            equations.add(0, &ours, message, &signature.to_bytes()) && equations.first_bad().is_none();
        assert_eq!(is_good, strict, "{key:?} {signature:?}");
        let by_ring = UnparsedPublicKey::new(&ED25519, key.as_bytes()).verify(message, &signature.to_bytes());
        assert_eq!(key.verify(message, signature).is_ok(), by_ring.is_ok(), "{key:?} {signature:?}");
        strict
    }

    /// Other encodings of the same points: y above the field's prime, and a sign where x is 0.
    fn not_canonical() -> Vec<[u8; 32]> {
        let mut found = Vec::new();
        for (low, sign) in [(0xed, 0x7f), (0xee, 0x7f), (0xed, 0xff), (0xee, 0xff), (0xec, 0xff)] {
            let mut bytes = [0xff; 32];
            (bytes[0], bytes[31]) = (low, sign);
            found.push(bytes);
        }
        let mut one = [0; 32];
        (one[0], one[31]) = (1, 0x80);
        found.push(one);
        found
    }

    #[test]
    fn all_points_of_small_order_are_known() {
        let distinct: std::collections::BTreeSet<_> = SMALL_ORDER.iter().collect();
        assert_eq!(distinct.len(), 8);
        for bytes in SMALL_ORDER {
            assert!(VerifyingKey::from_bytes(&bytes).unwrap().is_weak(), "{bytes:?}");
        }
    }

    #[test]
    fn points_of_small_order_are_refused_wherever_they_stand() {
        let honest = SigningKey::from_bytes(&[7; 32]);
        let odd: Vec<[u8; 32]> = SMALL_ORDER.into_iter().chain(not_canonical()).collect();
        for r in &odd {
            for key in odd.iter().chain([&honest.verifying_key().to_bytes()]) {
                let Ok(key) = VerifyingKey::from_bytes(key) else { continue };
                for number in 0..32u8 {
                    let mut bytes = [0; 64];
                    bytes[..32].copy_from_slice(r);
                    assert!(!agreed(&key, &[number], &Signature::from_bytes(&bytes)));
                }
            }
        }
    }

    /// With R = 0 and s = ka the equation holds, byte by byte, under an honest key: only the rule on R refuses it.
    #[test]
    fn a_signature_whose_r_is_the_identity_is_refused() {
        let (signing, r, message) = (SigningKey::from_bytes(&[7; 32]), SMALL_ORDER[0], b"message");
        let key = signing.verifying_key();
        let k = Scalar::from_bytes_mod_order_wide(&sha512(&[&r, key.as_bytes(), message]));
        let signature = Signature::from_components(r, (k * signing.to_scalar()).to_bytes());
        key.verify(message, &signature).unwrap();
        assert!(!agreed(&key, message, &signature));
    }

    proptest! {
        #[test]
        fn it_says_what_verify_strict_says(
            secret in any::<[u8; 32]>(),
            message in proptest::collection::vec(any::<u8>(), 0..80),
            flipped in 0..96usize * 8,
        ) {
            let key = SigningKey::from_bytes(&secret);
            let signature = key.sign(&message);
            prop_assert!(agreed(&key.verifying_key(), &message, &signature));
            let mut bytes = [&key.verifying_key().to_bytes()[..], &signature.to_bytes()].concat();
            bytes[flipped / 8] ^= 1 << (flipped % 8);
            let (key, signature) = bytes.split_at(32);
            if let Ok(key) = VerifyingKey::from_bytes(key.try_into().unwrap()) {
                prop_assert!(!agreed(&key, &message, &Signature::from_slice(signature).unwrap()));
            }
        }
    }

    /// Good ones, and some with a bit flipped, whose equations share an inversion.
    #[test]
    fn the_first_bad_signature_of_many_is_found() {
        let signing: Vec<_> = (0..20u8).map(|number| SigningKey::from_bytes(&[number; 32])).collect();
        let first_bad = |is_bad: &dyn Fn(usize) -> bool| {
            let mut equations = Strict::default();
            for (number, signing) in signing.iter().enumerate() {
                let key = Ed25519Key::parse(signing.verifying_key().as_bytes()).unwrap();
                let mut signature = signing.sign(b"message").to_bytes();
                signature[number] ^= u8::from(is_bad(number));
                assert!(equations.add(7 * number, &key, b"message", &signature));
            }
            equations.first_bad()
        };
        assert_eq!(first_bad(&|_| false), None);
        for bad in 0..signing.len() {
            assert_eq!(first_bad(&|number| number == bad), Some(7 * bad));
            assert_eq!(first_bad(&|number| number >= bad), Some(7 * bad));
        }
    }

    /// A key with a part of small order beside its own: k, not k modulo the group's order, must multiply that part.
    #[test]
    fn keys_with_a_part_of_small_order_are_judged_alike() {
        let torsion = CompressedEdwardsY(SMALL_ORDER[4]).decompress().unwrap();
        assert!(!torsion.is_identity() && torsion.is_small_order());
        let mut accepted = 0;
        for number in 0..200u8 {
            let secret = SigningKey::from_bytes(&[number; 32]).to_scalar();
            let a = (EdwardsPoint::mul_base(&secret) + torsion).compress();
            let key = VerifyingKey::from_bytes(a.as_bytes()).unwrap();
            let nonce = Scalar::from(u64::from(number) + 1);
            let r = EdwardsPoint::mul_base(&nonce).compress();
            let k = Scalar::from_bytes_mod_order_wide(&sha512(&[r.as_bytes(), a.as_bytes(), b"message"]));
            let signature = Signature::from_components(r.to_bytes(), (nonce + k * secret).to_bytes());
            accepted += usize::from(agreed(&key, b"message", &signature));
        }
        // The part vanishes where k is a multiple of 8.
        assert!((5..60).contains(&accepted), "{accepted}");
    }

    #[test]
    fn an_s_that_is_not_reduced_is_refused() {
        let signing = SigningKey::from_bytes(&[7; 32]);
        let signature = signing.sign(b"message");
        assert!(agreed(&signing.verifying_key(), b"message", &signature));
        // s + L is the same number modulo the group's order.
        let mut bytes = signature.to_bytes();
        let order = (-Scalar::ONE).to_bytes();
        let mut carry = 1u16;
        for (byte, add) in bytes[32..].iter_mut().zip(order) {
            carry += u16::from(*byte) + u16::from(add);
            *byte = carry as u8;
            carry >>= 8;
        }
        assert!(!agreed(&signing.verifying_key(), b"message", &Signature::from_bytes(&bytes)));
    }

    #[test]
    fn a_key_is_parsed_once_until_another_takes_its_slot() {
        let parsed = Parsed::<4, u32>::new();
        let get = |bytes: [u8; 4], is_parsed: bool| {
            let mut parses = 0;
            let key = parsed.get(&bytes, |bytes| {
                parses += 1;
                Some(u32::from_be_bytes(*bytes))
            });
            assert_eq!((key, parses == 1), (Some(u32::from_be_bytes(bytes)), is_parsed));
        };
        get([1, 0, 0, 1], true);
        get([1, 0, 0, 1], false);
        get([1, 0, 1, 1], true);
        get([1, 0, 0, 1], false);
        get([2, 0, 0, 1], true);
        get([1, 0, 0, 1], true);
        assert_eq!(parsed.get(&[9; 4], |_| None), None, "what is no key is not kept");
        assert_eq!(parsed.0.len(), SLOTS);
    }
}
