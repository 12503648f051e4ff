//! A leader whose blocks are wrong. Attacks SPEC 3.5 V2: every root, height, time and entry is checked before a vote.
//!
//! Each of its proposals is wrong in one way, signed as it should be; some get the right one. Or the block is right,
//! and what it tells some about its entries is not: they must get it from others once it is certified. What it is asked
//! for as entries it answers with garbage.

use bytes::Bytes;
use consensus::message::Entries;
use consensus::{Message, Propose, Recipients};
use ledger_types::{BlockHeader, BlockId, ConfigHash, Hash, ValidatorId};

use super::Stage;
use super::face::{Face, Word};
use super::gang::support;
use super::plot::Plot;
use super::twist::{Twist, say};
use crate::sim::execution;

/// The ways in which a block can be wrong, with the act's name and how the header changes.
type Way = (&'static str, fn(&mut BlockHeader));

const WAYS: [Way; 11] = [
    ("wrong state root", |header| header.state_root = flipped(header.state_root)),
    ("wrong entries root", |header| header.entries_root = flipped(header.entries_root)),
    ("wrong receipts root", |header| header.receipts_root = flipped(header.receipts_root)),
    ("wrong entry count", |header| header.entry_count = u32::MAX),
    ("wrong receipt count", |header| header.receipt_count = 1),
    ("wrong height", |header| header.height = header.height.saturating_add(1)),
    ("time of the genesis block", |header| header.time_ms = 0),
    ("time of tomorrow", |header| header.time_ms = header.time_ms.saturating_add(86_400_000)),
    ("time without end", |header| header.time_ms = u64::MAX),
    ("unknown parent", |header| header.parent = BlockId(header.parent.0.map(|byte| !byte))),
    ("next committee", |header| header.next_cfg_hash = Some(ConfigHash([9; 32]))),
];

/// See the module.
pub(super) struct WrongRoot {
    plot: Plot,
    /// Its newest block with wrong refs, for those who ask for it.
    with_wrong_refs: Option<Propose>,
}

impl WrongRoot {
    pub(super) fn new(plot: Plot) -> Self {
        Self { plot, with_wrong_refs: None }
    }

    fn propose(&mut self, stage: &mut Stage<'_>, right: &Propose) {
        let halves = self.plot.halves_of_view(stage, right.header.view);
        let (honest, accomplices) = (stage.honest(), stage.accomplices());
        stage.send(&accomplices, &Message::Propose(Box::new(right.clone())));
        let wrong = if stage.random.once_in(4) { self.misname(stage, right) } else { spoil(stage, right) };
        let is_one_block = wrong.header == right.header;
        let candidate = wrong.candidate();
        let wrong = Message::Propose(Box::new(wrong));
        // A block that is good for some can become certified; the others must get it although its leader misleads them.
        if is_one_block || stage.random.once_in(4) {
            stage.send(halves.half(0), &Message::Propose(Box::new(right.clone())));
            stage.send(halves.half(1), &wrong);
        } else {
            stage.send(&honest, &wrong);
        }
        let voters = stage.liars;
        support(stage, &honest, candidate, voters);
    }

    /// The right header with refs of no block, or of batches that nobody has.
    fn misname(&mut self, stage: &mut Stage<'_>, right: &Propose) -> Propose {
        let count = stage.random.below(1..9);
        let numbers: Vec<u64> = (0..count).map(|_| stage.random.draw()).collect();
        let is_garbage = stage.random.once_in(2);
        let refs = if is_garbage { garbage(stage, 200) } else { execution::refs(&numbers) };
        stage.act(if is_garbage { "proposed garbage refs" } else { "named batches that nobody has" });
        let wrong = stage.propose(Propose { refs, ..right.clone() });
        self.with_wrong_refs = Some(wrong.clone());
        wrong
    }
}

impl Twist for WrongRoot {
    fn name(&self) -> &'static str {
        "wrong root"
    }

    fn on_word(&mut self, stage: &mut Stage<'_>, face: &Face, word: Word) {
        match &word {
            Word::Say(Recipients::Others, Message::Propose(propose))
                if propose.header.proposer == stage.own =>
            {
                self.propose(stage, propose);
            }
            Word::Say(Recipients::One(to), Message::Propose(propose)) => match &self.with_wrong_refs {
                Some(wrong) if wrong.header == propose.header => {
                    stage.send(&[*to], &Message::Propose(Box::new(wrong.clone())));
                    stage.act("answered with the wrong refs");
                }
                _ => say(stage, face, &word),
            },
            Word::Entries(to, block, _) => answer_with_garbage(stage, *to, *block),
            _ => say(stage, face, &word),
        }
    }
}

/// The proposal, wrong in one way.
fn spoil(stage: &mut Stage<'_>, right: &Propose) -> Propose {
    let mut wrong = right.clone();
    let Some((act, way)) = stage.pick(&WAYS) else { return wrong };
    way(&mut wrong.header);
    // Beside such a header the parent's certificate would be turned away before anything else is looked at.
    if wrong.header.parent != right.header.parent || wrong.header.height != right.header.height {
        wrong.parent = None;
    }
    stage.act(act);
    stage.propose(wrong)
}

/// Answers a question for entries with bytes that are none.
pub(super) fn answer_with_garbage(stage: &mut Stage<'_>, to: ValidatorId, block: BlockId) {
    let entries = garbage(stage, 600);
    stage.send(&[to], &Message::Entries(Entries { block, entries }));
    stage.act("answered with garbage entries");
}

/// Fewer than so many random bytes.
pub(super) fn garbage(stage: &mut Stage<'_>, below: u64) -> Bytes {
    let length = stage.random.below(0..below);
    (0..length).map(|_| stage.random.draw().to_be_bytes()[0]).collect::<Vec<u8>>().into()
}

fn flipped(root: Hash) -> Hash {
    Hash(root.0.map(|byte| !byte))
}
