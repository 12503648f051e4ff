//! The two signature schemes of clients, told apart by the length of the public key.
//!
//! secp256k1: ECDSA over SHA-256 of the message, compact 64 bytes, low S only, compressed key of 33 bytes
//! (`sawtooth-compat.md` 2). ed25519: the rule of `verify_strict` and nothing else on every path, key of
//! 32 bytes.

use data_encoding::HEXLOWER;
use ed25519_dalek::Signer as _;
use thiserror::Error;
use zeroize::Zeroizing;

use crate::hash::sha256;
use crate::ids::fixed_bytes;
use crate::verifying::{self, Strict};

fixed_bytes! {
    /// A signature's 64 bytes: r and s (secp256k1) or R and s (ed25519).
    Signature, 64
}

/// Why a key or a signature is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum SignatureError {
    /// Neither 66 nor 64 lower-case hex characters.
    #[error("a public key is 66 (secp256k1) or 64 (ed25519) lower-case hex characters")]
    KeyFormat,
    /// The key is not a point of its curve.
    #[error("the public key is not a valid {0} key")]
    KeyInvalid(Curve),
    /// The signature does not verify. For secp256k1 this includes a high S.
    #[error("the {0} signature does not verify")]
    Invalid(Curve),
}

/// A signature scheme.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Curve {
    /// ECDSA over secp256k1, the scheme of existing clients.
    Secp256k1,
    /// Ed25519, the default of our own tools.
    Ed25519,
}

impl std::fmt::Display for Curve {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Secp256k1 => "secp256k1",
            Self::Ed25519 => "ed25519",
        })
    }
}

/// A client's public key: well-formed bytes, not yet known to be on the curve.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PublicKey {
    /// Compressed, 33 bytes.
    Secp256k1([u8; 33]),
    /// 32 bytes.
    Ed25519([u8; 32]),
}

impl PublicKey {
    /// The key's scheme.
    pub fn curve(&self) -> Curve {
        match self {
            Self::Secp256k1(_) => Curve::Secp256k1,
            Self::Ed25519(_) => Curve::Ed25519,
        }
    }

    /// Verifies a signature over the message.
    ///
    /// # Errors
    /// When the key is not a point of its curve, or the signature does not verify by the scheme's one rule.
    pub fn verify(&self, message: &[u8], signature: &Signature) -> Result<(), SignatureError> {
        verify_all([Claim { key: self, message, signature: *signature }]).map_err(|(_, error)| error)
    }
}

/// A signature, and what it is said to be.
#[derive(Clone, Copy, Debug)]
pub struct Claim<'a> {
    /// Whose signature.
    pub key: &'a PublicKey,
    /// What is signed.
    pub message: &'a [u8],
    /// The signature.
    pub signature: Signature,
}

/// Signatures of ed25519 that are compared together. So much work a bad one may cost, and more would save little.
const TOGETHER: usize = 32;

/// Verifies signatures, each by its scheme's one rule; those of ed25519 cost less together than one by one.
///
/// # Errors
/// The number of the first that does not verify, from 0, and why.
pub fn verify_all<'a>(claims: impl IntoIterator<Item = Claim<'a>>) -> Result<(), (usize, SignatureError)> {
    let unequal = |equations: &Strict| match equations.first_bad() {
        Some(number) => Err((number, SignatureError::Invalid(Curve::Ed25519))),
        None => Ok(()),
    };
    let mut equations = Strict::default();
    for (number, claim) in claims.into_iter().enumerate() {
        if let Err(error) = claim.check(number, &mut equations) {
            // Whatever is among the equations comes before it.
            return unequal(&equations).and(Err((number, error)));
        }
        if equations.len() == TOGETHER {
            unequal(&std::mem::take(&mut equations))?;
        }
    }
    unequal(&equations)
}

