//! Batches of peers whose signatures are not verified yet. A proposal may name one before its turn comes: then the
//! execution thread verifies it at once, and no peer is asked for what is here already.

use std::collections::BTreeMap;
use std::sync::Arc;

use ledger_types::{Batch, BatchId, ValidatorId, Verified};
use parking_lot::{Condvar, Mutex};

use super::inbox::Permit;

/// A batch and who sent it: of two peers that send one id, one may lie about what it says.
pub(super) type Arrival = (BatchId, ValidatorId);

/// The batches that arrive, bounded by the permits of the peers that sent them.
#[derive(Default)]
pub(crate) struct Arriving {
    held: Mutex<Held>,
    ended: Condvar,
}

#[derive(Default)]
struct Held {
    batches: BTreeMap<Arrival, Stage>,
    /// What peers sent that nobody signed so.
    offences: BTreeMap<ValidatorId, String>,
}

enum Stage {
    /// Nobody has begun to verify it.
    Waits(Batch, Arc<Permit>),
    /// Somebody verifies it.
    Begun,
}

/// A batch to verify.
pub(super) struct Begun {
    batch: Batch,
    end: End,
    permit: Arc<Permit>,
}

/// A batch whose signatures are good. Dropped when the batch is in the pool or of no use: then it does not arrive any more.
pub(super) struct Checked {
    /// The batch.
    pub(super) batch: Verified<Batch>,
    _end: End,
    _permit: Arc<Permit>,
}

/// Ends an arrival when it is dropped.
struct End {
    arriving: Arc<Arriving>,
    arrival: Arrival,
}

impl Arriving {
    /// Holds batches of a peer that are not held yet, and tells which, with their bytes.
    pub(super) fn hold(
        &self,
        from: ValidatorId,
        batches: Vec<Batch>,
        permit: &Arc<Permit>,
    ) -> Vec<(Arrival, usize)> {
        let mut held = self.held.lock();
        let mut new = Vec::with_capacity(batches.len());
        for batch in batches {
            let arrival = (batch.id, from);
            held.batches.entry(arrival).or_insert_with(|| {
                new.push((arrival, batch.encoded_len()));
                Stage::Waits(batch, permit.clone())
            });
        }
        new
    }

    /// Begins to verify a batch; `None` when somebody else has.
    pub(super) fn begin(self: &Arc<Self>, arrival: Arrival) -> Option<Begun> {
        let mut held = self.held.lock();
        let stage = held.batches.get_mut(&arrival)?;
        match std::mem::replace(stage, Stage::Begun) {
            Stage::Begun => None,
            Stage::Waits(batch, permit) => {
                Some(Begun { batch, end: End { arriving: self.clone(), arrival }, permit })
            }
        }
    }

    /// Begins to verify those of these batches that nobody has begun.
    pub(super) fn begin_all(self: &Arc<Self>, ids: &[BatchId]) -> Vec<Begun> {
        let arrivals: Vec<Arrival> = {
            let held = self.held.lock();
            ids.iter().flat_map(|id| held.of(id).map(|(arrival, _)| *arrival)).collect()
        };
        arrivals.into_iter().filter_map(|arrival| self.begin(arrival)).collect()
    }

    /// Waits until none of these batches is being verified.
    pub(super) fn wait_for(&self, ids: &[BatchId]) {
        let mut held = self.held.lock();
        self.ended.wait_while(&mut held, |held| {
            ids.iter().any(|id| held.of(id).any(|(_, stage)| matches!(stage, Stage::Begun)))
        });
    }

    /// What a peer was found to have sent, told once.
    pub(super) fn offence(&self, of: ValidatorId) -> Option<String> {
        self.held.lock().offences.remove(&of)
    }

    /// Waits until nothing arrives any more.
    #[cfg(test)]
    pub(super) fn settle(&self) {
        let mut held = self.held.lock();
        self.ended.wait_while(&mut held, |held| !held.batches.is_empty());
    }
}

impl Held {
    /// What is held of a batch, of whichever peer.
    fn of(&self, id: &BatchId) -> impl Iterator<Item = (&Arrival, &Stage)> {
        let id = *id;
        self.batches
            .range((id, ValidatorId { cluster: 0, node: 0 })..)
            .take_while(move |((of, _), _)| *of == id)
    }
}

impl Begun {
    /// Verifies the batch; `None` when nobody signed it so, which its sender will be told.
    pub(super) fn verify(self) -> Option<Checked> {
        let Self { batch, end, permit } = self;
        match batch.verify() {
            Ok(batch) => Some(Checked { batch, _end: end, _permit: permit }),
            Err(error) => {
                let (batch, from) = end.arrival;
                let offence = format!("batch {batch}: {error}");
                end.arriving.held.lock().offences.insert(from, offence);
                None
            }
        }
    }
}

impl Drop for End {
    fn drop(&mut self) {
        self.arriving.held.lock().batches.remove(&self.arrival);
        self.arriving.ended.notify_all();
    }
}
