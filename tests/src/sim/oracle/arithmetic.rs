//! Quorums by their definition, not by the production formulas: the least number of members of which two groups always
//! share one more than may lie.

/// How many of `n` may lie.
pub(crate) fn tolerated(n: usize) -> usize {
    (0..n).rfind(|f| 3 * f < n).unwrap_or(0)
}

/// The least size of which two groups out of `n` share more than the tolerated liars.
fn group(n: usize) -> usize {
    (1..=n).find(|k| 2 * k > n + tolerated(n)).unwrap_or(n)
}

/// The least size that is more than two thirds of `n`.
fn flat(n: usize) -> usize {
    (1..=n).find(|k| 3 * k > 2 * n).unwrap_or(n)
}

/// The clusters of a network as sets of node indices.
#[derive(Clone, Debug)]
pub(crate) struct Arithmetic {
    /// A bit for each node of each cluster; nodes are counted over all clusters.
    clusters: Vec<u64>,
    node_quorums: Vec<u32>,
    cluster_quorum: usize,
    flat_quorum: u32,
}

impl Arithmetic {
    /// For clusters of these sizes, at most 64 nodes in all.
    pub(crate) fn new(shape: &[usize]) -> Self {
        let mut clusters = Vec::new();
        let mut first = 0;
        for size in shape {
            clusters.push((0..*size).fold(0u64, |bits, node| bits | 1 << (first + node)));
            first += size;
        }
        let count = |size: usize| u32::try_from(size).expect("at most 64 nodes");
        Self {
            clusters,
            node_quorums: shape.iter().map(|size| count(group(*size))).collect(),
            cluster_quorum: group(shape.len()),
            flat_quorum: count(flat(first)),
        }
    }

    /// Whether a set of nodes is a quorum.
    pub(crate) fn is_quorum(&self, nodes: u64) -> bool {
        let all = self.clusters.iter().fold(0, |all, cluster| all | cluster);
        let has_quorum = |(cluster, least): (&u64, &u32)| (cluster & nodes).count_ones() >= *least;
        (nodes & all).count_ones() >= self.flat_quorum
            && self.clusters.iter().zip(&self.node_quorums).filter(|it| has_quorum(*it)).count()
                >= self.cluster_quorum
    }

    /// Whether a set of nodes holds a node-quorum of a cluster.
    pub(crate) fn has_section(&self, cluster: u16, nodes: u64) -> bool {
        let cluster = usize::from(cluster);
        let parts = self.clusters.get(cluster).zip(self.node_quorums.get(cluster));
        parts.is_some_and(|(members, least)| (members & nodes).count_ones() >= *least)
    }

    /// Whether so few lie that M1 holds: anywhere, at most what all nodes together tolerate.
    pub(crate) fn is_m1(&self, liars: u64) -> bool {
        let size: u32 = self.clusters.iter().map(|cluster| cluster.count_ones()).sum();
        liars.count_ones() as usize <= tolerated(size as usize)
    }

    /// Whether so few lie that M2 holds: few clusters with more liars than they tolerate.
    pub(crate) fn is_m2(&self, liars: u64) -> bool {
        let is_broken = |cluster: &&u64| {
            (*cluster & liars).count_ones() as usize > tolerated(cluster.count_ones() as usize)
        };
        self.clusters.iter().filter(is_broken).count() <= tolerated(self.clusters.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thresholds_are_those_of_the_specification() {
        let groups: Vec<usize> = [1, 2, 3, 4, 5, 6, 7, 10, 13, 16].into_iter().map(group).collect();
        assert_eq!(groups, [1, 2, 2, 3, 4, 4, 5, 7, 9, 11]);
        let flats: Vec<usize> = [1, 4, 8, 12, 16, 36].into_iter().map(flat).collect();
        assert_eq!(flats, [1, 3, 6, 9, 11, 25]);
    }

    #[test]
    fn a_whole_cluster_and_one_liar_in_each_other_is_m2_and_not_m1() {
        let arithmetic = Arithmetic::new(&[4, 4, 4, 4]);
        let liars = 0b0001_0001_0001_1111;
        assert!(arithmetic.is_m2(liars) && !arithmetic.is_m1(liars));
        assert!(!arithmetic.is_m2(0b0011_0001_0001_1111));
        assert!(!arithmetic.is_quorum(!liars & 0xffff), "nine of sixteen");
        assert!(arithmetic.is_quorum(0b0000_0111_1111_1111), "eleven in three clusters");
        assert!(
            !arithmetic.is_quorum(0b0011_0011_1111_1111),
            "twelve, but a node-quorum in two clusters only"
        );
    }
}
