//! What peers say, on its way to the engine, bounded for each peer: messages are verified on the network's threads, batches
//! on threads that give way.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};

use bytes::Bytes;
use consensus::message::MESSAGE_BYTES;
use consensus::{Ed25519Verifier, Message, Now, VerifiedMessage};
use ledger::store::StoreError;
use ledger::{AdmitError, Pool, Reader, Source};
use ledger_types::limits::BATCHES_PER_LIST;
use ledger_types::{Batch, BatchId, ValidatorId};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::spawn_blocking;

use super::EngineHandle;
use super::arriving::{Arrival, Arriving, Begun, Checked};
use super::driver::Event;
use super::signatures::Remembering;
use crate::batch_list;
use crate::clock::Clock;
use crate::network::{Inbox, Way};
use crate::thread::Joined;
use crate::verifiers::Verifiers;

/// Messages of one peer that wait for the driver at most, and their bytes. Beyond, the peer's link is not read.
pub(super) const WAITING_MESSAGES: usize = 256;
pub(super) const WAITING_BYTES: usize = 32 << 20;
// The largest message fits, or its sender would wait for ever.
const _: () = assert!(MESSAGE_BYTES <= WAITING_BYTES && WAITING_BYTES <= u32::MAX as usize);

/// Frames of batches of one peer that are not verified yet at most, and their bytes.
pub(super) const ARRIVING_FRAMES: usize = 512;
const ARRIVING_BYTES: usize = 2 << 20;
/// Bytes of batches that a thread verifies in one go, unless a batch alone has more.
const PIECE_BYTES: usize = 8 << 10;
/// Larger frames are decoded on a thread that may take its time.
pub(super) const SMALL_FRAME_BYTES: usize = 32 << 10;

/// How long after its rejection a batch may still be on its way from other nodes, milliseconds.
pub(super) const LATE_MS: u64 = 10_000;

/// The engine's end of the links: messages go to the driver, batches to the pool.
pub(crate) struct PeerInbox {
    engine: EngineHandle,
    verifier: Arc<Remembering<Ed25519Verifier>>,
    budgets: BTreeMap<ValidatorId, Budgets>,
    door: Arc<Door>,
    // Behind the door, which it waits for when it is dropped: the thread that gives verified batches to the pool. It reads
    // the ledger and holds the pool's lock, which those that give way must not.
    _admission: Joined,
}

/// Where batches of peers come in.
struct Door {
    arriving: Arc<Arriving>,
    verifiers: Arc<Verifiers>,
    pool: Arc<Pool>,
    reader: Reader,
    clock: Clock,
    // Last: the thread at the other end is waited for, and then the files are closed.
    verified: Sender<Vec<Checked>>,
}

/// What of one peer may wait.
struct Budgets {
    messages: Budget,
    batches: Budget,
}

/// So many frames, and so many bytes.
struct Budget {
    frames: Arc<Semaphore>,
    bytes: Arc<Semaphore>,
    most_bytes: usize,
}

/// A waiting frame's part of its peer's budget; given back when it is dropped.
pub(crate) struct Permit {
    _frame: OwnedSemaphorePermit,
    _bytes: OwnedSemaphorePermit,
}

#[cfg(test)]
impl Permit {
    /// A permit of a budget of its own.
    pub(super) fn unlimited() -> Self {
        let take = || Arc::new(Semaphore::new(1)).try_acquire_owned();
        let (Ok(_frame), Ok(_bytes)) = (take(), take()) else { unreachable!("a new semaphore has room") };
        Self { _frame, _bytes }
    }
}

impl Budget {
    fn new(frames: usize, most_bytes: usize) -> Self {
        let [frames, bytes] = [frames, most_bytes].map(|most| Arc::new(Semaphore::new(most)));
        Self { frames, bytes, most_bytes }
    }