impl Claim<'_> {
    /// Verifies the signature, but for its equation if it is one of ed25519.
    fn check(&self, number: usize, equations: &mut Strict) -> Result<(), SignatureError> {
        let curve = self.key.curve();
        let (key_invalid, invalid) = (SignatureError::KeyInvalid(curve), SignatureError::Invalid(curve));
        match self.key {
            PublicKey::Secp256k1(bytes) => {
                let key = verifying::secp256k1_key(bytes).ok_or(key_invalid)?;
                let signature =
                    secp256k1::ecdsa::Signature::from_compact(&self.signature.0).map_err(|_| invalid)?;
                let digest = secp256k1::Message::from_digest(sha256(&[self.message]).0);
                secp256k1::ecdsa::verify(&signature, digest, &key).map_err(|_| invalid)
            }
            PublicKey::Ed25519(bytes) => {
                let key = verifying::ed25519_key(bytes).ok_or(key_invalid)?;
                let is_taken = equations.add(number, &key, self.message, &self.signature.0);
                if is_taken { Ok(()) } else { Err(invalid) }
            }
        }
    }
}

impl std::fmt::Display for PublicKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&match self {
            Self::Secp256k1(bytes) => HEXLOWER.encode(bytes),
            Self::Ed25519(bytes) => HEXLOWER.encode(bytes),
        })
    }
}

impl std::fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "PublicKey({self})")
    }
}

impl std::str::FromStr for PublicKey {
    type Err = SignatureError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let bytes = match text.len() {
            64 | 66 => HEXLOWER.decode(text.as_bytes()).map_err(|_| SignatureError::KeyFormat)?,
            _ => return Err(SignatureError::KeyFormat),
        };
        match bytes.len() {
            32 => bytes.try_into().map(Self::Ed25519),
            _ => bytes.try_into().map(Self::Secp256k1),
        }
        .map_err(|_| SignatureError::KeyFormat)
    }
}

/// A private key, wiped from memory when dropped. Used by tools that sign; a node holds only its vote key.
#[derive(Clone)]
pub struct PrivateKey {
    curve: Curve,
    secret: Zeroizing<[u8; 32]>,
}

impl PrivateKey {
    /// A key from 32 secret bytes.
    ///
    /// # Errors
    /// When the bytes are not a secp256k1 scalar between 1 and the group order (all bytes make ed25519 keys).
    pub fn from_bytes(curve: Curve, secret: [u8; 32]) -> Result<Self, SignatureError> {
        if curve == Curve::Secp256k1 && secp256k1::SecretKey::from_secret_bytes(secret).is_err() {
            return Err(SignatureError::KeyInvalid(curve));
        }
        Ok(Self { curve, secret: Zeroizing::new(secret) })
    }

    /// The secret bytes.
    pub fn secret_bytes(&self) -> &[u8; 32] {
        &self.secret
    }

    /// The public key.
    pub fn public_key(&self) -> PublicKey {
        match self.curve {
            Curve::Secp256k1 => PublicKey::Secp256k1(self.secp256k1().public_key().serialize()),
            Curve::Ed25519 => PublicKey::Ed25519(self.ed25519().verifying_key().to_bytes()),
        }
    }

    /// Signs a message; deterministic for both schemes (RFC 6979, RFC 8032).
    pub fn sign(&self, message: &[u8]) -> Signature {
        match self.curve {
            Curve::Secp256k1 => {
                let digest = secp256k1::Message::from_digest(sha256(&[message]).0);
                let key = self.secp256k1().secret_key();
                Signature(secp256k1::ecdsa::sign(digest, &key).serialize_compact())
            }
            Curve::Ed25519 => Signature(self.ed25519().sign(message).to_bytes()),
        }
    }

    fn secp256k1(&self) -> secp256k1::Keypair {
        secp256k1::Keypair::from_secret_bytes(*self.secret).expect("invariant: checked when made")
    }

    fn ed25519(&self) -> ed25519_dalek::SigningKey {
        ed25519_dalek::SigningKey::from_bytes(&self.secret)
    }
}

impl std::fmt::Debug for PrivateKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "PrivateKey(of {})", self.public_key())
    }
}

#[cfg(test)]
mod tests {
    use super::{Claim, Curve, PrivateKey, PublicKey, Signature, SignatureError, TOGETHER, verify_all};

