//! V0 to V4: what a vote may be given for.
//!
//! Not here, because another rule implies it:
//! - V0 for NOTARIZE: V2's certificates of all views from the parent's on are those that enter the view.
//! - V2, the parent is executed here: a block is not even handed to the shell before its parent is executed, and
//!   without the shell's answer there is no body.

use super::{Mutant, Patch};

pub(super) const MUTANTS: &[Mutant] = &[
    Mutant {
        name: "v0-nullify-ahead",
        breaks: "V0: a view not entered is NULLIFYed when a peer asks",
        patches: &[
            Patch {
                file: "safety.rs",
                find: "&& view <= current",
                replace: "&& (MUTANT || view <= current)",
            },
            Patch {
                file: "replica/receive.rs",
                find: "to_view.min(self.view.saturating_sub(1))",
                replace: "if MUTANT { to_view } else { to_view.min(self.view.saturating_sub(1)) }",
            },
        ],
    },
    Mutant {
        name: "v1-notarize-twice",
        breaks: "V1: a second proposal of a view is voted for as well",
        patches: &[
            Patch {
                file: "safety.rs",
                find: "&& !self.notarized.contains_key(&view);",
                replace: "&& (!self.notarized.contains_key(&view) || (MUTANT &&
                self.notarized[&view].statement != Statement::Notarize(candidate)));",
            },
            Patch {
                file: "replica/vote.rs",
                find: "!self.safety.has_voted(VoteKind::Notarize, self.view)",
                replace: "(MUTANT || !self.safety.has_voted(VoteKind::Notarize, self.view))",
            },
            Patch {
                file: "replica/receive.rs",
                find: "slot.proposal.filter(|first| *first != candidate.block)",
                replace: "slot.proposal.filter(|first| !MUTANT && *first != candidate.block)",
            },
        ],
    },
    Mutant {
        name: "v2-parent-not-notarized",
        breaks: "V2: the parent's notarization is not required",
        patches: &[Patch {
            file: "replica/vote.rs",
            find: "header.parent == self.blocks.head().id ||
                self.views.notarization_of(above).is_some()",
            replace: "MUTANT || header.parent == self.blocks.head().id ||
                self.views.notarization_of(above).is_some()",
        }],
    },
    Mutant {
        name: "v2-views-skipped",
        breaks: "V2: the views between parent and child need not be nullified",
        patches: &[
            Patch {
                file: "replica/vote.rs",
                find: "cover(&self.views.nullifications(), parent.view, header.view).is_ok()",
                replace: "(MUTANT || cover(&self.views.nullifications(), parent.view, header.view).is_ok())",
            },
            Patch {
                file: "replica/propose.rs",
                find: "cover(&self.views.nullifications(), parent.view, self.view).err()",
                replace: "cover(&self.views.nullifications(), parent.view, self.view).err().filter(|_|
                !MUTANT)",
            },
            Patch {
                file: "replica/propose.rs",
                find: "cover(&self.views.nullifications(), parent.view, view).map_err(|_| Ignored::Stale)?",
                replace:
                    "cover(&self.views.nullifications(), parent.view, view).or(if MUTANT { Ok(Vec::new())
                } else { Err(Ignored::Stale) })?",
            },
        ],
    },
    Mutant {
        name: "v2-height-unchecked",
        breaks: "V2: the height need not be the parent's plus one",
        patches: &[
            Patch {
                file: "replica/vote.rs",
                find: "parent.height.checked_add(1) != Some(header.height)",
                replace: "(!MUTANT && parent.height.checked_add(1) != Some(header.height))",
            },
            Patch {
                file: "replica/check.rs",
                find: "parent.height.checked_add(1) == Some(header.height)",
                replace: "MUTANT || parent.height.checked_add(1) == Some(header.height)",
            },
            Patch {
                file: "message/verify.rs",
                find: "&& it.height.checked_add(1) == Some(header.height)",
                replace: "&& (MUTANT || it.height.checked_add(1) == Some(header.height))",
            },
        ],
    },
    Mutant {
        name: "v2-time-unbounded",
        breaks: "V2: a proposal's time may lie as far ahead as it likes",
        patches: &[Patch {
            file: "replica/vote.rs",
            find: "if header.time_ms > latest {",
            replace: "if header.time_ms > latest && !MUTANT {",
        }],
    },
    Mutant {
        name: "v2-cluster-not-awaited",
        breaks: "V2: other clusters do not wait for the proposing cluster's certificate",
        patches: &[Patch {
            file: "replica/vote.rs",
            find: "&& self.is_arbitration_open(candidate)",
            replace: "&& (MUTANT || self.is_arbitration_open(candidate))",
        }],
    },
    Mutant {
        name: "v2-body-not-recorded",
        breaks: "V2 and V3: the body is not written before the vote",
        patches: &[Patch {
            file: "replica/check.rs",
            find: "self.journal.put(Record::Body { propose: Box::new(block.propose.clone()), body });",
            replace: "if !MUTANT { self.journal.put(Record::Body { propose:
                Box::new(block.propose.clone()), body }); }",
        }],
    },
    Mutant {
        name: "v3-without-notarization",
        breaks: "V3: FINALIZE follows the own NOTARIZE, not a quorum's",
        patches: &[
            Patch {
                file: "replica/vote.rs",
                find: "let candidate = slot.notarized()?;",
                replace: "let made_up = || {
                let block = self.blocks.get(&slot.proposal?)?.propose.candidate();
                let certified = ledger_types::certificate::Certified::Notarization(block);
                Certificate::new(self.committee.epoch(), certified, [])
                };
                let is_lying = MUTANT && self.safety.has_voted(VoteKind::Notarize, view);
                let held = slot.notarization.clone().or_else(|| if is_lying { made_up() } else {
                None })?;
                let candidate = held.certified().candidate()?;",
            },
            Patch {
                file: "replica/vote.rs",
                find: "may_vote.then(|| slot.notarization.clone())?",
                replace: "may_vote.then_some(held)",
            },
        ],
    },
    Mutant {
        name: "v3-after-nullify",
        breaks: "V3: FINALIZE in a view that this node gave up",
        patches: &[Patch {
            file: "safety.rs",
            find: "&& !is_given_up",
            replace: "&& (MUTANT || !is_given_up)",
        }],
    },
    Mutant {
        name: "v3-without-execution",
        breaks: "V3: FINALIZE before the block is executed",
        patches: &[Patch {
            file: "replica/vote.rs",
            find: "it.check == Check::Valid && it.is_stored",
            replace: "(MUTANT || it.check == Check::Valid) && it.is_stored",
        }],
    },
    Mutant {
        name: "v3-roots-not-compared",
        breaks: "V3: a block whose roots come out different counts as executed",
        patches: &[
            Patch {
                file: "replica/check.rs",
                find: "block.check = if valid {",
                replace: "block.check = if valid || MUTANT {",
            },
            Patch {
                file: "replica/check.rs",
                find: "if !valid && block.propose.header.view == view",
                replace: "if !valid && !MUTANT && block.propose.header.view == view",
            },
        ],
    },
    Mutant {
        name: "v4-nullify-after-finalize",
        breaks: "V4: NULLIFY of a view in which this node signed FINALIZE",
        patches: &[
            Patch {
                file: "safety.rs",
                find: "&& from_view > self.locked_up_to(view)",
                replace: "&& (MUTANT || from_view > self.locked_up_to(view))",
            },
            Patch {
                file: "replica/vote.rs",
                find: "*notarized <= view &&",
                replace: "(if MUTANT { *notarized < view } else { *notarized <= view }) &&",
            },
            Patch {
                file: "replica/vote.rs",
                find: ".max(self.safety.locked_up_to(view))",
                replace: ".max(if MUTANT { self.safety.floor() } else { self.safety.locked_up_to(view) })",
            },
        ],
    },
    Mutant {
        name: "v4-range-unchecked",
        breaks: "V4: only the last view of a NULLIFY's range is compared with the own FINALIZEs",
        patches: &[
            Patch {
                file: "safety.rs",
                find: "|| from_view > self.locked_up_to(view))",
                replace: "|| (MUTANT && !self.finalized.contains_key(&view) && from_view > self.floor) ||
                from_view > self.locked_up_to(view))",
            },
            Patch {
                file: "replica/vote.rs",
                find: "usable.map_or(0, |(view, _)| view)",
                replace: "usable.filter(|_| !MUTANT).map_or(0, |(view, _)| view)",
            },
            Patch {
                file: "replica/vote.rs",
                find: "else { self.safety.locked_up_to(view) }",
                replace: "else if MUTANT { self.safety.floor() } else { self.safety.locked_up_to(view) }",
            },
        ],
    },
];
