//! A batch: transactions that commit together or not at all, signed by one batcher.

use std::collections::BTreeSet;
use std::sync::Arc;

use bytes::Bytes;
use prost::Message as _;
use thiserror::Error;

use crate::codec::{CodecError, Reader, Writer};
use crate::ids::{BatchId, TransactionId};
use crate::limits;
use crate::proto::client as proto;
use crate::signature::{Claim, PublicKey, Signature, SignatureError, verify_all};
use crate::transaction::{Transaction, TransactionError};

/// A batch whose structure is sound. [`Batch::verify`] checks the signatures.
#[derive(Clone, Debug)]
pub struct Batch {
    /// The id: the header's signature.
    pub id: BatchId,
    /// The batcher's key, parsed from the header.
    pub signer: PublicKey,
    /// The header as received: what is signed, stored and served.
    pub header_bytes: Bytes,
    /// The transactions, in the order of the header's ids.
    pub transactions: Vec<Transaction>,
}

/// A value whose signatures were checked. There are two doors, both named for their reason.
/// Clones share it.
#[derive(Clone, Debug)]
pub struct Verified<T>(Arc<T>);

impl<T> std::ops::Deref for Verified<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

impl<T> Verified<T> {
    /// Takes the value out; copies it if it is shared.
    pub fn into_inner(self) -> T
    where
        T: Clone,
    {
        Arc::unwrap_or_clone(self.0)
    }

    /// The value, shared.
    pub fn share(&self) -> Arc<T> {
        self.0.clone()
    }
}

impl Verified<Batch> {
    /// A batch of a block that this node finalised earlier: it verified the signatures then.
    pub fn of_final_block(batch: Batch) -> Self {
        Self(Arc::new(batch))
    }
}

/// A rule that a batch breaks.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum BatchError {
    /// The header is not a BatchHeader message.
    #[error("batch header is not a BatchHeader message")]
    HeaderNotDecodable,
    /// The header signature is not an id.
    #[error("batch header_signature is not 128 lower-case hex characters")]
    IdFormat,
    /// The batcher's key is malformed.
    #[error("batch signer_public_key: {0}")]
    SignerKey(SignatureError),
    /// The signature does not verify under the batcher's key.
    #[error("batch header_signature: {0}")]
    Signature(SignatureError),
    /// A transaction breaks a rule of its own.
    #[error("transaction {index}: {error}")]
    Transaction {
        /// Its place in the batch, from 0.
        index: usize,
        /// The rule.
        error: TransactionError,
    },
    /// A transaction names another batcher.
    #[error("transaction {index}: batcher_public_key is not the batch's signer")]
    Batcher {
        /// Its place in the batch, from 0.
        index: usize,
    },
    /// The header names a transaction twice.
    #[error("transaction_ids has a duplicate")]
    DuplicateTransaction,
    /// The header's ids are not those of the transactions, in order.
    #[error("transaction_ids are not the ids of the transactions in order")]
    TransactionIds,
    /// More transactions than a batch may have.
    #[error("the number of transactions exceeds the limit of {}", limits::TRANSACTIONS_PER_BATCH)]
    TooManyTransactions,
    /// More bytes than a block may have, so no block could ever hold it.
    #[error("the batch exceeds the {} bytes of a block", limits::BLOCK_BYTES)]
    TooLarge,
    /// Stored bytes are not a batch.
    #[error("stored batch: {0}")]
    Codec(#[from] CodecError),
}

impl Batch {
    /// Checks the structure of a received batch, but no signature. Unsigned fields (trace, timestamp and unknown
    /// ones) are dropped.
    ///
    /// # Errors
    /// The first rule broken.
    pub fn from_proto(message: proto::Batch) -> Result<Self, BatchError> {
        let id = message.header_signature.parse().map_err(|_| BatchError::IdFormat)?;
        let transactions = message.transactions.into_iter().map(Transaction::from_proto);
        Self::from_parts(id, message.header, transactions)
    }

