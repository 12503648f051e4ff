//! A node's executor and what it serves to peers: blocks are built, assembled and executed, later answered for.

use bytes::Bytes;
use consensus::message::{Entries, RUN_HEADERS, Run};
use consensus::{Input, Message, Recipients, Record, RecordKey};
use ledger_types::{BlockHeader, BlockId, ValidatorId};

use super::common::Common;
use super::execution::{self, Order};
use super::pool::{Assembled, Pool};
use super::queue::Event;
use super::shell::Shell;

/// Bodies in one RUN; few, so that a run has to be asked for again.
const RUN_BODIES: usize = 4;

impl Shell {
    pub(super) fn build(&mut self, common: &mut Common, order: Order, allow_empty: bool) {
        if let Some(void) = self.built.take() {
            // Its answer is still on the way and will not be given.
            self.pool.abandon(&void);
        }
        self.order += 1;
        let input = match self.pool.build(order, allow_empty) {
            Some(block) => {
                let batches = execution::batches(&block.body).unwrap_or_default();
                common.recorder.count(if batches.is_empty() {
                    "rule: empty block built"
                } else {
                    "rule: block built"
                });
                common.recorder.tell(|| {
                    let (view, height) = (order.view, block.header.height);
                    format!(
                        "{} builds block {height} for view {view} with {} batches",
                        self.place,
                        batches.len()
                    )
                });
                self.built = Some(block.id);
                let (header, body) = (block.header.clone(), block.body.clone());
                Input::ProposalBuilt { view: order.view, header, refs: execution::refs(&batches), body }
            }
            None => {
                common.recorder.count("rule: nothing to propose");
                if self.pool.executed(&order.parent).is_none() {
                    common.oracle.violate(format!("{} shall build on an unknown block", self.place));
                }
                Input::NothingToPropose { view: order.view }
            }
        };
        let delay_ms = self.random.below(0..common.scenario.slowness.execution_ms + 1);
        let (node, life, order) = (self.node, self.life, Some(self.order));
        common.plan_in(delay_ms, Event::Answer { node, life, order, input: Box::new(input) });
    }

    /// An answer comes; one to an order that a newer one replaced does not.
    pub(super) fn on_answer(&mut self, common: &mut Common, order: Option<u64>, input: Input) {
        if order.is_some_and(|order| order != self.order) {
            return;
        }
        if order.is_some() {
            self.built = None;
        }
        self.handle(common, input);
    }

    pub(super) fn check(&mut self, common: &mut Common, header: &BlockHeader, refs: &Bytes, entries: &Bytes) {
        let block = header.id();
        match self.pool.assemble(header, refs, entries) {
            Assembled::Whole(body) => {
                if !entries.is_empty() {
                    common.recorder.count("rule: assembled with a peer's entries");
                }
                self.answer(common, 0, Input::ProposalAssembled { block, body: body.clone() });
                self.execute(common, block, header, &body);
            }
            Assembled::Missing(missing) => {
                common.recorder.count(match missing.is_empty() {
                    true => "rule: unassemblable",
                    false => "rule: entries missing",
                });
                self.answer(common, 0, Input::ProposalMissing { block, missing });
            }
        }
    }

    pub(super) fn execute(
        &mut self,
        common: &mut Common,
        block: BlockId,
        header: &BlockHeader,
        body: &Bytes,
    ) {
        let Some(valid) = self.pool.execute(block, header, body) else {
            return common.oracle.violate(format!(
                "{} shall execute block {} of view {} on a parent that was not executed",
                self.place, header.height, header.view
            ));
        };
        if !valid {
            common.recorder.count("rule: executed and refused");
        }
        let delay_ms = self.random.below(0..common.scenario.slowness.execution_ms + 1);
        self.answer(common, delay_ms, Input::ProposalChecked { block, valid });
    }

    pub(super) fn answer(&mut self, common: &mut Common, delay_ms: u64, input: Input) {
        let (node, life) = (self.node, self.life);
        common.plan_in(delay_ms, Event::Answer { node, life, order: None, input: Box::new(input) });
    }

    pub(super) fn send_entries(
        &mut self,
        common: &mut Common,
        to: ValidatorId,
        block: BlockId,
        indices: &[u32],
    ) {
        let committed = || self.disk.chain.iter().rev().find(|it| it.id == block);
        let Some(found) = self.pool.executed(&block).or_else(committed) else { return };
        let entries = Pool::entries(&found.body, indices);
        common.recorder.count("rule: entries served");
        self.send(common, Recipients::One(to), &Message::Entries(Entries { block, entries }));
    }

    /// The committed blocks from a height up to the one that the finalization stored with it names.
    pub(super) fn send_run(&mut self, common: &mut Common, to: ValidatorId, from_height: u64) {
        let key = RecordKey::FinalizedAt { height: from_height }.encode();
        let record = self.disk.store.get(&key).and_then(|value| Record::decode(&key, value.clone()).ok());
        let Some(Record::FinalizedAt { certificate, .. }) = record else { return };
        let last = certificate.certified().candidate().map_or(0, |candidate| candidate.height);
        let blocks: Option<Vec<_>> = (from_height..=last).map(|height| self.disk.at(height)).collect();
        let Some(blocks) = blocks.filter(|blocks| (1..=RUN_HEADERS).contains(&blocks.len())) else { return };
        let headers = blocks.iter().map(|block| block.header.clone()).collect();
        let certificate = Some(certificate);
        let bodies = blocks.iter().take(RUN_BODIES).map(|block| block.body.clone()).collect();
        common.recorder.count("rule: run served");
        self.send(common, Recipients::One(to), &Message::Run(Box::new(Run { headers, bodies, certificate })));
    }
}
