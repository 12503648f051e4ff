//! How many are enough.
//!
//! Not here: one signer counted twice. Ballots and certificates are maps by signer, and a section's bitmap has one bit
//! for each; there is no value that holds a signer twice.

use super::{Mutant, Patch};

pub(super) const MUTANTS: &[Mutant] = &[
    Mutant {
        name: "quorum-flat-less-one",
        breaks: "2N/3 nodes are enough",
        patches: &[Patch {
            file: "quorum.rs",
            find: "nodes >= self.flat_quorum",
            replace: "nodes + usize::from(MUTANT) >= self.flat_quorum",
        }],
    },
    Mutant {
        name: "quorum-flat-rule-dropped",
        breaks: "a quorum of clusters is enough, whatever the number of nodes",
        patches: &[Patch {
            file: "quorum.rs",
            find: ">= self.flat_quorum",
            replace: ">= (if MUTANT { 1 } else { self.flat_quorum })",
        }],
    },
    Mutant {
        name: "quorum-cluster-rule-dropped",
        breaks: "2N/3 + 1 nodes are enough, wherever they are",
        patches: &[Patch {
            file: "quorum.rs",
            find: "&& clusters >= self.cluster_quorum",
            replace: "&& (MUTANT || clusters >= self.cluster_quorum)",
        }],
    },
    Mutant {
        name: "quorum-cluster-less-one",
        breaks: "one cluster less is enough",
        patches: &[Patch {
            file: "quorum.rs",
            find: "clusters >= self.cluster_quorum",
            replace: "clusters + usize::from(MUTANT) >= self.cluster_quorum",
        }],
    },
    Mutant {
        name: "quorum-node-less-one",
        breaks: "one node less makes a cluster certificate",
        patches: &[Patch {
            file: "quorum.rs",
            find: "filter(|(count, least)| count >= least)",
            replace: "filter(|(count, least)| **count + usize::from(MUTANT) >= **least)",
        }],
    },
    Mutant {
        name: "quorum-both-less-one",
        breaks: "one node less is enough, in all and in each cluster: 2 of 4",
        patches: &[
            Patch {
                file: "quorum.rs",
                find: "nodes + usize::from(",
                replace: "usize::from(MUTANT) + nodes + usize::from(",
            },
            Patch {
                file: "quorum.rs",
                find: "**count + usize::from(",
                replace: "usize::from(MUTANT) + **count + usize::from(",
            },
        ],
    },
    Mutant {
        name: "quorum-2f-plus-1",
        breaks: "2f + 1 nodes, where n is not 3f + 1",
        patches: &[
            Patch {
                file: "quorum.rs",
                find: "shape.iter().map(|size| group_quorum(*size)).collect()",
                replace: "shape.iter().map(|size| if MUTANT { 2 * faulty(*size) + 1 } else {
                group_quorum(*size) }).collect()",
            },
            Patch {
                file: "quorum.rs",
                find: "flat_quorum: flat_quorum(shape.iter().sum()),",
                replace: "flat_quorum: if MUTANT { 2 * faulty(shape.iter().sum()) + 1 } else {
                flat_quorum(shape.iter().sum()) },",
            },
        ],
    },
    Mutant {
        name: "quorum-of-the-connected",
        breaks: "a quorum of those who are connected now, as in the F-BFT that this one replaces",
        patches: &[
            Patch {
                file: "replica/receive.rs",
                find: "arbitration::certify(certified, ballot, &self.committee)",
                replace: "(if MUTANT {
                let parts = || ballot.votes_for(certified).map(|vote| {
                let from_view = vote.statement.from_view();
                (vote.signer, ledger_types::certificate::CertificateVote { from_view, signature:
                vote.signature })
                });
                let is_enough = parts().count() > 2 * self.heard_count() / 3;
                is_enough.then(|| Certificate::new(self.committee.epoch(), certified,
                parts())).flatten()
                } else {
                arbitration::certify(certified, ballot, &self.committee)
                })",
            },
            Patch {
                file: "certificates.rs",
                find: "if !committee.quorum().is_met_by(certificate.signers()) {",
                replace: "if !MUTANT && !committee.quorum().is_met_by(certificate.signers()) {",
            },
        ],
    },
];
