//! Signing: unsigned transactions in, the signed protobuf messages of existing clients out, byte for byte. The nonce
//! is the caller's, so equal input gives equal bytes.

use bytes::Bytes;
use data_encoding::HEXLOWER;
use ledger_types::hash::sha512;
use ledger_types::proto::client as proto;
use ledger_types::{Address, PrivateKey, PublicKey};
use prost::Message as _;

/// A transaction before it is signed. The families' folders make them with the right addresses.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UnsignedTransaction {
    /// The family's name.
    pub family_name: String,
    /// The family's version.
    pub family_version: String,
    /// Addresses, or prefixes of addresses, that it may read; hex.
    pub inputs: Vec<String>,
    /// Addresses, or prefixes of addresses, that it may change; hex.
    pub outputs: Vec<String>,
    /// Ids of transactions that must commit earlier.
    pub dependencies: Vec<String>,
    /// Tells apart transactions that are equal otherwise.
    pub nonce: String,
    /// What the family reads.
    pub payload: Bytes,
}

impl UnsignedTransaction {
    /// A transaction that reads and changes the same addresses, with an empty nonce and no dependency.
    pub fn new(family_name: &str, family_version: &str, addresses: &[Address], payload: Vec<u8>) -> Self {
        let addresses: Vec<String> = addresses.iter().map(Address::to_string).collect();
        Self {
            family_name: family_name.to_owned(),
            family_version: family_version.to_owned(),
            inputs: addresses.clone(),
            outputs: addresses,
            payload: payload.into(),
            ..Self::default()
        }
    }

    /// The same with this nonce.
    #[must_use]
    pub fn with_nonce(mut self, nonce: impl Into<String>) -> Self {
        self.nonce = nonce.into();
        self
    }

    /// The same with one more dependency.
    #[must_use]
    pub fn after(mut self, transaction_id: impl Into<String>) -> Self {
        self.dependencies.push(transaction_id.into());
        self
    }

    /// Signs the transaction for a batch that `batcher` will sign.
    pub fn sign(&self, signer: &PrivateKey, batcher: &PublicKey) -> proto::Transaction {
        let header = proto::TransactionHeader {
            batcher_public_key: batcher.to_string(),
            dependencies: self.dependencies.clone(),
            family_name: self.family_name.clone(),
            family_version: self.family_version.clone(),
            inputs: self.inputs.clone(),
            nonce: self.nonce.clone(),
            outputs: self.outputs.clone(),
            payload_sha512: HEXLOWER.encode(&sha512(&[&self.payload])),
            signer_public_key: signer.public_key().to_string(),
        };
        let header = header.encode_to_vec();
        let header_signature = signer.sign(&header).to_string();
        proto::Transaction { header: header.into(), header_signature, payload: self.payload.clone() }
    }
}

/// Signs transactions and their batch with one key.
pub fn sign_batch(key: &PrivateKey, transactions: &[UnsignedTransaction]) -> proto::Batch {
    let batcher = key.public_key();
    batch_of(key, transactions.iter().map(|transaction| transaction.sign(key, &batcher)).collect())
}

/// Signs a batch of transactions that name this batcher and may have other signers.
pub fn batch_of(batcher: &PrivateKey, transactions: Vec<proto::Transaction>) -> proto::Batch {
    let header = proto::BatchHeader {
        signer_public_key: batcher.public_key().to_string(),
        transaction_ids: transactions
            .iter()
            .map(|transaction| transaction.header_signature.clone())
            .collect(),
    };
    let header = header.encode_to_vec();
    let header_signature = batcher.sign(&header).to_string();
    proto::Batch { header: header.into(), header_signature, transactions, ..proto::Batch::default() }
}