    /// Waits until there is room; `None` never in fact: the semaphores are not closed.
    async fn acquire(&self, bytes: usize) -> Option<Permit> {
        let bytes = u32::try_from(bytes.min(self.most_bytes)).ok()?;
        Some(Permit {
            _frame: self.frames.clone().acquire_owned().await.ok()?,
            _bytes: self.bytes.clone().acquire_many_owned(bytes).await.ok()?,
        })
    }
}

impl PeerInbox {
    /// For the engine of this handle and its pool.
    ///
    /// # Errors
    /// When the system has no more threads.
    pub(crate) fn new(
        engine: EngineHandle,
        verifiers: Arc<Verifiers>,
        pool: Arc<Pool>,
        reader: Reader,
        clock: Clock,
    ) -> std::io::Result<Self> {
        let budgets = || Budgets {
            messages: Budget::new(WAITING_MESSAGES, WAITING_BYTES),
            batches: Budget::new(ARRIVING_FRAMES, ARRIVING_BYTES),
        };
        let members = engine.committee.topology().validators();
        let budgets = members.map(|(id, _)| (id, budgets())).collect();
        let verifier = Arc::new(Remembering::new(Ed25519Verifier, &engine.committee));
        let (verified, checked) = channel();
        let admission = {
            let (pool, reader, own) = (pool.clone(), reader.clone(), engine.clone());
            let admit = move || admit_all(&checked, &own, &pool, &reader, clock);
            Joined::spawn("admit", engine.clone(), admit)?
        };
        let arriving = engine.arriving.clone();
        let door = Arc::new(Door { arriving, verifiers, pool, reader, clock, verified });
        Ok(Self { engine, verifier, budgets, door, _admission: admission })
    }

    fn budgets(&self, from: ValidatorId) -> Result<&Budgets, String> {
        self.budgets.get(&from).ok_or_else(|| format!("{from} is not in the committee"))
    }

    async fn take_message(&self, from: ValidatorId, way: Way, frame: Bytes) -> Result<(), String> {
        let (budget, engine) = (&self.budgets(from)?.messages, &self.engine);
        let len = frame.len();
        let message = Message::decode(frame).map_err(|error| format!("no message: {error}"))?;
        let is_large = matches!(message, Message::Entries(_) | Message::Run(_));
        if is_large != (way == Way::Blocks) {
            return Err(format!("a message that does not go the way of {way:?}"));
        }
        // Before the signatures: what is long decided could be repeated for ever.
        if engine.status().has_passed(&message) {
            return Ok(());
        }
        let Some(message) = self.verify(message).await? else { return Ok(()) };
        let Some(permit) = budget.acquire(len).await else { return Ok(()) };
        // A stopped driver hears nothing.
        let _ = engine.inputs.send(Event::Message { from, message: Box::new(message), permit });
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

    /// Takes batches that are verified later. That one was signed by nobody, its sender is told with the next frame.
    async fn take_batches(&self, from: ValidatorId, frame: Bytes) -> Result<(), String> {
        let budgets = self.budgets(from)?;
        if let Some(offence) = self.door.arriving.offence(from) {
            return Err(offence);
        }
        let Some(permit) = budgets.batches.acquire(frame.len()).await else { return Ok(()) };
        let (door, is_small) = (self.door.clone(), frame.len() <= SMALL_FRAME_BYTES);
        let hold = move || door.hold(from, frame, permit);
        match is_small {
            true => hold(),
            // The runtime stops: nobody is left to take them.
            false => spawn_blocking(hold).await.unwrap_or(Ok(())),
        }
    }
}

impl Door {
    /// Holds the batches of a frame that are not known here, as far as the pool has room, and has them verified. In one
    /// step: the link may go away meanwhile, and what is held and verified by nobody would be held for ever.
    fn hold(self: &Arc<Self>, from: ValidatorId, frame: Bytes, permit: Permit) -> Result<(), String> {
        let batches = unknown(frame, &self.pool, &self.reader, self.clock.now().wall_ms)?;
        // Before the signatures: while the pool is full, a peer's batches cost next to nothing.
        if !has_room(self.pool.size(), &batches) {
            return Ok(());
        }
        let mut arrivals = self.arriving.hold(from, batches, &Arc::new(permit)).into_iter().peekable();
        while let Some((first, mut bytes)) = arrivals.next() {
            let mut piece = vec![first];
            while let Some((next, more)) = arrivals.next_if(|(_, more)| bytes + more <= PIECE_BYTES) {
                bytes += more;
                piece.push(next);
            }
            // What waits here when the node stops does not keep its files open.
            let door = Arc::downgrade(self);
            self.verifiers.spawn(Source::Peer, move || door.upgrade().map_or((), |door| door.verify(&piece)));
        }
        Ok(())
    }

