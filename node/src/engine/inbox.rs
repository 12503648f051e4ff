//! What peers say, on its way to the engine: decoded and verified on the network's threads, bounded for each peer.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use consensus::message::MESSAGE_BYTES;
use consensus::{Ed25519Verifier, Message, Now, VerifiedMessage};
use ledger::store::StoreError;
use ledger::{AdmitError, Pool, Reader, Source};
use ledger_types::limits::{BATCHES_PER_LIST, POOL_BATCHES, POOL_BYTES};
use ledger_types::{Batch, BatchId, ValidatorId};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::spawn_blocking;

use super::EngineHandle;
use super::driver::Event;
use super::signatures::Remembering;
use crate::batch_list;
use crate::clock::Clock;
use crate::network::{Inbox, Way};

/// Messages of one peer that wait for the driver at most, and their bytes. Beyond, the peer's link is not read.
pub(super) const WAITING_MESSAGES: usize = 256;
pub(super) const WAITING_BYTES: usize = 32 << 20;
// The largest message fits, or its sender would wait for ever.
const _: () = assert!(MESSAGE_BYTES <= WAITING_BYTES && WAITING_BYTES <= u32::MAX as usize);

/// How long after its rejection a batch may still be on its way from other nodes, milliseconds.
pub(super) const LATE_MS: u64 = 10_000;

/// The engine's end of the links: messages go to the driver, batches to the pool.
pub(crate) struct PeerInbox {
    engine: EngineHandle,
    pool: Arc<Pool>,
    reader: Reader,
    clock: Clock,
    verifier: Arc<Remembering<Ed25519Verifier>>,
    budgets: BTreeMap<ValidatorId, Budget>,
}

/// What of one peer may wait.
struct Budget {
    messages: Arc<Semaphore>,
    bytes: Arc<Semaphore>,
}

/// A waiting message's part of its peer's budget; given back when it is dropped.
pub(crate) struct Permit {
    _message: OwnedSemaphorePermit,
    _bytes: OwnedSemaphorePermit,
}

impl Budget {
    fn new() -> Self {
        Self {
            messages: Arc::new(Semaphore::new(WAITING_MESSAGES)),
            bytes: Arc::new(Semaphore::new(WAITING_BYTES)),
        }
    }

    /// Waits until there is room; `None` never in fact: the semaphores are not closed.
    async fn acquire(&self, bytes: usize) -> Option<Permit> {
        let bytes = u32::try_from(bytes.min(WAITING_BYTES)).ok()?;
        Some(Permit {
            _message: self.messages.clone().acquire_owned().await.ok()?,
            _bytes: self.bytes.clone().acquire_many_owned(bytes).await.ok()?,
        })
    }
}

impl PeerInbox {
    /// For the engine of this handle and its pool.
    pub(crate) fn new(engine: EngineHandle, pool: Arc<Pool>, reader: Reader, clock: Clock) -> Self {
        let members = engine.committee.topology().validators();
        let budgets = members.map(|(id, _)| (id, Budget::new())).collect();
        let verifier = Arc::new(Remembering::new(Ed25519Verifier, &engine.committee));
        Self { engine, pool, reader, clock, verifier, budgets }
    }

    async fn take_message(&self, from: ValidatorId, way: Way, frame: Bytes) -> Result<(), String> {
        let Some(budget) = self.budgets.get(&from) else {
            return Err(format!("{from} is not in the committee"));
        };
        let len = frame.len();
        let message = Message::decode(frame).map_err(|error| format!("no message: {error}"))?;
        let is_large = matches!(message, Message::Entries(_) | Message::Run(_));
        if is_large != (way == Way::Blocks) {
            return Err(format!("a message that does not go the way of {way:?}"));
        }
        // Before the signatures: what is long decided could be repeated for ever.
        if self.engine.status().has_passed(&message) {
            return Ok(());
        }
        let Some(message) = self.verify(message).await? else { return Ok(()) };
        let Some(permit) = budget.acquire(len).await else { return Ok(()) };
        // A stopped driver hears nothing.
        let _ = self.engine.inputs.send(Event::Message { from, message: Box::new(message), permit });
        Ok(())
    }

