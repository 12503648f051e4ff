//! How many are enough: the only place where quorums are computed (SPEC 3.3).
//!
//! A quorum has a flat majority of all nodes *and* a node-quorum in a quorum of clusters. Two quorums share an honest
//! node if at most `f(N)` nodes lie anywhere, and also if at most `f(C)` clusters hold more liars than `f(n_c)`.

use ledger_types::ValidatorId;

/// The liars that a group of this size is built for: `f` of `n = 3f + 1`.
pub const fn faulty(size: usize) -> usize {
    size.saturating_sub(1) / 3
}

/// `ceil((n + f + 1) / 2)`: two such groups out of `n` share more than `f` members. For the nodes of a cluster and
/// for the clusters of a network.
pub const fn group_quorum(size: usize) -> usize {
    (size + faulty(size) + 1).div_ceil(2)
}

/// `floor(2N / 3) + 1`: the quorum of all nodes.
pub const fn flat_quorum(size: usize) -> usize {
    2 * size / 3 + 1
}

/// The thresholds of a committee.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Quorum {
    shape: Vec<usize>,
    node_quorums: Vec<usize>,
    cluster_quorum: usize,
    flat_quorum: usize,
}

impl Quorum {
    /// Thresholds for clusters of these sizes, each between 1 and 64.
    pub fn new(shape: Vec<usize>) -> Self {
        Self {
            node_quorums: shape.iter().map(|size| group_quorum(*size)).collect(),
            cluster_quorum: group_quorum(shape.len()),
            flat_quorum: flat_quorum(shape.iter().sum()),
            shape,
        }
    }

    /// The sizes of the clusters.
    pub fn shape(&self) -> &[usize] {
        &self.shape
    }

    /// How many nodes of a cluster make its section a cluster certificate; `None` if there is no such cluster.
    pub fn node_quorum(&self, cluster: u16) -> Option<usize> {
        self.node_quorums.get(usize::from(cluster)).copied()
    }

    /// How many clusters must reach their node-quorum.
    pub fn cluster_quorum(&self) -> usize {
        self.cluster_quorum
    }

    /// How many nodes are needed in all.
    pub fn flat_quorum(&self) -> usize {
        self.flat_quorum
    }

    /// Whether so many distinct nodes per cluster are a quorum. Clusters beyond the shape count for nothing.
    pub fn is_met(&self, counts: &[usize]) -> bool {
        let clusters = counts.iter().zip(&self.node_quorums).filter(|(count, least)| count >= least).count();
        let nodes: usize = counts.iter().zip(&self.shape).map(|(count, size)| count.min(size)).sum();
        nodes >= self.flat_quorum && clusters >= self.cluster_quorum
    }

    /// Whether these nodes are a quorum. One that is named twice, or is not in the committee, adds nothing.
    pub fn is_met_by(&self, signers: impl IntoIterator<Item = ValidatorId>) -> bool {
        let mut seen = vec![0u64; self.shape.len()];
        for signer in signers {
            let cluster = usize::from(signer.cluster);
            if self.shape.get(cluster).is_some_and(|size| usize::from(signer.node) < *size) {
                seen[cluster] |= 1 << signer.node;
            }
        }
        let counts: Vec<usize> = seen.iter().map(|nodes| nodes.count_ones() as usize).collect();
        self.is_met(&counts)
    }
}
