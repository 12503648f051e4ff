//! The network's first settings, as the file names them and as the ledger does.

use std::collections::BTreeMap;

use ledger_types::{PublicKey, limits, setting};
use serde::{Deserialize, Serialize};
use txfamilies::settings::{ALGORITHM_NAME, ALGORITHM_VERSION, check_value};

use crate::batches::ALGORITHM;
use crate::network_file::NetworkFileError;

/// The table `[settings]` of a network file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NetworkSettings {
    /// The keys that may propose settings and vote on them once the network runs.
    #[serde(with = "hex_keys")]
    pub authorized_keys: Vec<PublicKey>,
    /// How many of them must agree.
    #[serde(default = "one")]
    pub approval_threshold: u32,
    /// The most bytes of entries in a block. A batch that is larger is never in one.
    #[serde(default = "block_max_bytes")]
    pub block_max_bytes: u64,
    /// The first network-delay estimate, milliseconds; the default suits one site.
    #[serde(default = "delta0_ms")]
    pub delta0_ms: u64,
    /// The largest network-delay estimate, milliseconds; the default suits one site.
    #[serde(default = "delta_max_ms")]
    pub delta_max_ms: u64,
    /// How many heights of certificates stay; all when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retain_heights: Option<u64>,
    /// How many versions of state stay readable; all when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub keep_versions: Option<u64>,
    /// The most batches in a block; bounded by bytes alone when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_batches_per_block: Option<u64>,
    /// Any other settings, by their key on the ledger.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub other: BTreeMap<String, String>,
}

fn one() -> u32 {
    1
}

fn block_max_bytes() -> u64 {
    limits::BLOCK_BYTES as u64
}

fn delta0_ms() -> u64 {
    50
}

fn delta_max_ms() -> u64 {
    1_000
}

impl NetworkSettings {
    /// Settings with these authorized keys, a threshold of 1, and defaults that suit one site.
    pub fn new(authorized_keys: Vec<PublicKey>) -> Self {
        Self {
            authorized_keys,
            approval_threshold: one(),
            block_max_bytes: block_max_bytes(),
            delta0_ms: delta0_ms(),
            delta_max_ms: delta_max_ms(),
            retain_heights: None,
            keep_versions: None,
            max_batches_per_block: None,
            other: BTreeMap::new(),
        }
    }

    /// The settings on the ledger, but for the topology and the two that say who decides.
    pub(crate) fn on_ledger(&self) -> BTreeMap<String, String> {
        let numbers = [
            (setting::BLOCK_MAX_BYTES, Some(self.block_max_bytes)),
            (setting::DELTA0_MS, Some(self.delta0_ms)),
            (setting::DELTA_MAX_MS, Some(self.delta_max_ms)),
            (setting::RETAIN_HEIGHTS, self.retain_heights),
            (setting::KEEP_VERSIONS, self.keep_versions),
            (setting::MAX_BATCHES_PER_BLOCK, self.max_batches_per_block),
        ];
        let numbers = numbers.into_iter().filter_map(|(key, value)| Some((key, value?.to_string())));
        let algorithm = [(ALGORITHM_NAME, ALGORITHM.0), (ALGORITHM_VERSION, ALGORITHM.1)];
        let algorithm = algorithm.map(|(key, value)| (key, value.to_owned()));
        let named = numbers.chain(algorithm).map(|(key, value)| (key.to_owned(), value));
        self.other.clone().into_iter().chain(named).collect()
    }

    /// The authorized keys as the setting lists them.
    pub(crate) fn authorized_keys_value(&self) -> String {
        self.authorized_keys.iter().map(PublicKey::to_string).collect::<Vec<_>>().join(",")
    }

    /// Checks each setting by itself and those that belong together.
    pub(crate) fn check(&self) -> Result<(), NetworkFileError> {
        const ELSEWHERE: [&str; 12] = [
            setting::AUTHORIZED_KEYS,
            setting::APPROVAL_THRESHOLD,
            setting::PROPOSALS,
            setting::BLOCK_MAX_BYTES,
            setting::DELTA0_MS,
            setting::DELTA_MAX_MS,
            setting::RETAIN_HEIGHTS,
            setting::KEEP_VERSIONS,
            setting::MAX_BATCHES_PER_BLOCK,
            setting::TOPOLOGY,
            ALGORITHM_NAME,
            ALGORITHM_VERSION,
        ];
        if let Some(key) = ELSEWHERE.into_iter().find(|key| self.other.contains_key(*key)) {
            return Err(NetworkFileError::NotFree { key });
        }
        let refused = |message| NetworkFileError::Setting { message };
        check_value(setting::AUTHORIZED_KEYS, &self.authorized_keys_value()).map_err(refused)?;
        for (key, value) in self.on_ledger() {
            check_value(&key, &value).map_err(refused)?;
        }
        let (threshold, keys) = (self.approval_threshold, self.authorized_keys.len());
        if threshold == 0 || threshold as usize > keys {
            return Err(NetworkFileError::Threshold { threshold, keys });
        }
        if self.delta0_ms > self.delta_max_ms {
            return Err(NetworkFileError::Delays { first: self.delta0_ms, largest: self.delta_max_ms });
        }
        Ok(())
    }
}

/// Public keys as lower-case hex.
mod hex_keys {
    use ledger_types::PublicKey;
    use serde::de::Error as _;
    use serde::{Deserialize as _, Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(keys: &[PublicKey], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(keys.iter().map(PublicKey::to_string))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Vec<PublicKey>, D::Error> {
        let texts = Vec::<String>::deserialize(deserializer)?;
        texts.iter().map(|text| text.parse().map_err(D::Error::custom)).collect()
    }
}
