//! The door for batches of clients: signatures are verified here, once, on all cores; then the pool decides, and the peers
//! get them. Whatever waits at a stage goes through it together: one small batch costs as little as its part of a large one.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use api::{BatchIntake, IntakeError, Pipeline, Stage, Submission};
use ledger::{AdmitError, Pool, Reader, Source};
use ledger_types::{Batch, BatchError, BatchId, Verified};
use parking_lot::Mutex;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};

use crate::broadcast::Broadcast;
use crate::clock::Clock;
use crate::engine::EngineHandle;
use crate::thread::Joined;
use crate::verifiers::Verifiers;

/// Bytes of batches that a thread verifies in one go, unless a batch alone has more: a few milliseconds.
const PIECE_BYTES: usize = 16 << 10;
/// Bytes of batches that are admitted in one go, unless a submission alone has more: none should be in the pool for long
/// before the peers get it.
const GROUP_BYTES: usize = 64 << 10;
/// Bytes of batches that are taken from clients and not yet admitted; whoever comes beyond waits. Each batch counts as some
/// more: it has parts of its own.
pub(crate) const TAKEN_BYTES: usize = 32 << 20;
const BATCH_BYTES: usize = 1 << 10;

/// What admits batches: where they go, and who must know.
pub(crate) struct Admission {
    pub(crate) pool: Arc<Pool>,
    pub(crate) reader: Reader,
    pub(crate) engine: EngineHandle,
    pub(crate) broadcast: Arc<Broadcast>,
    pub(crate) clock: Clock,
    pub(crate) pipeline: Arc<Pipeline>,
}

/// Takes batches from the API into the pool and to the peers.
pub(crate) struct Intake {
    pool: Arc<Pool>,
    engine: EngineHandle,
    room: Arc<Semaphore>,
    door: Arc<Door>,
    // Behind the door, which it waits for when it is dropped.
    _admission: Joined,
}

/// Where batches wait for a thread that verifies.
struct Door {
    verifiers: Arc<Verifiers>,
    /// Jobs at the same time that are worth it.
    most_jobs: usize,
    waiting: Mutex<Waiting>,
    // Last: the thread at the other end is waited for, and then the files are closed.
    verified: Sender<Vec<Checked>>,
}

#[derive(Default)]
struct Waiting {
    batches: VecDeque<Unverified>,
    /// Jobs that will look here again.
    jobs: usize,
}

/// A batch, where it belongs, and its bytes.
struct Unverified {
    batch: Batch,
    of: Arc<Submitted>,
    place: usize,
    bytes: usize,
}

/// Batches that a client gave together: all are admitted, or none.
struct Submitted {
    progress: Mutex<Progress>,
    since: Instant,
}

/// How far their verification is.
struct Progress {
    /// Those whose signatures are good, by their place.
    verified: Vec<Option<Verified<Batch>>>,
    /// How many are not verified yet.
    left: usize,
    /// Who waits for the answer, until there is one.
    answer: Option<Answer>,
    /// Its part of the room, until it is admitted, or until none of its batches waits any more.
    room: Option<OwnedSemaphorePermit>,
}

type Answer = oneshot::Sender<Result<(), IntakeError>>;

/// A submission whose signatures are good.
struct Checked {
    batches: Vec<Verified<Batch>>,
    answer: Answer,
    took: Duration,
    _room: Option<OwnedSemaphorePermit>,
}

impl Intake {
    /// Starts the thread that admits.
    ///
    /// # Errors
    /// When the system has no more threads.
    pub(crate) fn start(verifiers: Arc<Verifiers>, admission: Admission) -> Result<Self> {
        let (verified, checked) = channel();
        let (pool, engine) = (admission.pool.clone(), admission.engine.clone());
        let admit = move || admission.run(&checked);
        let thread = Joined::spawn("admit", engine.clone(), admit).context("starting a thread")?;
        let most_jobs = std::thread::available_parallelism().map_or(1, usize::from);
        let door = Arc::new(Door { verifiers, most_jobs, waiting: Mutex::default(), verified });
        let room = Arc::new(Semaphore::new(TAKEN_BYTES));
        Ok(Self { pool, engine, room, door, _admission: thread })
    }

    async fn admit(&self, batches: Vec<Batch>) -> Result<(), IntakeError> {
        if let Some(reason) = self.engine.not_ready() {
            return Err(IntakeError::NotReady(reason));
        }
        let stops = || IntakeError::NotReady("the node is stopping".to_owned());
        let sizes: Vec<usize> = batches.iter().map(Batch::encoded_len).collect();
        let room = sizes.iter().map(|bytes| bytes + BATCH_BYTES).sum::<usize>().min(TAKEN_BYTES);
        let room = u32::try_from(room).map_err(|_| IntakeError::QueueFull)?;
        // A client that goes away while it waits here leaves nothing, and later only what has room.
        let room = self.room.clone().acquire_many_owned(room).await.map_err(|_| stops())?;
        let (answer, answered) = oneshot::channel();
        self.door.put(batches, &sizes, answer, room);
        answered.await.unwrap_or_else(|_| Err(stops()))
    }

    /// Bytes of the batches that wait for a thread.
    #[cfg(test)]
    pub(crate) fn waiting_bytes(&self) -> usize {
        self.door.waiting.lock().batches.iter().map(|waiting| waiting.bytes).sum()
    }
}

