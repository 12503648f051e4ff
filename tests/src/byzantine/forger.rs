//! Somebody who speaks in others' names, and out of turn. Attacks SPEC 3.4: nothing is believed without the signature
//! of whom it is from, and a block only of whom leads its view.
//!
//! For each block proposed it sends votes of all validators, with signatures made up, with its own, or with those of
//! their votes for something else; blocks of its own for views that others lead; and proposals, questions, heartbeats
//! and guard messages of others.

use consensus::guard::Incarnation;
use consensus::message::{GuardRequest, Heartbeat, RUN_BODIES};
use consensus::{Message, Propose, Request, Vote, Wanted};
use ledger_types::certificate::{Candidate, Statement};
use ledger_types::{BlockHeader, Signature, ValidatorId};

use super::Stage;
use super::face::{Face, Word};
use super::gang::{rival, support};
use super::twist::{Twist, say};
use crate::sim::execution::{self, Order};

/// See the module.
pub(super) struct Forger {
    /// Something that was signed by somebody: its signature fits nothing else.
    found: Signature,
}

impl Forger {
    pub(super) fn new() -> Self {
        Self { found: Signature::ZERO }
    }

    fn forge_votes(&mut self, stage: &mut Stage<'_>, candidate: Candidate) {
        let view = candidate.view;
        let kinds = [
            Statement::Notarize(candidate),
            Statement::Finalize(candidate),
            Statement::Nullify { from_view: view, view },
        ];
        let Some(statement) = stage.pick(&kinds) else { return };
        let style = stage.random.below(0..3);
        let honest = stage.honest();
        for signer in &honest {
            let signature = match style {
                0 => Signature::ZERO,
                1 => self.found,
                _ => stage.vote(stage.own, statement).signature,
            };
            stage.send(&honest, &Message::Vote(Vote { signer: *signer, statement, signature }));
        }
        stage.act("voted in others' names");
    }

    fn forge_proposal(stage: &mut Stage<'_>, propose: &Propose) {
        // Signed by nobody: the leader is honest.
        let forged = rival(stage, propose);
        let honest = stage.honest();
        stage.send(&honest, &Message::Propose(Box::new(forged)));
        stage.act("proposed in the leader's name");
    }

    /// Proposes on a block that was just proposed, in the next view, if that is somebody else's.
    fn usurp(stage: &mut Stage<'_>, propose: &Propose) {
        let header = &propose.header;
        let Some(view) = header.view.checked_add(1) else { return };
        if stage.committee.leader(view) == stage.own {
            return;
        }
        let (proposer, time_ms) = (stage.own, header.time_ms.saturating_add(1));
        let order = Order { view, proposer, parent: header.id(), time_ms };
        let (header, _) = execution::build(order, header, &[]);
        let (refs, nullifications) = (execution::refs(&[]), Vec::new());
        let unsigned = Propose { header, refs, parent: None, nullifications, signature: Signature::ZERO };
        let usurping = stage.propose(unsigned);
        let (honest, voters, candidate) = (stage.honest(), stage.liars, usurping.candidate());
        stage.send(&honest, &Message::Propose(Box::new(usurping)));
        support(stage, &honest, candidate, voters);
        stage.act("proposed in a view that another leads");
    }

    fn forge_rest(stage: &mut Stage<'_>, head: &BlockHeader) {
        let honest = stage.honest();
        let Some(signer) = stage.pick(&honest) else { return };
        let signature = Signature::ZERO;
        let forged = match stage.random.below(0..4) {
            0 => {
                let wanted = Wanted::Blocks { from_height: head.height.saturating_sub(RUN_BODIES as u64) };
                Message::Request(Request { signer, wanted, signature })
            }
            1 => Message::Heartbeat(Heartbeat {
                signer,
                view: head.view,
                final_view: head.view,
                final_height: head.height,
                wall_ms: head.time_ms,
                signature,
            }),
            2 => {
                let current = Incarnation { counter: head.height, nonce: [0; 16] };
                let (previous, asked_ms) = (None, head.time_ms);
                Message::GuardRequest(GuardRequest { signer, previous, current, asked_ms, signature })
            }
            _ => {
                let own = Vote {
                    signer,
                    ..stage.vote(stage.own, Statement::Nullify { from_view: 1, view: head.view + 1 })
                };
                Message::Vote(own)
            }
        };
        stage.send(&honest, &forged);
        stage.act("spoke in others' names");
    }
}

impl Twist for Forger {
    fn name(&self) -> &'static str {
        "forger"
    }

    fn on_word(&mut self, stage: &mut Stage<'_>, face: &Face, word: Word) {
        say(stage, face, &word);
    }

    fn on_heard(&mut self, stage: &mut Stage<'_>, _: &Face, _: ValidatorId, message: &Message) {
        match message {
            Message::Vote(vote) => self.found = vote.signature,
            Message::Propose(propose) => {
                self.forge_votes(stage, propose.candidate());
                if !stage.is_liar(propose.header.proposer) {
                    Self::forge_proposal(stage, propose);
                }
                if stage.random.once_in(3) {
                    Self::usurp(stage, propose);
                }
            }
            _ => {}
        }
    }

    fn on_time(&mut self, stage: &mut Stage<'_>, face: &Face) {
        if stage.random.once_in(10) {
            let head = face.head().clone();
            Self::forge_rest(stage, &head);
        }
    }
}
