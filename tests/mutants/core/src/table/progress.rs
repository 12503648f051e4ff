//! Finality, and what keeps the network going.
//!
//! Not here, because other rules do the same a little later: showing the way to those who lag (certificates are also
//! repeated, and sent on by whoever enters a view), and asking for nullifications that a leader lacks (the next leader
//! has them).

use super::{Mutant, Patch};

pub(super) const MUTANTS: &[Mutant] = &[
    Mutant {
        name: "proposes-twice",
        breaks: "a leader proposes again in its view",
        patches: &[
            Patch {
                file: "safety.rs",
                find: "|| self.proposed.contains_key(&view)",
                replace: "|| (!MUTANT && self.proposed.contains_key(&view))",
            },
            Patch {
                file: "replica/propose.rs",
                find: "&& !self.safety.has_proposed(self.view)",
                replace: "&& (MUTANT || !self.safety.has_proposed(self.view))",
            },
        ],
    },
    Mutant {
        name: "conflict-ignored",
        breaks: "a finalization that contradicts the committed chain does not stop the node",
        patches: &[Patch {
            file: "replica/decide.rs",
            find: "Some(Path::Conflict) => {",
            replace: "Some(Path::Conflict) if MUTANT => false, Some(Path::Conflict) => {",
        }],
    },
    Mutant {
        name: "nothing-repeated",
        breaks: "what may be lost is never said again",
        patches: &[Patch {
            file: "replica/enter.rs",
            find: "if !self.timers.is_time_to_repeat(self.now.monotonic_ms, is_needed) {",
            replace: "if MUTANT || !self.timers.is_time_to_repeat(self.now.monotonic_ms, is_needed) {",
        }],
    },
    Mutant {
        name: "runs-not-asked-for",
        breaks: "final blocks that were missed are never asked for",
        patches: &[Patch {
            file: "replica/catch_up.rs",
            find: "let Some(sources) = self.who_has_more() else {",
            replace: "let Some(sources) = self.who_has_more().filter(|_| !MUTANT) else {",
        }],
    },
    Mutant {
        name: "proposals-not-fetched",
        breaks: "the proposal of a notarized block that was missed is never asked for",
        patches: &[Patch {
            file: "replica/check.rs",
            find: "if let Some(source) = source {",
            replace: "if let Some(source) = source.filter(|_| !MUTANT) {",
        }],
    },
    Mutant {
        name: "entries-not-gathered",
        breaks: "missing entries of a block are never asked for",
        patches: &[Patch {
            file: "replica/check.rs",
            find: "let Some(gather) = self.gathers.get_mut(&block) else { continue };",
            replace: "let Some(gather) = self.gathers.get_mut(&block) else { continue };
                if MUTANT {
                gather.due_ms = due_ms;
                continue;
                }",
        }],
    },
    Mutant {
        name: "timers-off",
        breaks: "a view without progress is never given up",
        patches: &[Patch {
            file: "replica/enter.rs",
            find: "if is_given_up || self.safety.locked_up_to(self.view) >= self.view {",
            replace: "if MUTANT || is_given_up || self.safety.locked_up_to(self.view) >= self.view {",
        }],
    },
];
