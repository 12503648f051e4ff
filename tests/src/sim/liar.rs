//! A node that lies: it lends its key and its place to a character.

use bytes::Bytes;
use consensus::{Committee, Signer};
use ledger_types::certificate::Statement;
use ledger_types::{BlockHeader, Signature, ValidatorId};

use super::common::Common;
use super::mixing;
use super::queue::Event;
use super::scenario::Role;
use crate::byzantine::{Character, Stage, cast};
use crate::random::Random;

pub(super) struct Liar {
    node: usize,
    head: BlockHeader,
    character: Box<dyn Character>,
    random: Random,
}

impl Liar {
    /// A liar that begins now, with what it committed while it was honest.
    pub(super) fn new(role: &Role, head: BlockHeader, common: &mut Common, random: Random) -> Self {
        // All liars of a run share one stream, in which they find what they have to agree on.
        let plot = Random::new(mixing::mix(common.scenario.seed, 0x706c_6f74));
        let character = cast(role.casting, &plot);
        common.plan_in(1, Event::LiarTick { node: role.node });
        Self { node: role.node, head, character, random }
    }

    /// A message arrives.
    pub(super) fn on_message(&mut self, common: &mut Common, from: usize, bytes: &Bytes) {
        let from = common.places[from];
        self.play(common, |character, stage| character.on_message(stage, from, bytes));
    }

    /// Some time passed.
    pub(super) fn on_tick(&mut self, common: &mut Common) {
        self.play(common, |character, stage| character.on_tick(stage));
        let pause_ms = self.random.below(20..101);
        common.plan_in(pause_ms, Event::LiarTick { node: self.node });
    }

    fn play(&mut self, common: &mut Common, turn: impl FnOnce(&mut dyn Character, &mut Stage<'_>)) {
        let (signatures, lying) = (common.scenario.signatures, common.lying);
        let (mut outbox, mut acts) = (Vec::new(), Vec::new());
        let places = &common.places;
        let is_liar = |node: &usize| lying >> node & 1 == 1;
        let liars: Vec<ValidatorId> = (0..places.len()).filter(is_liar).map(|node| places[node]).collect();
        let index = |place: ValidatorId| places.binary_search(&place).ok();
        let signer = |place: ValidatorId| -> Option<Box<dyn Signer>> {
            index(place).filter(is_liar).map(|node| signatures.signer(node))
        };
        let elsewhere = |place: ValidatorId, committee: &Committee, statement: &Statement| -> Signature {
            let node = index(place).unwrap_or(self.node);
            signatures.signer(node).sign(&committee.statement_bytes(statement))
        };
        let mut stage = Stage {
            committee: &common.committee,
            genesis: &self.head,
            timing: common.scenario.timing,
            own: places[self.node],
            liars: &liars,
            now_ms: common.now_ms,
            random: &mut self.random,
            signer: &signer,
            elsewhere: &elsewhere,
            outbox: &mut outbox,
            acts: &mut acts,
        };
        turn(&mut *self.character, &mut stage);
        let name = self.character.name();
        for act in acts {
            common.recorder.act(name, act);
            common.recorder.tell(|| format!("{} ({name}): {act}", common.places[self.node]));
        }
        for (to, bytes) in outbox {
            common.oracle.on_lie(&bytes);
            if let Some(to) = common.index(to).filter(|to| *to != self.node) {
                common.transmit(self.node, to, &bytes);
            }
        }
    }
}
