//! Who leads which view: clusters in turn, and in each cluster its nodes in turn, both in an order drawn from the
//! id of the block that begins the epoch (SPEC 3.5, rotation).

use ledger_types::hash::sha512_256;
use ledger_types::{BlockId, Hash, ValidatorId};

/// The order of leaders in an epoch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Schedule {
    clusters: Vec<u16>,
    nodes: Vec<Vec<u16>>,
}

impl Schedule {
    /// The order for clusters of these sizes, none of them zero.
    pub(crate) fn new(shape: &[usize], epoch: u64, seed: &BlockId) -> Self {
        let order = |level: &[u8], count: usize| {
            let rank = |index: &u16| -> Hash {
                sha512_256(&[b"dgt-leader", &seed.0, &epoch.to_be_bytes(), level, &index.to_be_bytes()])
            };
            let mut indices: Vec<u16> = (0u16..).take(count).collect();
            indices.sort_by_cached_key(rank);
            indices
        };
        let nodes = (0u16..).zip(shape).map(|(cluster, size)| order(&cluster.to_be_bytes(), *size)).collect();
        Self { clusters: order(b"clusters", shape.len()), nodes }
    }

    /// The leader of a view.
    pub(crate) fn leader(&self, view: u64) -> ValidatorId {
        let cluster = pick(&self.clusters, view);
        let node = pick(&self.nodes[usize::from(cluster)], view / self.clusters.len() as u64);
        ValidatorId { cluster, node }
    }
}

fn pick(order: &[u16], turn: u64) -> u16 {
    let index = usize::try_from(turn % order.len() as u64).expect("invariant: less than a length");
    order[index]
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    #[test]
    fn every_node_of_a_cluster_leads_equally_often_and_clusters_take_turns() {
        let schedule = Schedule::new(&[2, 3, 1], 0, &BlockId([9; 64]));
        let mut turns: BTreeMap<ValidatorId, u64> = BTreeMap::new();
        for view in 1..=360 {
            assert_ne!(schedule.leader(view).cluster, schedule.leader(view + 1).cluster);
            *turns.entry(schedule.leader(view)).or_default() += 1;
        }
        let counts: Vec<u64> = turns.into_values().collect();
        assert_eq!(counts, [60, 60, 40, 40, 40, 120]);
    }

    #[test]
    fn the_order_depends_on_the_seed() {
        let orders: std::collections::BTreeSet<Vec<u16>> =
            (0..20).map(|seed| Schedule::new(&[1; 5], 0, &BlockId([seed; 64])).clusters).collect();
        assert!(orders.len() > 10);
    }
}
