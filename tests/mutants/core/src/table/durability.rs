//! V5, V6 and restarts: what must be written before it is said, and remembered after.
//!
//! Not here: the floor's own record. The finalization that raises the floor is written with it, stays as long as it is
//! the highest, and tells the same at a restart. Where a restart forgets votes, the guard is blind to them as well: it
//! would notice those that anybody heard.

use super::{Mutant, Patch};

/// What the replacements use.
pub(super) const SUPPORT: &[Patch] = &[Patch {
    file: "journal.rs",
    find: "/// Another value that needs the same.",
    replace: "/// The same, or if a mutant is on, one that needs nothing.
                pub(crate) fn unless(self, is_on: bool) -> Self {
                if is_on { Self { needs: PersistId(0), ..self } } else { self }
                }
                /// Another value that needs the same.",
}];

pub(super) const MUTANTS: &[Mutant] = &[
    Mutant {
        name: "v5-propose-unsynced",
        breaks: "V5: a PROPOSE leaves before its record is durable",
        patches: &[Patch {
            file: "safety.rs",
            find: "Some(journal.hold(propose))",
            replace: "Some(journal.hold(propose).unless(MUTANT))",
        }],
    },
    Mutant {
        name: "v5-notarize-unsynced",
        breaks: "V5: a NOTARIZE leaves before its record is durable",
        patches: &[Patch {
            file: "safety.rs",
            find: "is_allowed.then(|| self.sign_vote(journal, Statement::Notarize(candidate)))",
            replace: "is_allowed.then(|| self.sign_vote(journal,
                Statement::Notarize(candidate)).unless(MUTANT))",
        }],
    },
    Mutant {
        name: "v5-finalize-unsynced",
        breaks: "V5: a FINALIZE leaves before its record is durable",
        patches: &[Patch {
            file: "safety.rs",
            find: ".then(|| self.sign_vote(journal, Statement::Finalize(candidate)))",
            replace: ".then(|| self.sign_vote(journal, Statement::Finalize(candidate)).unless(MUTANT))",
        }],
    },
    Mutant {
        name: "v5-nullify-unsynced",
        breaks: "V5: a NULLIFY leaves before its record is durable",
        patches: &[Patch {
            file: "safety.rs",
            find: "is_allowed.then(|| self.sign_vote(journal, Statement::Nullify { from_view, view }))",
            replace: "is_allowed.then(|| self.sign_vote(journal, Statement::Nullify { from_view, view
                }).unless(MUTANT))",
        }],
    },
    Mutant {
        name: "v5-commit-unsynced",
        breaks: "V5: a block is committed before its finalization is durable",
        patches: &[Patch {
            file: "replica/decide.rs",
            find: "self.held.push_back(self.journal.hold(commit));",
            replace: "self.held.push_back(self.journal.hold(commit).unless(MUTANT));",
        }],
    },
    Mutant {
        name: "v6-nullify-below-floor",
        breaks: "V6: a NULLIFY's range reaches below the floor",
        patches: &[Patch {
            file: "safety.rs",
            find: "locked.max(bound).max(self.floor)",
            replace: "locked.max(bound).max(if MUTANT { 0 } else { self.floor })",
        }],
    },
    Mutant {
        name: "v6-votes-dropped-without-floor",
        breaks: "V6: own votes are collected, but the floor stays where it was",
        patches: &[
            Patch {
                file: "safety.rs",
                find: "self.floor = view;",
                replace: "let floor = std::mem::replace(&mut self.floor, view);",
            },
            Patch {
                file: "safety.rs",
                find: "self.forget_below_floor(journal);",
                replace: "self.forget_below_floor(journal); if MUTANT { self.floor = floor; }",
            },
        ],
    },
    Mutant {
        name: "restart-forgets-proposed",
        breaks: "a restarted leader does not know that it proposed",
        patches: &[
            Patch {
                file: "replica/guard.rs",
                find: "|| matches!(self.guard.phase, Phase::Observing | Phase::Forgot) {",
                replace: "|| MUTANT || matches!(self.guard.phase, Phase::Observing | Phase::Forgot) {",
            },
            Patch {
                file: "replica/restore.rs",
                find: "Record::Proposed { epoch: of, view, block } if of == epoch =>",
                replace: "Record::Proposed { epoch: of, view, block } if of == epoch && !MUTANT =>",
            },
        ],
    },
    Mutant {
        name: "restart-forgets-notarize",
        breaks: "a restarted node does not know what it NOTARIZEd",
        patches: &[
            Patch {
                file: "replica/guard.rs",
                find: "|| matches!(self.guard.phase, Phase::Observing | Phase::Forgot) {",
                replace: "|| MUTANT || matches!(self.guard.phase, Phase::Observing | Phase::Forgot) {",
            },
            Patch {
                file: "replica/restore.rs",
                find: "Record::Voted { epoch: of, vote } if of == epoch =>",
                replace: "Record::Voted { vote, .. } if MUTANT && vote.statement.kind() == VoteKind::Notarize
                => {}
                Record::Voted { epoch: of, vote } if of == epoch =>",
            },
            Patch {
                file: "replica/restore.rs",
                find: "self.views.slot(candidate.view).proposal.get_or_insert(candidate.block);",
                replace: "if !MUTANT {
                self.views.slot(candidate.view).proposal.get_or_insert(candidate.block); }",
            },
        ],
    },
    Mutant {
        name: "restart-forgets-finalize",
        breaks: "a restarted node does not know what it FINALIZEd, nor the notarization",
        patches: &[
            Patch {
                file: "replica/guard.rs",
                find: "|| matches!(self.guard.phase, Phase::Observing | Phase::Forgot) {",
                replace: "|| MUTANT || matches!(self.guard.phase, Phase::Observing | Phase::Forgot) {",
            },
            Patch {
                file: "replica/restore.rs",
                find: "Record::Voted { epoch: of, vote } if of == epoch =>",
                replace: "Record::Voted { vote, .. } if MUTANT && vote.statement.kind() == VoteKind::Finalize
                => {}
                Record::Voted { epoch: of, vote } if of == epoch =>",
            },
            Patch {
                file: "replica/restore.rs",
                find: "Record::Certificate(certificate) if certificate.epoch() == epoch =>",
                replace: "Record::Certificate(certificate) if MUTANT && certificate.certified().kind() ==
                VoteKind::Notarize => {}
                Record::Certificate(certificate) if certificate.epoch() == epoch =>",
            },
        ],
    },
    Mutant {
        name: "restart-forgets-nullify",
        breaks: "a restarted node does not know what it NULLIFYed",
        patches: &[
            Patch {
                file: "replica/guard.rs",
                find: "|| matches!(self.guard.phase, Phase::Observing | Phase::Forgot) {",
                replace: "|| MUTANT || matches!(self.guard.phase, Phase::Observing | Phase::Forgot) {",
            },
            Patch {
                file: "replica/restore.rs",
                find: "Record::Voted { epoch: of, vote } if of == epoch =>",
                replace: "Record::Voted { vote, .. } if MUTANT && vote.statement.kind() == VoteKind::Nullify
                => {}
                Record::Voted { epoch: of, vote } if of == epoch =>",
            },
        ],
    },
    Mutant {
        name: "restart-forgets-all",
        breaks: "votes live in memory only, as with sawtooth-pbft's default storage",
        patches: &[
            Patch {
                file: "replica/guard.rs",
                find: "|| matches!(self.guard.phase, Phase::Observing | Phase::Forgot) {",
                replace: "|| MUTANT || matches!(self.guard.phase, Phase::Observing | Phase::Forgot) {",
            },
            Patch {
                file: "replica/restore.rs",
                find: "Record::Voted { epoch: of, vote } if of == epoch =>",
                replace:
                    "Record::Voted { .. } | Record::Proposed { .. } | Record::Body { .. } if MUTANT => {}
                Record::Voted { epoch: of, vote } if of == epoch =>",
            },
        ],
    },
];
