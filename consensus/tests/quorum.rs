//! Quorums by brute force over all cluster shapes with at most 16 nodes.

use std::collections::BTreeMap;

use consensus::Quorum;
use consensus::quorum::faulty;
use ledger_types::ValidatorId;

/// Every way to divide at most `nodes` nodes into clusters; the order of clusters does not matter.
fn shapes(nodes: usize) -> Vec<Vec<usize>> {
    fn extend(left: usize, largest: usize, shape: &mut Vec<usize>, found: &mut Vec<Vec<usize>>) {
        for size in 1..=left.min(largest) {
            shape.push(size);
            found.push(shape.clone());
            extend(left - size, size, shape, found);
            shape.pop();
        }
    }
    let mut found = Vec::new();
    extend(nodes, nodes, &mut Vec::new(), &mut found);
    found
}

/// Thresholds, so that wrong ones can be tried too.
#[derive(Clone, Debug)]
struct Thresholds {
    nodes: Vec<usize>,
    clusters: usize,
    flat: usize,
}

fn thresholds(shape: &[usize]) -> Thresholds {
    let quorum = Quorum::new(shape.to_vec());
    let nodes = (0u16..)
        .take(shape.len())
        .map(|cluster| quorum.node_quorum(cluster).expect("a cluster of the shape"))
        .collect();
    Thresholds { nodes, clusters: quorum.cluster_quorum(), flat: quorum.flat_quorum() }
}

/// The least total cost of the overlap of two quorums, over all pairs of quorums. Sets enter only by how many nodes
/// they take of each cluster: the least overlap inside one is then `x + y - n`, or nothing. Sums above a threshold are
/// cut to it, which leaves few states per cluster.
fn least_overlap(shape: &[usize], least: &Thresholds, cost: impl Fn(usize, usize) -> usize) -> usize {
    let mut states = BTreeMap::from([((0, 0, 0, 0), 0)]);
    for (size, node_quorum) in shape.iter().zip(&least.nodes) {
        let mut next: BTreeMap<_, usize> = BTreeMap::new();
        for ((x, y, x_clusters, y_clusters), spent) in states {
            for (take_x, take_y) in (0..=*size).flat_map(|x| (0..=*size).map(move |y| (x, y))) {
                let overlap = (take_x + take_y).saturating_sub(*size);
                let state = (
                    (x + take_x).min(least.flat),
                    (y + take_y).min(least.flat),
                    (x_clusters + usize::from(take_x >= *node_quorum)).min(least.clusters),
                    (y_clusters + usize::from(take_y >= *node_quorum)).min(least.clusters),
                );
                let total = spent + cost(overlap, *size);
                next.entry(state).and_modify(|known| *known = total.min(*known)).or_insert(total);
            }
        }
        states = next;
    }
    states[&(least.flat, least.flat, least.clusters, least.clusters)]
}

/// M1: with `f(N)` liars anywhere, two quorums share an honest node.
fn holds_under_m1(shape: &[usize], least: &Thresholds) -> bool {
    least_overlap(shape, least, |overlap, _| overlap) > faulty(shape.iter().sum())
}

/// M2: liars take whole clusters, `f(C)` of them, and `f(n_c)` nodes in each other. Two quorums share an honest node
/// exactly if in more than `f(C)` clusters they share more than `f(n_c)`.
fn holds_under_m2(shape: &[usize], least: &Thresholds) -> bool {
    least_overlap(shape, least, |overlap, size| usize::from(overlap > faulty(size))) > faulty(shape.len())
}

#[test]
fn two_quorums_always_share_an_honest_node() {
    let all = shapes(16);
    assert_eq!(all.len(), 914, "the partitions of 1 to 16");
    for shape in all {
        let least = thresholds(&shape);
        assert!(holds_under_m1(&shape, &least), "M1 fails for {shape:?}");
        assert!(holds_under_m2(&shape, &least), "M2 fails for {shape:?}");
    }
}

#[test]
fn one_less_anywhere_is_too_few_somewhere() {
    let fails = |change: fn(&mut Thresholds), holds: fn(&[usize], &Thresholds) -> bool| {
        shapes(10).into_iter().any(|shape| {
            let mut least = thresholds(&shape);
            change(&mut least);
            !holds(&shape, &least)
        })
    };
    assert!(fails(|least| least.flat -= 1, holds_under_m1));
    assert!(fails(|least| least.clusters -= 1, holds_under_m2));
    assert!(fails(|least| least.nodes.iter_mut().for_each(|least| *least -= 1), holds_under_m2));
    // "2f + 1" of six nodes: two quorums need not share anybody.
    let mut least = thresholds(&[6]);
    (least.flat, least.nodes) = (3, vec![3]);
    assert!(!holds_under_m1(&[6], &least));
}

#[test]
fn the_predicate_is_its_definition_for_every_count() {
    for shape in shapes(16) {
        let quorum = Quorum::new(shape.clone());
        let nodes: usize = shape.iter().sum();
        // The least numbers with the property, found by trying.
        let least_flat = (0..).find(|q| 3 * q > 2 * nodes).unwrap();
        let least_of = |size: usize| (0..).find(|q| 2 * q > size + faulty(size)).unwrap();
        let least_clusters = least_of(shape.len());
        let mut counts = vec![0; shape.len()];
        loop {
            let sound = shape.iter().zip(&counts).filter(|(size, count)| **count >= least_of(**size)).count();
            let expected = counts.iter().sum::<usize>() >= least_flat && sound >= least_clusters;
            assert_eq!(quorum.is_met(&counts), expected, "{shape:?} {counts:?}");
            let Some(turned) = (0..shape.len()).find(|index| counts[*index] < shape[*index]) else { break };
            counts[turned] += 1;
            counts[..turned].fill(0);
        }
    }
}

#[test]
fn who_signs_counts_once_and_only_if_a_member() {
    for shape in shapes(8) {
        let quorum = Quorum::new(shape.clone());
        let members: Vec<ValidatorId> = (0u16..)
            .zip(&shape)
            .flat_map(|(cluster, size)| (0u16..).take(*size).map(move |node| ValidatorId { cluster, node }))
            .collect();
        for subset in 0u32..1 << members.len() {
            let signers: Vec<ValidatorId> = (0..)
                .zip(&members)
                .filter(|(bit, _)| subset >> bit & 1 == 1)
                .map(|(_, member)| *member)
                .collect();
            let count =
                |cluster: usize| signers.iter().filter(|it| usize::from(it.cluster) == cluster).count();
            let counts: Vec<usize> = (0..shape.len()).map(count).collect();
            let stranger = ValidatorId { cluster: 0, node: 60 };
            let padded = signers.iter().chain(&signers).copied().chain([stranger]);
            assert_eq!(quorum.is_met_by(padded), quorum.is_met(&counts));
        }
    }
}

#[test]
fn thresholds_are_those_of_the_specification() {
    let group = |size| thresholds(&[size]).nodes[0];
    let sizes = [1, 2, 3, 4, 5, 6, 7, 10, 13, 16];
    assert_eq!(sizes.map(group), [1, 2, 2, 3, 4, 4, 5, 7, 9, 11]);
    assert_eq!([1, 4, 8, 12, 16].map(|size| thresholds(&[size]).flat), [1, 3, 6, 9, 11]);
    let large = |clusters: usize, size: usize| thresholds(&vec![size; clusters]);
    assert_eq!((large(6, 6).flat, large(16, 16).flat, large(16, 16).clusters), (25, 171, 11));
}
