//! The answering thread: reads what peers ask for in megabytes, so that the driver never waits for a file.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};

use bytes::Bytes;
use consensus::message::{Entries, RUN_BODIES, RUN_HEADERS, Run};
use consensus::{Message, Recipients};
use ledger::store::StoreError;
use ledger::{Ledger, Pool};
use ledger_types::limits::BLOCK_BYTES;
use ledger_types::{Batch, Block, BlockHeader, BlockId, Entry, Rollback, ValidatorId, Verified};
use parking_lot::Mutex;

use super::vote_store::finalization;
use crate::batch_list;
use crate::network::Links;

/// Questions of one peer that wait at most; it asks again what is dropped.
const WAITING_PER_PEER: usize = 8;

/// What a peer asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Question {
    /// Batches of a block, by their places.
    Entries { block: BlockId, indices: Vec<u32> },
    /// Committed blocks.
    Run { from_height: u64 },
}

/// Questions that wait for their answers, few of each peer: none can take the others' turns.
pub(super) struct Questions {
    queue: Sender<(ValidatorId, Question)>,
    pub(super) waiting: Arc<Mutex<BTreeMap<ValidatorId, usize>>>,
}

/// The thread that answers them.
pub(super) struct Answerer {
    ledger: Arc<Ledger>,
    pool: Arc<Pool>,
    links: Links,
    /// The block that the network went back to last.
    origin: Option<Rollback>,
    queue: Receiver<(ValidatorId, Question)>,
    waiting: Arc<Mutex<BTreeMap<ValidatorId, usize>>>,
}

impl Questions {
    /// Puts a question at the end, unless too many of this peer wait already.
    pub(super) fn ask(&self, from: ValidatorId, question: Question) {
        {
            let mut waiting = self.waiting.lock();
            let count = waiting.entry(from).or_default();
            if *count >= WAITING_PER_PEER {
                return;
            }
            *count += 1;
        }
        // A thread that stopped answers nothing.
        let _ = self.queue.send((from, question));
    }
}

impl Answerer {
    /// An answerer, and where its questions are put.
    pub(super) fn new(
        ledger: Arc<Ledger>,
        pool: Arc<Pool>,
        links: Links,
        origin: Option<Rollback>,
    ) -> (Questions, Self) {
        let (sender, queue) = channel();
        let waiting = Arc::<Mutex<BTreeMap<_, _>>>::default();
        let questions = Questions { queue: sender, waiting: waiting.clone() };
        (questions, Self { ledger, pool, links, origin, queue, waiting })
    }

    /// Answers until nobody can ask any more.
    pub(super) fn run(self) {
        while let Ok((peer, question)) = self.queue.recv() {
            if let Some(count) = self.waiting.lock().get_mut(&peer) {
                *count -= 1;
            }
            match self.answer(question) {
                Ok(Some(message)) => self.links.send(Recipients::One(peer), &message),
                Ok(None) => {}
                // The peer asks another one. Whoever reads this record next says what is wrong, too.
                Err(error) => tracing::error!(%peer, %error, "a peer's question is not answered"),
            }
        }
    }

    /// Reads the answer; `None` when it is not here.
    pub(super) fn answer(&self, question: Question) -> Result<Option<Message>, StoreError> {
        Ok(match question {
            Question::Entries { block, indices } => self.entries(block, &indices)?.map(Message::Entries),
            Question::Run { from_height } => {
                self.run_from(from_height)?.map(|run| Message::Run(Box::new(run)))
            }
        })
    }

    /// The batches at these places of a block, as many as one message holds. Those that it rejects are not in the block:
    /// they are here only while the block is undecided.
    fn entries(&self, id: BlockId, indices: &[u32]) -> Result<Option<Entries>, StoreError> {
        // Executed first: a commit shows its head before it drops what it committed.
        let executed = self.ledger.executed(&id);
        let committed = match &executed {
            Some(_) => None,
            None => self.committed(&id)?,
        };
        let Some(block) = executed.as_ref().map(|executed| executed.block()).or(committed.as_ref()) else {
            return Ok(None);
        };
        let places = indices.iter().filter_map(|index| block.entries.get(usize::try_from(*index).ok()?));
        let found: Vec<Found<'_>> = places.filter_map(|entry| self.batch_of(entry)).collect();
        let fitting = found.iter().map(Found::batch).scan(0, |bytes, batch| {
            *bytes += batch.encoded_len();
            (*bytes <= BLOCK_BYTES).then_some(batch)
        });
        let entries = batch_list::encode(fitting);
        Ok((!entries.is_empty()).then_some(Entries { block: id, entries }))
    }

    fn committed(&self, id: &BlockId) -> Result<Option<Block>, StoreError> {
        let reader = self.ledger.reader();
        let Some(height) = reader.height_of(id)? else { return Ok(None) };
        reader.block(height)
    }

    fn batch_of<'a>(&self, entry: &'a Entry) -> Option<Found<'a>> {
        match entry {
            Entry::Batch(batch) => Some(Found::InBlock(batch)),
            Entry::Rejection(rejection) => self.pool.get(&rejection.batch).map(Found::Pooled),
        }
    }

    /// Committed blocks from a height on, up to one that has a finalization of its own, or that the network went back to: the
    /// last whose body still has room, or else the first beyond.
    fn run_from(&self, from_height: u64) -> Result<Option<Run>, StoreError> {
        let reader = self.ledger.reader();
        let (mut headers, mut bodies) = (Vec::new(), Bodies::default());
        let mut end = None;
        let is_agreed = |header: &BlockHeader| {
            self.origin == Some(Rollback { height: header.height, block: header.id() })
        };
        // Block 0 is agreed on before anybody votes: nothing proves it.
        for height in (from_height.max(1)..=reader.head().height).take(RUN_HEADERS) {
            if !bodies.is_full {
                let Some((_, body)) = reader.block_record(height)? else { break };
                bodies.push(body);
            }
            if bodies.is_full && end.is_some() {
                break;
            }
            let Some(header) = reader.header(height)? else { break };
            let certificate = finalization(self.ledger.consensus(), height)?;
            let own = certificate.filter(|certificate| {
                let candidate = certificate.certified().candidate();
                candidate.is_some_and(|candidate| candidate.block == header.id())
            });
            // Where the network went back to, agreement proves what no certificate may be left for.
            let proof = own.map(Some).or_else(|| is_agreed(&header).then_some(None));
            headers.push(header);
            end = proof.map(|proof| (headers.len(), proof)).or(end);
        }
        let Some((count, certificate)) = end else { return Ok(None) };
        headers.truncate(count);
        bodies.list.truncate(count);
        Ok(Some(Run { headers, bodies: bodies.list, certificate }))
    }
}

/// A batch that a peer asks for.
enum Found<'a> {
    InBlock(&'a Batch),
    Pooled(Arc<Verified<Batch>>),
}

impl Found<'_> {
    fn batch(&self) -> &Batch {
        match self {
            Self::InBlock(batch) => batch,
            Self::Pooled(batch) => batch,
        }
    }
}

/// The bodies of a run, one at least.
#[derive(Default)]
pub(super) struct Bodies {
    pub(super) list: Vec<Bytes>,
    bytes: usize,
    pub(super) is_full: bool,
}

impl Bodies {
    pub(super) fn push(&mut self, body: Bytes) {
        self.bytes += body.len();
        self.is_full = self.list.len() == RUN_BODIES || (self.bytes > BLOCK_BYTES && !self.list.is_empty());
        if !self.is_full {
            self.list.push(body);
        }
    }
}
