//! `/topology`, `/gates` and `/tx_families`: the network that the node belongs to and what it can execute.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use axum::extract::State;
use ledger_types::limits::VALIDATORS_PER_CLUSTER;
use ledger_types::topology::{NetKey, Validator};
use ledger_types::{ConfigHash, ValidatorId, VoteKey};
use serde::Serialize;

use crate::call::Call;
use crate::envelope::Envelope;
use crate::error::ApiResult;
use crate::shared::Shared;

/// `GET /topology`: clusters and their validators as a tree.
pub(crate) async fn topology(State(shared): State<Arc<Shared>>, call: Call) -> ApiResult {
    let topology = &shared.api.description.topology;
    let view = View::of(&shared);
    let clusters = (0_u16..).zip(topology.clusters()).map(|(cluster, members)| {
        let children = (0_u16..).zip(&members.validators).map(|(node, validator)| {
            (validator.name.as_str(), ValidatorShape::of(ValidatorId { cluster, node }, validator, &view))
        });
        let shape = ClusterShape {
            children: children.collect(),
            maxpeer: VALIDATORS_PER_CLUSTER,
            name: &members.name,
            segment: segment(cluster).to_string(),
            kind: "cluster",
        };
        (members.name.as_str(), shape)
    });
    let shape = NetworkShape { cfg_hash: topology.cfg_hash(), children: clusters.collect(), kind: "network" };
    Ok(Envelope::data(shape).link(call.link(&[])).ok())
}

/// `GET /gates`: the delegates, through which clusters reach one another.
pub(crate) async fn gates(State(shared): State<Arc<Shared>>, call: Call) -> ApiResult {
    let topology = &shared.api.description.topology;
    let view = View::of(&shared);
    let delegates = topology.validators().filter(|(_, validator)| validator.delegate);
    let gates = delegates.map(|(id, validator)| GateShape {
        cluster: topology.clusters().get(usize::from(id.cluster)).map_or("", |cluster| &cluster.name),
        gate: ValidatorShape::of(id, validator, &view),
    });
    Ok(Envelope::data(gates.collect::<Vec<_>>()).link(call.link(&[])).ok())
}

/// `GET /tx_families`: the families that this node executes.
pub(crate) async fn families(State(shared): State<Arc<Shared>>, call: Call) -> ApiResult {
    let families = shared.api.description.families.iter().map(|family| FamilyShape {
        commands: family.commands,
        name: family.names.first().copied().unwrap_or_default(),
        names: family.names,
        namespaces: family.namespaces,
        version: family.version,
    });
    Ok(Envelope::data(families.collect::<Vec<_>>()).link(call.link(&[])).ok())
}

/// How this node sees the committee now.
struct View {
    /// The validators with a link that is up, and this one as long as it takes part.
    active: BTreeSet<ValidatorId>,
    leader: ValidatorId,
}

impl View {
    fn of(shared: &Shared) -> Self {
        let (source, description) = (&shared.api.status, &shared.api.description);
        let status = source.status();
        let linked = status.links.iter().filter(|link| link.is_up).map(|link| link.validator);
        let places = description.topology.validators().map(|(id, _)| id);
        let takes_part = source.fault().is_none();
        let own = places.filter(|id| takes_part && id.to_string() == description.name);
        Self { active: linked.chain(own).collect(), leader: status.leader }
    }
}

#[derive(Serialize)]
struct NetworkShape<'a> {
    cfg_hash: ConfigHash,
    children: BTreeMap<&'a str, ClusterShape<'a>>,
    #[serde(rename = "type")]
    kind: &'static str,
}

#[derive(Serialize)]
struct ClusterShape<'a> {
    children: BTreeMap<&'a str, ValidatorShape<'a>>,
    maxpeer: usize,
    name: &'a str,
    segment: String,
    #[serde(rename = "type")]
    kind: &'static str,
}

#[derive(Serialize)]
struct ValidatorShape<'a> {
    delegate: bool,
    /// The name in the map notation, for example `AA.aa1`.
    mnemonic: String,
    name: &'a str,
    net_key: NetKey,
    node_state: &'static str,
    role: &'static str,
    #[serde(rename = "type")]
    kind: &'static str,
    /// The name in the metric notation, for example `c1-1`.
    validator: String,
    vote_key: VoteKey,
}

#[derive(Serialize)]
struct GateShape<'a> {
    cluster: &'a str,
    gate: ValidatorShape<'a>,
}

#[derive(Serialize)]
struct FamilyShape {
    commands: &'static [&'static str],
    name: &'static str,
    names: &'static [&'static str],
    namespaces: &'static [&'static str],
    version: &'static str,
}

impl<'a> ValidatorShape<'a> {
    fn of(id: ValidatorId, validator: &'a Validator, view: &View) -> Self {
        Self {
            delegate: validator.delegate,
            mnemonic: mnemonic(id),
            name: &validator.name,
            net_key: validator.net_key,
            node_state: if view.active.contains(&id) { "active" } else { "inactive" },
            role: if id == view.leader { "leader" } else { "plink" },
            kind: "peer",
            validator: id.to_string(),
            vote_key: validator.vote_key,
        }
    }
}

/// Clusters of a segment; each segment and each cluster in it has a letter.
const CLUSTERS_PER_SEGMENT: u16 = 26;

fn segment(cluster: u16) -> char {
    letter(cluster / CLUSTERS_PER_SEGMENT)
}

/// The second node of the third cluster is `AC.ac2`: segment A, cluster AC.
fn mnemonic(id: ValidatorId) -> String {
    let (segment, cluster) = (segment(id.cluster), letter(id.cluster % CLUSTERS_PER_SEGMENT));
    let lower = format!("{segment}{cluster}").to_ascii_lowercase();
    format!("{segment}{cluster}.{lower}{}", u32::from(id.node) + 1)
}

/// A topology has at most 64 clusters, so three segments are enough and `Z` is never passed.
fn letter(index: u16) -> char {
    u8::try_from(index).ok().and_then(|index| b'A'.checked_add(index)).map_or('?', char::from)
}

#[cfg(test)]
mod tests {
    use ledger_types::ValidatorId;

    use super::mnemonic;

    #[test]
    fn a_mnemonic_names_segment_cluster_and_node() {
        for (cluster, node, expected) in
            [(0, 0, "AA.aa1"), (2, 1, "AC.ac2"), (25, 63, "AZ.az64"), (63, 0, "CL.cl1")]
        {
            assert_eq!(mnemonic(ValidatorId { cluster, node }), expected);
        }
    }
}