    /// Verifies a message; one that carries certificates on a thread that may take its time. `None` when the node stops.
    async fn verify(&self, message: Message) -> Result<Option<VerifiedMessage>, String> {
        let is_cheap = match message {
            Message::Vote(_)
            | Message::Request(_)
            | Message::Heartbeat(_)
            | Message::GuardRequest(_)
            | Message::Entries(_) => true,
            Message::Propose(_) | Message::Certificate(_) | Message::Run(_) | Message::GuardAnswer(_) => {
                false
            }
        };
        let (committee, verifier) = (self.engine.committee.clone(), self.verifier.clone());
        let verify = move || message.verify(&committee, &*verifier).map_err(|error| error.to_string());
        match is_cheap {
            true => verify().map(Some),
            false => spawn_blocking(verify).await.ok().transpose(),
        }
    }

    async fn take_batches(&self, frame: Bytes) -> Result<(), String> {
        let (pool, reader, engine) = (self.pool.clone(), self.reader.clone(), self.engine.clone());
        let Now { monotonic_ms: now_ms, wall_ms } = self.clock.now();
        let taken = spawn_blocking(move || {
            let batches = unknown(frame, &pool, &reader, wall_ms)?;
            // Before the signatures: while the pool is full, a peer's batches cost next to nothing.
            if batches.is_empty() || !has_room(pool.size(), &batches) {
                return Ok(());
            }
            let verified =
                batch_list::verify(batches).map_err(|(id, error)| format!("batch {id}: {error}"))?;
            match pool.admit(verified, Source::Peer, &reader, now_ms) {
                Ok(()) => engine.pool_changed(),
                Err(error @ AdmitError::Full { .. }) => {
                    tracing::debug!(%error, "a peer's batches are dropped");
                }
                Err(AdmitError::Store(error)) => unreadable(&error),
            }
            Ok(())
        });
        // The runtime stops: nobody is left to take them.
        taken.await.unwrap_or(Ok(()))
    }
}

impl Inbox for PeerInbox {
    async fn take(&self, from: ValidatorId, way: Way, frame: Bytes) -> Result<(), String> {
        match way {
            Way::Consensus | Way::Blocks => self.take_message(from, way, frame).await,
            Way::Batches => self.take_batches(frame).await,
        }
    }

    fn displaced(&self, by: &[ValidatorId]) {
        let peers: Vec<String> = by.iter().map(ValidatorId::to_string).collect();
        let by = peers.join(", ");
        self.engine.fail(format!("another process uses this node's keys: {by} hear it; stop one of the two"));
    }
}

/// The batches of a frame that are neither pending nor decided here. One that was rejected a moment ago is a copy that comes
/// late, and must not change an answer; later it is a client's new try.
pub(super) fn unknown(
    frame: Bytes,
    pool: &Pool,
    reader: &Reader,
    wall_ms: u64,
) -> Result<Vec<Batch>, String> {
    let mut batches = batch_list::decode(frame).map_err(|error| format!("no batches: {error}"))?;
    if batches.len() > BATCHES_PER_LIST {
        return Err(format!("{} batches in one frame", batches.len()));
    }
    let is_decided = |id: &BatchId| {
        let rejected =
            reader.rejection_height(id)?.map(|height| reader.header(height)).transpose()?.flatten();
        let is_late = rejected.is_some_and(|block| block.time_ms.saturating_add(LATE_MS) > wall_ms);
        Ok(is_late || reader.batch_place(id)?.is_some())
    };
    batches.retain(|batch| {
        let decided: Result<bool, StoreError> = is_decided(&batch.id);
        !pool.contains(&batch.id) && decided.inspect_err(unreadable).is_ok_and(|is_decided| !is_decided)
    });
    Ok(batches)
}

/// Whether a pool with so many batches and bytes takes these from a peer. The last quarter is for the batches that clients
/// give to this node: no peer can close its door. Whoever proposes what is dropped here has it, and is asked then.
pub(super) fn has_room((count, bytes): (usize, usize), batches: &[Batch]) -> bool {
    let more: usize = batches.iter().map(Batch::encoded_len).sum();
    count + batches.len() <= POOL_BATCHES / 4 * 3 && bytes + more <= POOL_BYTES / 4 * 3
}

fn unreadable(error: &StoreError) {
    tracing::error!(%error, "a peer's batches are dropped");
}
