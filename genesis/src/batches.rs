//! The signed batch that block 0 executes.
//!
//! Its signers are keys derived from the network's id, which everybody can derive, so they must have no say afterwards.
//! They pass through the ordinary rules of the settings family, which has no exception for genesis: as many derived
//! keys as the network's threshold are authorized, set everything, raise the threshold to its value, and last vote the
//! real keys in and thereby themselves out.

use ledger_types::hash::sha512_256;
use ledger_types::setting::{APPROVAL_THRESHOLD, AUTHORIZED_KEYS, TOPOLOGY};
use ledger_types::signature::Curve;
use ledger_types::{Batch, ConfigHash, Lineage, NetworkId, PrivateKey, Topology, Verified};
use txfamilies::settings::{proposal_id, propose, vote};
use txfamilies::{MemoryContext, UnsignedTransaction, batch_of, registry};

use crate::network_file::{NetworkFile, NetworkFileError};

/// The consensus algorithm's name and version, as settings say them.
pub const ALGORITHM: (&str, &str) = ("fbft", "1.0");

/// What block 0 is made of.
#[derive(Clone, Debug)]
pub struct Genesis {
    /// The ids of the network: the first, which block 0 carries, and those after agreed rollbacks.
    pub lineage: Lineage,
    /// The first committee.
    pub topology: Topology,
    /// The first committee's id.
    pub cfg_hash: ConfigHash,
    /// The time of block 0, milliseconds since 1970.
    pub time_ms: u64,
    /// The batches of block 0 in order. Each is valid on the state that those before it leave; the first, on none.
    pub batches: Vec<Verified<Batch>>,
}

/// A transaction of the first batch: the setting it is about, and the index of the derived key that signs it.
struct Step {
    setting: String,
    signer: usize,
    transaction: UnsignedTransaction,
}

impl NetworkFile {
    /// Makes the genesis, and tries its transactions on an empty state.
    ///
    /// # Errors
    /// When the batch breaks a limit or a transaction is refused; the settings at fault are named.
    pub fn genesis(&self) -> Result<Genesis, NetworkFileError> {
        let network_id = self.network_id();
        let keys: Vec<PrivateKey> =
            (0..self.settings.approval_threshold).map(|index| derived_key(&network_id, index)).collect();
        let steps = self.steps(&keys);
        let batcher = keys[0].public_key();
        let signed = (0u32..).zip(&steps).map(|(nonce, step)| {
            step.transaction.clone().with_nonce(nonce.to_string()).sign(&keys[step.signer], &batcher)
        });
        let batch = Batch::from_proto(batch_of(&keys[0], signed.collect()))?.verify()?;
        self.try_out(&batch, &steps)?;
        Ok(Genesis {
            lineage: self.lineage(),
            topology: self.topology.clone(),
            cfg_hash: self.cfg_hash(),
            time_ms: self.time_ms,
            batches: vec![batch],
        })
    }

    /// The batches of block 0.
    ///
    /// # Errors
    /// As [`NetworkFile::genesis`].
    pub fn batches(&self) -> Result<Vec<Verified<Batch>>, NetworkFileError> {
        self.genesis().map(|genesis| genesis.batches)
    }

    fn steps(&self, keys: &[PrivateKey]) -> Vec<Step> {
        let topology = serde_json::to_string(&self.topology).expect("invariant: strings and booleans only");
        let derived: Vec<String> = keys.iter().map(|key| key.public_key().to_string()).collect();
        let mut values = vec![(AUTHORIZED_KEYS.to_owned(), derived.join(","))];
        values.extend(self.settings.on_ledger());
        values.push((TOPOLOGY.to_owned(), topology));
        values.push((APPROVAL_THRESHOLD.to_owned(), self.settings.approval_threshold.to_string()));
        let real_keys = self.settings.authorized_keys_value();
        let hand_over = proposal_id(AUTHORIZED_KEYS, &real_keys, "");
        values.push((AUTHORIZED_KEYS.to_owned(), real_keys));

        let proposals = values.into_iter().map(|(setting, value)| {
            let transaction = propose(&setting, &value, "");
            Step { setting, signer: 0, transaction }
        });
        let votes = (1..keys.len()).map(|signer| {
            let transaction = vote(AUTHORIZED_KEYS, &hand_over, true);
            Step { setting: AUTHORIZED_KEYS.to_owned(), signer, transaction }
        });
        proposals.chain(votes).collect()
    }

    fn try_out(&self, batch: &Batch, steps: &[Step]) -> Result<(), NetworkFileError> {
        let mut context = MemoryContext::new(self.time_ms);
        for (transaction, step) in batch.transactions.iter().zip(steps) {
            context.apply(&registry(), transaction).map_err(|error| NetworkFileError::Refused {
                setting: step.setting.clone(),
                message: error.to_string(),
            })?;
        }
        Ok(())
    }
}

/// A key that everybody who knows the network can derive.
fn derived_key(network_id: &NetworkId, index: u32) -> PrivateKey {
    let secret = sha512_256(&[b"dgt-genesis-key", network_id.as_bytes(), &index.to_be_bytes()]);
    PrivateKey::from_bytes(Curve::Ed25519, secret.0).expect("invariant: any bytes make an ed25519 key")
}