    /// Verifies batches, unless somebody else has begun to.
    fn verify(&self, arrivals: &[Arrival]) {
        let begun = arrivals.iter().filter_map(|arrival| self.arriving.begin(*arrival));
        let checked: Vec<Checked> = begun.filter_map(Begun::verify).collect();
        if !checked.is_empty() {
            // The thread at the other end waits for this door.
            let _ = self.verified.send(checked);
        }
    }
}

/// Gives what is verified to the pool, until nobody is left to verify.
fn admit_all(
    checked: &Receiver<Vec<Checked>>,
    engine: &EngineHandle,
    pool: &Pool,
    reader: &Reader,
    clock: Clock,
) {
    while let Ok(first) = checked.recv() {
        let mut is_new = false;
        for Checked { batch, .. } in
            first.iter().chain(checked.try_iter().collect::<Vec<_>>().iter().flatten())
        {
            let Now { monotonic_ms, wall_ms } = clock.now();
            // It may have been decided while it waited.
            match is_decided(reader, &batch.id, wall_ms) {
                Ok(false) => {}
                Ok(true) => continue,
                Err(error) => {
                    unreadable(&error);
                    continue;
                }
            }
            match pool.admit(vec![batch.clone()], Source::Peer, reader, monotonic_ms) {
                Ok(()) => is_new = true,
                Err(error @ AdmitError::Full { .. }) => tracing::debug!(%error, "a peer's batch is dropped"),
                Err(AdmitError::Store(error)) => unreadable(&error),
            }
        }
        if is_new {
            engine.pool_changed();
        }
    }
}

impl Inbox for PeerInbox {
    async fn take(&self, from: ValidatorId, way: Way, frame: Bytes) -> Result<(), String> {
        match way {
            Way::Consensus | Way::Blocks => self.take_message(from, way, frame).await,
            Way::Batches => self.take_batches(from, frame).await,
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
    batches.retain(|batch| {
        let decided = is_decided(reader, &batch.id, wall_ms).inspect_err(unreadable);
        !pool.contains(&batch.id) && decided.is_ok_and(|is_decided| !is_decided)
    });
    Ok(batches)
}

/// Whether a batch is committed, or was rejected a moment ago.
fn is_decided(reader: &Reader, id: &BatchId, wall_ms: u64) -> Result<bool, StoreError> {
    let rejected = reader.rejection_height(id)?.map(|height| reader.header(height)).transpose()?.flatten();
    let is_late = rejected.is_some_and(|block| block.time_ms.saturating_add(LATE_MS) > wall_ms);
    Ok(is_late || reader.batch_place(id)?.is_some())
}

/// Whether a pool with so many batches and bytes has room for these of a peer. Whoever proposes what is dropped here has it, and is asked then.
pub(super) fn has_room((count, bytes): (usize, usize), batches: &[Batch]) -> bool {
    let more: usize = batches.iter().map(Batch::encoded_len).sum();
    let (most, most_bytes) = Source::Peer.limits();
    count + batches.len() <= most && bytes + more <= most_bytes
}

fn unreadable(error: &StoreError) {
    tracing::error!(%error, "a peer's batches are dropped");
}
