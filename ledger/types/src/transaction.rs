//! One signed transaction. The header bytes stay as the client signed them; nothing is ever re-encoded to verify.

use std::sync::OnceLock;

use bytes::Bytes;
use prost::Message as _;
use thiserror::Error;

use crate::hash::{Hash, sha512, sha512_256};
use crate::ids::TransactionId;
use crate::limits;
use crate::proto::client as proto;
use crate::signature::{Claim, PublicKey, Signature, SignatureError, verify_all};

/// A transaction whose structure is sound. Its signature is checked with its batch's, or by
/// [`Transaction::verify_signature`].
#[derive(Clone, Debug)]
pub struct Transaction {
    /// The id: the header's signature.
    pub id: TransactionId,
    /// The decoded header.
    pub header: proto::TransactionHeader,
    /// The header as received: what is signed, stored and served.
    pub header_bytes: Bytes,
    /// The payload, opaque to all but its family.
    pub payload: Bytes,
    /// The signer's key, parsed from the header.
    pub signer: PublicKey,
    /// What [`Transaction::content_hash`] gave; clones have it, too.
    content_hash: OnceLock<Hash>,
}

/// A structural rule that a transaction breaks.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum TransactionError {
    /// The header is not a TransactionHeader message.
    #[error("header is not a TransactionHeader message")]
    HeaderNotDecodable,
    /// The header signature is not an id.
    #[error("header_signature is not 128 lower-case hex characters")]
    IdFormat,
    /// The signer's key is malformed.
    #[error("signer_public_key: {0}")]
    SignerKey(SignatureError),
    /// The signature does not verify under the signer's key.
    #[error("header_signature: {0}")]
    Signature(SignatureError),
    /// The payload's hash differs from the header's.
    #[error("payload_sha512 is not the SHA-512 of the payload")]
    PayloadHash,
    /// A dependency is the empty string.
    #[error("a dependency is empty")]
    EmptyDependency,
    /// A limit is exceeded.
    #[error("{what} exceeds the limit of {limit}")]
    Limit {
        /// What is too large.
        what: &'static str,
        /// The limit, in the unit of `what`.
        limit: usize,
    },
}

impl Transaction {
    /// Checks the structure of a received transaction, but not its signature.
    ///
    /// # Errors
    /// The first rule broken.
    pub fn from_proto(message: proto::Transaction) -> Result<Self, TransactionError> {
        let id = message.header_signature.parse().map_err(|_| TransactionError::IdFormat)?;
        Self::from_parts(id, message.header, message.payload)
    }

    /// As [`Transaction::from_proto`], from the parts that are stored.
    ///
    /// # Errors
    /// The first rule broken.
    pub fn from_parts(
        id: TransactionId,
        header_bytes: Bytes,
        payload: Bytes,
    ) -> Result<Self, TransactionError> {
        let header = proto::TransactionHeader::decode(header_bytes.clone())
            .map_err(|_| TransactionError::HeaderNotDecodable)?;
        check_limits(&header, &payload)?;
        let signer = header.signer_public_key.parse().map_err(TransactionError::SignerKey)?;
        if header.dependencies.iter().any(String::is_empty) {
            return Err(TransactionError::EmptyDependency);
        }
        let hash = sha512(&[&payload]);
        if data_encoding::HEXLOWER.encode(&hash) != header.payload_sha512 {
            return Err(TransactionError::PayloadHash);
        }
        Ok(Self { id, header, header_bytes, payload, signer, content_hash: OnceLock::new() })
    }

    /// The header's signature, to be verified.
    pub(crate) fn claim(&self) -> Claim<'_> {
        Claim { key: &self.signer, message: &self.header_bytes, signature: Signature(self.id.0) }
    }

    /// Verifies the header's signature.
    ///
    /// # Errors
    /// When it does not verify under the signer's key.
    pub fn verify_signature(&self) -> Result<(), TransactionError> {
        verify_all([self.claim()]).map_err(|(_, error)| TransactionError::Signature(error))
    }

    /// What the signer said, whatever the signature's bytes: a second signature over the same header and payload
    /// must not make a second transaction. The payload's hash is in the header. Computed once.
    pub fn content_hash(&self) -> Hash {
        *self.content_hash.get_or_init(|| sha512_256(&[b"dgt-txn-content", &self.header_bytes]))
    }
}

fn check_limits(header: &proto::TransactionHeader, payload: &Bytes) -> Result<(), TransactionError> {
    let each = |items: &[String]| items.iter().map(String::len).max().unwrap_or(0);
    let longest = each(&header.inputs).max(each(&header.outputs)).max(each(&header.dependencies));
    for (value, limit, what) in [
        (payload.len(), limits::PAYLOAD_BYTES, "payload, in bytes,"),
        (header.inputs.len(), limits::ADDRESSES_PER_TRANSACTION, "the number of inputs"),
        (header.outputs.len(), limits::ADDRESSES_PER_TRANSACTION, "the number of outputs"),
        (header.dependencies.len(), limits::ADDRESSES_PER_TRANSACTION, "the number of dependencies"),
        (longest, limits::ADDRESS_BYTES, "an input, output or dependency, in bytes,"),
        (header.nonce.len(), limits::NONCE_BYTES, "nonce, in bytes,"),
        (header.family_name.len(), limits::FAMILY_NAME_BYTES, "family_name, in bytes,"),
        (header.family_version.len(), limits::FAMILY_VERSION_BYTES, "family_version, in bytes,"),
    ] {
        if value > limit {
            return Err(TransactionError::Limit { what, limit });
        }
    }
    Ok(())
}