impl Door {
    /// Lets batches wait, and has them verified.
    fn put(
        self: &Arc<Self>,
        batches: Vec<Batch>,
        sizes: &[usize],
        answer: Answer,
        room: OwnedSemaphorePermit,
    ) {
        let left = batches.len();
        let progress = Progress { verified: vec![None; left], left, answer: Some(answer), room: Some(room) };
        let of = Arc::new(Submitted { progress: Mutex::new(progress), since: Instant::now() });
        let batches = batches.into_iter().zip(sizes).zip(0..);
        let batches: Vec<_> = batches
            .map(|((batch, bytes), place)| Unverified { batch, of: of.clone(), place, bytes: *bytes })
            .collect();
        let jobs = {
            let mut waiting = self.waiting.lock();
            waiting.batches.extend(batches);
            let jobs = left.min(self.most_jobs.saturating_sub(waiting.jobs));
            waiting.jobs += jobs;
            jobs
        };
        (0..jobs).for_each(|_| self.spawn());
    }

    fn spawn(self: &Arc<Self>) {
        // What waits here when the node stops does not keep its files open.
        let door = Arc::downgrade(self);
        self.verifiers.spawn(Source::Client, move || door.upgrade().map_or((), |door| door.work()));
    }

    /// Verifies a piece, and comes again while anything waits.
    fn work(self: &Arc<Self>) {
        self.verify();
        let goes_on = {
            let mut waiting = self.waiting.lock();
            let goes_on = !waiting.batches.is_empty();
            waiting.jobs -= usize::from(!goes_on);
            goes_on
        };
        if goes_on {
            self.spawn();
        }
    }

    /// Verifies those that have waited longest.
    fn verify(&self) {
        let mut whole = Vec::new();
        for Unverified { batch, of, place, .. } in self.take() {
            whole.extend(of.verify(batch, place));
        }
        if !whole.is_empty() {
            // The thread at the other end waits for this door.
            let _ = self.verified.send(whole);
        }
    }

    fn take(&self) -> Vec<Unverified> {
        let (mut waiting, mut piece, mut bytes) = (self.waiting.lock(), Vec::new(), 0);
        while let Some(next) =
            waiting.batches.pop_front_if(|next| piece.is_empty() || bytes + next.bytes <= PIECE_BYTES)
        {
            bytes += next.bytes;
            piece.push(next);
        }
        piece
    }
}

impl Submitted {
    /// Verifies the batch at a place, unless the answer is known or nobody waits for it. Gives all of them when it was the
    /// last one.
    fn verify(&self, batch: Batch, place: usize) -> Option<Checked> {
        let is_over = |progress: &Progress| progress.answer.as_ref().is_none_or(oneshot::Sender::is_closed);
        if is_over(&self.progress.lock()) {
            return None;
        }
        let id = batch.id;
        let verified = batch.verify();
        let mut progress = self.progress.lock();
        match verified {
            Ok(verified) => progress.verified[place] = Some(verified),
            Err(error) => {
                if let Some(answer) = progress.answer.take() {
                    let _ = answer.send(Err(invalid(id, &error)));
                }
                return None;
            }
        }
        progress.left -= 1;
        if progress.left > 0 {
            return None;
        }
        let batches = std::mem::take(&mut progress.verified).into_iter().flatten().collect();
        let (answer, took) = (progress.answer.take()?, self.since.elapsed());
        Some(Checked { batches, answer, took, _room: progress.room.take() })
    }
}

impl Admission {
    /// Admits what is verified, until nobody is left to verify.
    fn run(&self, checked: &Receiver<Vec<Checked>>) {
        while let Ok(mut group) = checked.recv() {
            let bytes = |of: &[Checked]| {
                of.iter().flat_map(|it| &it.batches).map(|batch| batch.encoded_len()).sum::<usize>()
            };
            let mut size = bytes(&group);
            while size < GROUP_BYTES
                && let Ok(more) = checked.try_recv()
            {
                size += bytes(&more);
                group.extend(more);
            }
            self.admit(group);
        }
    }

    /// From here on it matters no more whether a client still waits: no batch is admitted and never proposed.
    fn admit(&self, group: Vec<Checked>) {
        let (mut admitted, mut answers) = (Vec::new(), Vec::new());
        let now_ms = self.clock.now().monotonic_ms;
        for Checked { batches, answer, took, _room } in group {
            self.pipeline.stage(Stage::Verify, took);
            match self.pool.admit(batches.clone(), Source::Client, &self.reader, now_ms) {
                Ok(()) => {
                    admitted.extend(batches);
                    answers.push(answer);
                }
                // Who has gone away needs no answer, here and below.
                Err(error) => _ = answer.send(Err(refusal(error))),
            }
        }
        if !admitted.is_empty() {
            // The peers first: they should have what a block of this node names.
            self.broadcast.send(&admitted);
            self.engine.pool_changed();
        }
        answers.into_iter().for_each(|answer| _ = answer.send(Ok(())));
    }
}

impl BatchIntake for Intake {
    fn submit(&self, batches: Vec<Batch>) -> Submission<'_> {
        Box::pin(self.admit(batches))
    }

    fn is_pending(&self, id: &BatchId) -> bool {
        self.pool.contains(id)
    }
}

fn invalid(batch: BatchId, error: &BatchError) -> IntakeError {
    IntakeError::Invalid { batch, reason: error.to_string() }
}

fn refusal(error: AdmitError) -> IntakeError {
    match error {
        AdmitError::Full { .. } => IntakeError::QueueFull,
        AdmitError::Store(error) => IntakeError::NotReady(error.to_string()),
    }
}
