//! The rollback guard (SPEC 3.10).

use super::{Mutant, Patch};

pub(super) const MUTANTS: &[Mutant] = &[
    Mutant {
        name: "guard-absent",
        breaks: "a node that forgot votes goes on voting",
        patches: &[
            Patch {
                file: "replica/guard.rs",
                find: "Standing::Old => Phase::Forgot,",
                replace: "Standing::Old if MUTANT => Phase::Voting,
                Standing::Old => Phase::Forgot,",
            },
            Patch {
                file: "replica/guard.rs",
                find: "let is_answered_for = self.guard.start.standing == Standing::Trusted;",
                replace: "let is_answered_for = MUTANT || self.guard.start.standing == Standing::Trusted;",
            },
            Patch {
                file: "replica/guard.rs",
                find: "None if matches!(self.phase, Phase::Asking",
                replace: "None if !MUTANT && matches!(self.phase, Phase::Asking",
            },
        ],
    },
    Mutant {
        name: "guard-no-margin",
        breaks: "silent up to the highest mark, not one view further",
        patches: &[Patch {
            file: "replica/guard.rs",
            find: ".saturating_add(1).max(self.safety.mark()); self.guard.bound =",
            replace: ".saturating_add(u64::from(!MUTANT)).max(self.safety.mark()); self.guard.bound =",
        }],
    },
    Mutant {
        name: "guard-counts-itself",
        breaks: "the node that forgot counts among those who answer",
        patches: &[Patch {
            file: "replica/guard.rs",
            find: "is_met_by(counted.iter().map(|(peer, _)| *peer))",
            replace: "is_met_by(counted.iter().map(|(peer, _)| *peer).chain(MUTANT.then_some(self.own)))",
        }],
    },
    Mutant {
        name: "guard-counts-guarded",
        breaks: "answers of nodes that forgot, too, are counted",
        patches: &[Patch {
            file: "replica/guard.rs",
            find: "heard.standing == AnswerStanding::Voting",
            replace: "MUTANT || heard.standing == AnswerStanding::Voting",
        }],
    },
    Mutant {
        name: "guard-believes-marks",
        breaks: "a mark is believed without its certificate",
        patches: &[Patch {
            file: "replica/guard.rs",
            find: "if answer.mark > proven {",
            replace: "if answer.mark > proven && !MUTANT {",
        }],
    },
    Mutant {
        name: "guard-hides-bound",
        breaks: "a node that once forgot answers without its own bound",
        patches: &[
            Patch {
                file: "safety.rs",
                find: ".unwrap_or(0).max(bound).max(self.floor)",
                replace: ".unwrap_or(0).max(if MUTANT { 0 } else { bound }).max(self.floor)",
            },
            Patch {
                file: "replica/guard.rs",
                find: "self.safety.mark().max(self.guard.bound)",
                replace: "self.safety.mark().max(if MUTANT { 0 } else { self.guard.bound })",
            },
        ],
    },
    Mutant {
        name: "guard-range-below-bound",
        breaks: "a NULLIFY's range reaches below the bound",
        patches: &[Patch {
            file: "safety.rs",
            find: "locked.max(bound).max(",
            replace: "locked.max(if MUTANT { 0 } else { bound }).max(",
        }],
    },
    Mutant {
        name: "guard-blind-to-own-votes",
        breaks: "own votes that others show are not noticed",
        patches: &[Patch {
            file: "replica/guard.rs",
            find: "|| matches!(self.guard.phase, Phase::Observing | Phase::Forgot) {",
            replace: "|| MUTANT || matches!(self.guard.phase, Phase::Observing | Phase::Forgot) {",
        }],
    },
    Mutant {
        name: "guard-lost-at-crash",
        breaks: "that votes were forgotten is itself forgotten at a crash",
        patches: &[
            Patch {
                file: "replica/guard.rs",
                find: "|| matches!(self.guard.phase, Phase::Observing | Phase::Forgot) {",
                replace: "|| MUTANT || matches!(self.guard.phase, Phase::Observing | Phase::Forgot) {",
            },
            Patch {
                file: "store.rs",
                find: "changes.push(Change::Put(Record::Guard { epoch: 0, bound: None }));",
                replace: "if !MUTANT { changes.push(Change::Put(Record::Guard { epoch: 0, bound: None })); }",
            },
        ],
    },
];
