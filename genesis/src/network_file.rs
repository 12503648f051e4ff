//! The network file: TOML that people write, checked once. Unknown keys are refused by name, units stand in names.

use ledger_types::topology::{Cluster, NetKey, TopologyError, Validator};
use ledger_types::{BatchError, ConfigHash, Lineage, NetworkId, PublicKey, Rollback, Topology, VoteKey};
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::canonical;
use crate::settings::NetworkSettings;

/// The latest time of a genesis, 2100-01-01: a larger number is in microseconds by mistake.
const LATEST_MS: u64 = 4_102_444_800_000;

/// A checked network file: everything that the members of a network must agree on before its first block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NetworkFile {
    pub(crate) name: String,
    pub(crate) time_ms: u64,
    pub(crate) settings: NetworkSettings,
    pub(crate) topology: Topology,
    pub(crate) rollbacks: Vec<Rollback>,
}

/// Why a file does not make a network.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum NetworkFileError {
    /// Not TOML, or not of this layout. The message names the place.
    #[error("network file: {0}")]
    Layout(String),
    /// The network's name is not usable as a folder's name.
    #[error("name: {0:?} must be 1 to 64 letters, digits, '-', '_' or '.', and not begin with '.'")]
    Name(String),
    /// The time is too late to be in milliseconds.
    #[error("time_ms: {0} is beyond the year 2100; it is in milliseconds since 1970")]
    Time(u64),
    /// The clusters are no topology.
    #[error("clusters: {0}")]
    Topology(#[from] TopologyError),
    /// A cluster has too few delegates to replace those that may fail.
    #[error("cluster {cluster} has {delegates} delegates and needs {needed}")]
    Delegates {
        /// The cluster's name.
        cluster: String,
        /// Its validators with `delegate = true`.
        delegates: usize,
        /// One more than may be faulty.
        needed: usize,
    },
    /// A setting's value is refused.
    #[error("settings: {message}")]
    Setting {
        /// Which and why.
        message: String,
    },
    /// A setting with a place of its own in the file, or made by genesis, stands among the others.
    #[error("settings.other: {key} cannot be set there")]
    NotFree {
        /// The setting.
        key: &'static str,
    },
    /// The threshold cannot be reached or asks nobody.
    #[error("settings.approval_threshold: {threshold} is not between 1 and the {keys} authorized keys")]
    Threshold {
        /// The threshold.
        threshold: u32,
        /// How many keys there are.
        keys: usize,
    },
    /// The delay estimates contradict each other.
    #[error("settings.delta0_ms: {first} is more than delta_max_ms, {largest}")]
    Delays {
        /// The first estimate, milliseconds.
        first: u64,
        /// The largest, milliseconds.
        largest: u64,
    },
    /// The first batch breaks a limit, for example by a topology too large.
    #[error("the first batch: {0}")]
    Batch(#[from] BatchError),
    /// A transaction of the first batch is refused by its family.
    #[error("the first batch, {setting}: {message}")]
    Refused {
        /// The setting it is about.
        setting: String,
        /// The family's message.
        message: String,
    },
}

/// The file's layout.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Layout {
    name: String,
    time_ms: u64,
    settings: NetworkSettings,
    clusters: Vec<Cluster>,
    #[serde(default, rename = "rollback", skip_serializing_if = "Vec::is_empty")]
    rollbacks: Vec<Rollback>,
}

impl NetworkFile {
    /// Checks the parts and makes them a network.
    ///
    /// # Errors
    /// The first rule broken.
    pub fn new(
        name: &str,
        time_ms: u64,
        settings: NetworkSettings,
        clusters: Vec<Cluster>,
    ) -> Result<Self, NetworkFileError> {
        Self::check_name(name)?;
        if time_ms > LATEST_MS {
            return Err(NetworkFileError::Time(time_ms));
        }
        let topology = Topology::new(clusters)?;
        topology.clusters().iter().try_for_each(check_delegates)?;
        settings.check()?;
        Ok(Self { name: name.to_owned(), time_ms, settings, topology, rollbacks: Vec::new() })
    }