    fn from_parts(
        id: BatchId,
        header_bytes: Bytes,
        transactions: impl ExactSizeIterator<Item = Result<Transaction, TransactionError>>,
    ) -> Result<Self, BatchError> {
        if transactions.len() > limits::TRANSACTIONS_PER_BATCH {
            return Err(BatchError::TooManyTransactions);
        }
        let header =
            proto::BatchHeader::decode(header_bytes.clone()).map_err(|_| BatchError::HeaderNotDecodable)?;
        let signer = header.signer_public_key.parse().map_err(BatchError::SignerKey)?;
        // Collecting results would take memory anew with every doubling.
        let mut sound = Vec::with_capacity(transactions.len());
        for (index, transaction) in transactions.enumerate() {
            let transaction = transaction.map_err(|error| BatchError::Transaction { index, error })?;
            if transaction.header.batcher_public_key != header.signer_public_key {
                return Err(BatchError::Batcher { index });
            }
            sound.push(transaction);
        }
        let transactions = sound;
        if header.transaction_ids.iter().collect::<BTreeSet<_>>().len() != header.transaction_ids.len() {
            return Err(BatchError::DuplicateTransaction);
        }
        let ids = header.transaction_ids.iter().map(|id| id.parse::<TransactionId>().ok());
        if !ids.eq(transactions.iter().map(|transaction| Some(transaction.id))) {
            return Err(BatchError::TransactionIds);
        }
        let batch = Self { id, signer, header_bytes, transactions };
        if batch.encoded_len() > limits::BLOCK_BYTES {
            return Err(BatchError::TooLarge);
        }
        Ok(batch)
    }

    /// Verifies the batch's signature and that of every transaction.
    ///
    /// # Errors
    /// The first signature that does not verify.
    pub fn verify(self) -> Result<Verified<Self>, BatchError> {
        let of_batch =
            Claim { key: &self.signer, message: &self.header_bytes, signature: Signature(self.id.0) };
        let claims = std::iter::once(of_batch).chain(self.transactions.iter().map(Transaction::claim));
        verify_all(claims).map_err(|(number, error)| match number.checked_sub(1) {
            None => BatchError::Signature(error),
            Some(index) => BatchError::Transaction { index, error: TransactionError::Signature(error) },
        })?;
        Ok(Verified(Arc::new(self)))
    }

    /// Gives the batch bytes of its own: what it was read from may be far larger, and would stay in memory with it.
    pub fn detach(&mut self) {
        let own = |bytes: &mut Bytes| *bytes = Bytes::copy_from_slice(bytes);
        own(&mut self.header_bytes);
        for transaction in &mut self.transactions {
            own(&mut transaction.header_bytes);
            own(&mut transaction.payload);
        }
    }

    /// Bytes that [`Batch::encode`] writes.
    pub fn encoded_len(&self) -> usize {
        let transactions =
            self.transactions.iter().map(|t| 64 + 4 + t.header_bytes.len() + 4 + t.payload.len());
        64 + 4 + self.header_bytes.len() + 4 + transactions.sum::<usize>()
    }

    /// The stored form (ledger/FORMAT.md, "batch"): id, header, count, and for each transaction id, header, payload.
    pub fn encode(&self, writer: &mut Writer) {
        writer.reserve(self.encoded_len()).raw(&self.id.0).bytes(&self.header_bytes);
        let count = u32::try_from(self.transactions.len()).expect("invariant: at most 1,000 transactions");
        writer.u32(count);
        for transaction in &self.transactions {
            writer.raw(&transaction.id.0).bytes(&transaction.header_bytes).bytes(&transaction.payload);
        }
    }

    /// Reads the stored form.
    ///
    /// # Errors
    /// When the bytes are not a batch, or it breaks a structural rule.
    pub fn decode(reader: &mut Reader) -> Result<Self, BatchError> {
        let id = BatchId(reader.array("batch id")?);
        let header_bytes = reader.bytes("batch header")?;
        let count = reader.count(64 + 4 + 4, "transaction count")?;
        let mut parts = Vec::with_capacity(count);
        for _ in 0..count {
            parts.push((
                TransactionId(reader.array("transaction id")?),
                reader.bytes("transaction header")?,
                reader.bytes("payload")?,
            ));
        }
        let transactions =
            parts.into_iter().map(|(id, header, payload)| Transaction::from_parts(id, header, payload));
        Self::from_parts(id, header_bytes, transactions)
    }

    /// The protobuf form that clients know.
    pub fn to_proto(&self) -> proto::Batch {
        let transactions = self.transactions.iter().map(|transaction| proto::Transaction {
            header: transaction.header_bytes.clone(),
            header_signature: transaction.id.to_string(),
            payload: transaction.payload.clone(),
        });
        proto::Batch {
            header: self.header_bytes.clone(),
            header_signature: self.id.to_string(),
            transactions: transactions.collect(),
            trace: false,
            timestamp: 0,
        }
    }
}
