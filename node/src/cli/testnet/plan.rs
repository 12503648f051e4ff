//! Which ports the nodes of a network on one machine have.

use std::net::{Ipv4Addr, SocketAddr};

use anyhow::{Result, bail};
use ledger_types::{ValidatorId, limits};

/// The fixed plan has room for so many clusters and nodes of each: cluster k has the ports from 8k01 on.
const PLANNED_CLUSTERS: u16 = 9;
const PLANNED_NODES: u16 = 6;
const PLANNED_FIRST: u16 = 8_000;
const PLANNED_CLUSTER: u16 = 100;
/// The first ports of a cluster's nodes, above its hundred.
const PLANNED_NETWORK: u16 = 1;
const PLANNED_API: u16 = 8;
const PLANNED_ADMIN: u16 = 15;

/// What a node listens on, in the order of a consecutive plan.
const PORTS_PER_NODE: u16 = 3;

/// Where a node listens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct NodePorts {
    /// For the other validators.
    pub(super) network: SocketAddr,
    /// For clients.
    pub(super) api: SocketAddr,
    /// For the operator.
    pub(super) admin: SocketAddr,
}

/// Clusters of equal size, with a port for everything that their nodes listen on.
#[derive(Clone, Copy, Debug)]
pub(super) struct Plan {
    clusters: u16,
    nodes: u16,
    /// The first of consecutive ports; the fixed plan when absent.
    port_base: Option<u16>,
}

impl Plan {
    /// A plan for so many clusters of so many nodes each.
    ///
    /// # Errors
    /// When there are not ports for all of them, or no network is so large.
    pub(super) fn new(clusters: u16, nodes: u16, port_base: Option<u16>) -> Result<Self> {
        for (what, count, most) in
            [("--clusters", clusters, limits::CLUSTERS), ("--nodes", nodes, limits::VALIDATORS_PER_CLUSTER)]
        {
            if count == 0 || usize::from(count) > most {
                bail!("{what} {count}: a network has 1 to {most}");
            }
        }
        match port_base {
            None if clusters > PLANNED_CLUSTERS || nodes > PLANNED_NODES => bail!(
                "the ports 8101 to 8920 have room for {PLANNED_CLUSTERS} clusters of {PLANNED_NODES} nodes, not for \
                 {clusters} of {nodes}: --port-base gives consecutive ports instead"
            ),
            Some(base) => {
                let last =
                    u32::from(base) + u32::from(PORTS_PER_NODE) * u32::from(clusters) * u32::from(nodes) - 1;
                if base == 0 || last > u16::MAX.into() {
                    bail!(
                        "--port-base {base}: the ports {base} to {last} are not all between 1 and {}",
                        u16::MAX
                    );
                }
            }
            None => {}
        }
        Ok(Self { clusters, nodes, port_base })
    }

    /// The validators, cluster by cluster.
    pub(super) fn validators(self) -> impl Iterator<Item = ValidatorId> {
        (0..self.clusters)
            .flat_map(move |cluster| (0..self.nodes).map(move |node| ValidatorId { cluster, node }))
    }

    /// How many clusters there are.
    pub(super) fn clusters(self) -> u16 {
        self.clusters
    }

    /// How many nodes a cluster has.
    pub(super) fn nodes(self) -> u16 {
        self.nodes
    }

    /// The first of consecutive ports, when it is not the fixed plan.
    pub(super) fn port_base(self) -> Option<u16> {
        self.port_base
    }

    /// Where one of the plan's validators listens.
    pub(super) fn ports(self, validator: ValidatorId) -> NodePorts {
        let ValidatorId { cluster, node } = validator;
        let [network, api, admin] = match self.port_base {
            None => [PLANNED_NETWORK, PLANNED_API, PLANNED_ADMIN]
                .map(|first| PLANNED_FIRST + PLANNED_CLUSTER * (cluster + 1) + first + node),
            Some(base) => [0, 1, 2].map(|port| base + PORTS_PER_NODE * (cluster * self.nodes + node) + port),
        }
        .map(|port| SocketAddr::from((Ipv4Addr::LOCALHOST, port)));
        NodePorts { network, api, admin }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::Plan;

    fn ports(plan: Plan) -> Vec<[u16; 3]> {
        let ports = plan.validators().map(|validator| plan.ports(validator));
        ports.map(|ports| [ports.network, ports.api, ports.admin].map(|address| address.port())).collect()
    }

    #[test]
    fn the_fixed_plan_gives_each_cluster_a_hundred() {
        let largest = ports(Plan::new(9, 6, None).unwrap());
        assert_eq!(largest[..2], [[8101, 8108, 8115], [8102, 8109, 8116]]);
        assert_eq!(largest[6], [8201, 8208, 8215]);
        assert_eq!(largest[53], [8906, 8913, 8920]);
        assert_eq!(largest.iter().flatten().collect::<BTreeSet<_>>().len(), 9 * 6 * 3);
    }

    #[test]
    fn a_base_gives_consecutive_ports() {
        let flat: Vec<u16> = ports(Plan::new(10, 7, Some(20_000)).unwrap()).into_iter().flatten().collect();
        assert!(flat.into_iter().eq(20_000..20_000 + 10 * 7 * 3));
        Plan::new(1, 1, Some(65_533)).unwrap();
    }

    #[test]
    fn what_does_not_fit_is_refused_by_its_name() {
        for (clusters, nodes, base, words) in [
            (10, 1, None, "--port-base"),
            (1, 7, None, "--port-base"),
            (0, 4, None, "--clusters 0"),
            (1, 0, Some(9_000), "--nodes 0"),
            (65, 1, Some(9_000), "--clusters 65"),
            (1, 65, Some(9_000), "--nodes 65"),
            (1, 1, Some(65_534), "--port-base 65534"),
            (1, 1, Some(0), "--port-base 0"),
            (64, 64, Some(60_000), "--port-base 60000"),
        ] {
            let refusal = Plan::new(clusters, nodes, base).unwrap_err().to_string();
            assert!(refusal.contains(words), "{refusal}");
        }
    }
}