    /// Checks a network's name.
    ///
    /// # Errors
    /// [`NetworkFileError::Name`], when a folder could not be called so.
    pub fn check_name(name: &str) -> Result<(), NetworkFileError> {
        let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
        if name.is_empty() || name.len() > 64 || name.starts_with('.') || !name.chars().all(is_plain) {
            return Err(NetworkFileError::Name(name.to_owned()));
        }
        Ok(())
    }

    /// Reads a network file.
    ///
    /// # Errors
    /// When the text is not TOML of the layout, or breaks a rule.
    pub fn parse(text: &str) -> Result<Self, NetworkFileError> {
        let layout: Layout =
            toml::from_str(text).map_err(|error| NetworkFileError::Layout(error.to_string()))?;
        let first = Self::new(&layout.name, layout.time_ms, layout.settings, layout.clusters)?;
        Ok(Self { rollbacks: layout.rollbacks, ..first })
    }

    /// A network of one validator, with one key that decides on settings.
    ///
    /// # Errors
    /// When the two keys of the validator are equal, or the time is nonsense.
    pub fn lone(
        vote_key: VoteKey,
        net_key: NetKey,
        authorized_key: PublicKey,
        time_ms: u64,
    ) -> Result<Self, NetworkFileError> {
        let validator = Validator { name: "c1-1".to_owned(), vote_key, net_key, delegate: true };
        let cluster = Cluster { name: "c1".to_owned(), validators: vec![validator] };
        Self::new("lone", time_ms, NetworkSettings::new(vec![authorized_key]), vec![cluster])
    }

    /// The file as TOML; parsing it gives an equal network.
    pub fn to_toml(&self) -> String {
        let layout = Layout {
            name: self.name.clone(),
            time_ms: self.time_ms,
            settings: self.settings.clone(),
            clusters: self.topology.clusters().to_vec(),
            rollbacks: self.rollbacks.clone(),
        };
        toml::to_string(&layout).expect("invariant: strings, booleans and integers below 2^63 in tables")
    }

    /// The network's name, for people.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The time of block 0, milliseconds since 1970.
    pub fn time_ms(&self) -> u64 {
        self.time_ms
    }

    /// The first settings.
    pub fn settings(&self) -> &NetworkSettings {
        &self.settings
    }

    /// The first committee.
    pub fn topology(&self) -> &Topology {
        &self.topology
    }

    /// The first committee's id.
    pub fn cfg_hash(&self) -> ConfigHash {
        self.topology.cfg_hash()
    }

    /// The bytes that the network's id is made of: the same for files that differ in order of tables, comments,
    /// spaces, or defaults written out.
    pub fn canonical(&self) -> Vec<u8> {
        canonical::encode(self)
    }

    /// The network's first id. Rollbacks have no part in it: block 0 stays what it is.
    pub fn network_id(&self) -> NetworkId {
        canonical::network_id(&self.canonical())
    }

    /// The first id and those after the agreed rollbacks, which stand at the end of the file in order.
    pub fn lineage(&self) -> Lineage {
        Lineage::new(self.network_id(), self.rollbacks.iter().copied())
    }

    /// What to write at the end of a network file for one more rollback.
    pub fn rollback_toml(rollback: &Rollback) -> String {
        format!("\n[[rollback]]\nheight = {}\nblock = \"{}\"\n", rollback.height, rollback.block)
    }
}

/// With one delegate more than may be faulty, one is always there to carry the cluster's votes.
fn check_delegates(cluster: &Cluster) -> Result<(), NetworkFileError> {
    let delegates = cluster.validators.iter().filter(|validator| validator.delegate).count();
    let needed = (cluster.validators.len() - 1) / 3 + 1;
    if delegates < needed {
        return Err(NetworkFileError::Delegates { cluster: cluster.name.clone(), delegates, needed });
    }
    Ok(())
}