    #[test]
    fn both_schemes_sign_and_verify_and_refuse_a_changed_bit() {
        for curve in [Curve::Secp256k1, Curve::Ed25519] {
            let key = PrivateKey::from_bytes(curve, [7; 32]).unwrap();
            let public: PublicKey = key.public_key().to_string().parse().unwrap();
            let signature = key.sign(b"message");
            public.verify(b"message", &signature).unwrap();
            assert!(public.verify(b"messagf", &signature).is_err());
            for byte in 0..64 {
                let mut bytes = signature.0;
                bytes[byte] ^= 1;
                assert!(public.verify(b"message", &Signature(bytes)).is_err(), "{curve} byte {byte}");
            }
        }
    }

    #[test]
    fn a_bad_signature_is_named_before_a_later_key_that_is_no_point() {
        let key = PrivateKey::from_bytes(Curve::Ed25519, [7; 32]).unwrap();
        let (public, no_point) = (key.public_key(), PublicKey::Ed25519([2; 32]));
        let signature = key.sign(b"message");
        let claim = |key, message| Claim { key, message, signature };
        let (good, bad, other) =
            (claim(&public, b"message"), claim(&public, b"messagf"), claim(&no_point, b"message"));
        let [invalid, no_key] =
            [SignatureError::Invalid, SignatureError::KeyInvalid].map(|error| error(Curve::Ed25519));
        assert_eq!(verify_all([good, bad, other]), Err((1, invalid)));
        assert_eq!(verify_all([good, other, bad]), Err((1, no_key)));
        // Wherever it stands among many.
        for at in 0..3 * TOGETHER {
            let mut claims = [good; 3 * TOGETHER];
            assert_eq!(verify_all(claims), Ok(()));
            claims[at] = bad;
            assert_eq!(verify_all(claims), Err((at, invalid)));
        }
    }

    #[test]
    fn the_first_bad_signature_of_both_schemes_is_named() {
        let keys =
            [Curve::Secp256k1, Curve::Ed25519].map(|curve| PrivateKey::from_bytes(curve, [7; 32]).unwrap());
        let publics = keys.clone().map(|key| key.public_key());
        for pattern in 0..3u32.pow(5) {
            // Of each signature: whether it is good, has an s above the order, or is of another message.
            let kinds: Vec<u32> = (0..5).map(|place| pattern / 3u32.pow(place) % 3).collect();
            for curves in 0..2usize.pow(5) {
                let curve_of = |number: usize| curves >> number & 1;
                let signatures: Vec<Signature> = kinds
                    .iter()
                    .enumerate()
                    .map(|(number, kind)| match kind {
                        0 => keys[curve_of(number)].sign(b"message"),
                        1 => Signature([0xff; 64]),
                        _ => keys[curve_of(number)].sign(b"another"),
                    })
                    .collect();
                let claims = signatures.iter().enumerate().map(|(number, signature)| Claim {
                    key: &publics[curve_of(number)],
                    message: b"message",
                    signature: *signature,
                });
                let first = kinds.iter().position(|kind| *kind != 0);
                let expected =
                    first.map(|number| (number, SignatureError::Invalid(publics[curve_of(number)].curve())));
                assert_eq!(verify_all(claims).err(), expected, "{kinds:?} {curves:b}");
            }
        }
    }

    #[test]
    fn a_public_key_is_lower_case_hex_of_one_of_two_lengths() {
        let key = PrivateKey::from_bytes(Curve::Secp256k1, [7; 32]).unwrap().public_key().to_string();
        assert!(key.to_uppercase().parse::<PublicKey>().is_err());
        assert!(key[..65].parse::<PublicKey>().is_err());
        assert!(format!("04{}", "11".repeat(64)).parse::<PublicKey>().is_err());
    }

    #[test]
    fn a_small_order_ed25519_key_never_verifies() {
        let identity = PublicKey::Ed25519({
            let mut point = [0; 32];
            point[0] = 1;
            point
        });
        let mut signature = [0; 64];
        signature[0] = 1;
        assert!(identity.verify(b"anything", &Signature(signature)).is_err());
    }
}
