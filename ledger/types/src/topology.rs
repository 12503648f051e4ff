//! Who may vote: clusters of validators. Fixed per epoch; its canonical encoding gives `cfg_hash`.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::codec::Writer;
use crate::hash::sha512_256;
use crate::ids::{ConfigHash, fixed_bytes};
use crate::limits;

fixed_bytes! {
    /// The ed25519 public key that a validator votes with.
    VoteKey, 32
}
fixed_bytes! {
    /// The ed25519 public key that a node identifies itself with on the network.
    NetKey, 32
}

/// A validator's place: which cluster, and which of its nodes, both from 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ValidatorId {
    /// The cluster's index in the topology.
    pub cluster: u16,
    /// The node's index in its cluster.
    pub node: u16,
}

/// Shown as in configuration, from 1: `c2-1` is the first node of the second cluster.
impl std::fmt::Display for ValidatorId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "c{}-{}", u32::from(self.cluster) + 1, u32::from(self.node) + 1)
    }
}

/// One voting node.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Validator {
    /// A name for people, unique in the topology.
    pub name: String,
    /// The key it votes with.
    pub vote_key: VoteKey,
    /// The key it identifies itself with on the network.
    pub net_key: NetKey,
    /// Whether it may serve as an arbitrator.
    pub delegate: bool,
}

/// A cluster of validators.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Cluster {
    /// A name for people, unique in the topology.
    pub name: String,
    /// Its validators, in order.
    pub validators: Vec<Validator>,
}

/// The committee of an epoch. Can only be made by [`Topology::new`], which checks it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Topology {
    clusters: Vec<Cluster>,
}

/// Why clusters are not a topology.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum TopologyError {
    /// No cluster, or a cluster without a validator.
    #[error("{0} has no validators")]
    Empty(String),
    /// More than the most clusters or validators.
    #[error("{what} has more than {limit}")]
    TooMany {
        /// What is too large.
        what: String,
        /// The limit.
        limit: usize,
    },
    /// A name or a key stands twice.
    #[error("{0} stands twice in the topology")]
    Duplicate(String),
    /// A name is empty or longer than 64 bytes.
    #[error("the name {0:?} is empty or longer than 64 bytes")]
    Name(String),
    /// With four or more clusters, none may hold more than a third of the validators.
    #[error("cluster {0} holds more than a third of the validators")]
    Dominant(String),
}

impl Topology {
    /// Checks clusters and makes them a topology.
    ///
    /// # Errors
    /// The first rule broken.
    pub fn new(clusters: Vec<Cluster>) -> Result<Self, TopologyError> {
        if clusters.is_empty() {
            return Err(TopologyError::Empty("the topology".into()));
        }
        if clusters.len() > limits::CLUSTERS {
            return Err(TopologyError::TooMany { what: "the topology".into(), limit: limits::CLUSTERS });
        }
        let total: usize = clusters.iter().map(|cluster| cluster.validators.len()).sum();
        let (mut names, mut keys) = (BTreeSet::new(), BTreeSet::new());
        for cluster in &clusters {
            check_name(&cluster.name, &mut names)?;
            if cluster.validators.is_empty() {
                return Err(TopologyError::Empty(format!("cluster {}", cluster.name)));
            }
            if cluster.validators.len() > limits::VALIDATORS_PER_CLUSTER {
                let what = format!("cluster {}", cluster.name);
                return Err(TopologyError::TooMany { what, limit: limits::VALIDATORS_PER_CLUSTER });
            }
            if clusters.len() >= 4 && 3 * cluster.validators.len() > total {
                return Err(TopologyError::Dominant(cluster.name.clone()));
            }
            for validator in &cluster.validators {
                check_name(&validator.name, &mut names)?;
                for key in [validator.vote_key.0, validator.net_key.0] {
                    if !keys.insert(key) {
                        return Err(TopologyError::Duplicate(format!("a key of {}", validator.name)));
                    }
                }
            }
        }
        Ok(Self { clusters })
    }

    /// The clusters in order.
    pub fn clusters(&self) -> &[Cluster] {
        &self.clusters
    }

    /// The sizes of the clusters in order.
    pub fn shape(&self) -> Vec<usize> {
        self.clusters.iter().map(|cluster| cluster.validators.len()).collect()
    }

    /// Every validator with its place, clusters first.
    pub fn validators(&self) -> impl Iterator<Item = (ValidatorId, &Validator)> {
        (0u16..).zip(&self.clusters).flat_map(|(cluster, members)| {
            let place = move |node| ValidatorId { cluster, node };
            (0u16..).map(place).zip(&members.validators)
        })
    }

    /// The validator at a place.
    pub fn validator(&self, id: ValidatorId) -> Option<&Validator> {
        self.clusters.get(usize::from(id.cluster))?.validators.get(usize::from(id.node))
    }

    /// The place of the validator that votes with a key.
    pub fn find(&self, key: &VoteKey) -> Option<ValidatorId> {
        self.validators().find(|(_, validator)| validator.vote_key == *key).map(|(id, _)| id)
    }

    /// The canonical bytes: counts, names, keys and roles in order.
    pub fn encode(&self, writer: &mut Writer) {
        writer.u16(length(self.clusters.len()));
        for cluster in &self.clusters {
            writer.bytes(cluster.name.as_bytes()).u16(length(cluster.validators.len()));
            for validator in &cluster.validators {
                writer.bytes(validator.name.as_bytes());
                writer.raw(&validator.vote_key.0).raw(&validator.net_key.0).u8(u8::from(validator.delegate));
            }
        }
    }

    /// The committee's id.
    pub fn cfg_hash(&self) -> ConfigHash {
        let mut writer = Writer::new();
        self.encode(&mut writer);
        ConfigHash(sha512_256(&[b"dgt-cfg", &writer.finish()]).0)
    }
}

impl<'de> Deserialize<'de> for Topology {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Unchecked {
            clusters: Vec<Cluster>,
        }
        let unchecked = Unchecked::deserialize(deserializer)?;
        Self::new(unchecked.clusters).map_err(serde::de::Error::custom)
    }
}

fn check_name<'a>(name: &'a str, names: &mut BTreeSet<&'a str>) -> Result<(), TopologyError> {
    if name.is_empty() || name.len() > 64 {
        return Err(TopologyError::Name(name.to_owned()));
    }
    if !names.insert(name) {
        return Err(TopologyError::Duplicate(format!("the name {name}")));
    }
    Ok(())
}

fn length(len: usize) -> u16 {
    u16::try_from(len).expect("invariant: checked by Topology::new")
}
