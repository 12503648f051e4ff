//! The batches that clients gave to this node go to all others at once; what stays pending is said again.

use std::sync::Arc;

use bytes::Bytes;
use consensus::Recipients;
use ledger::Pool;
use ledger_types::limits::BATCHES_PER_LIST;
use ledger_types::{Batch, Verified};
use parking_lot::Mutex;

use crate::batch_list;
use crate::network::{Links, Way};

/// Bytes of batches in one frame; a larger batch has a frame of its own.
const FRAME_BYTES: usize = 1 << 20;

/// How long a batch is pending before it is sent again, and how often, milliseconds.
const REPEAT_MS: u64 = 2_000;
/// Batches that are sent again at once at most: one of them is enough for a block to be wanted.
const REPEATED: usize = 100;

/// Sends batches of this node's clients to its peers.
pub(crate) struct Broadcast {
    links: Links,
    has_peers: bool,
    pool: Arc<Pool>,
    /// When pending batches were last sent again.
    repeated_ms: Mutex<u64>,
}

impl Broadcast {
    /// For the batches of a pool.
    pub(crate) fn new(links: Links, pool: Arc<Pool>) -> Self {
        let has_peers = !links.states().is_empty();
        Self { links, has_peers, pool, repeated_ms: Mutex::default() }
    }

    /// Sends admitted batches to all peers that are linked. Who is away asks for them when a block names them, or gets
    /// them by [`Self::repeat`].
    pub(crate) fn send(&self, batches: &[Verified<Batch>]) {
        if self.has_peers {
            for frame in frames(batches.iter().map(|batch| &**batch)) {
                self.links.put(Recipients::Others, Way::Batches, &frame);
            }
        }
    }

    /// Sends everybody what has been pending for long, whoever gave it: who lost it must know that a block is wanted, or an
    /// idle leader is never left. Does nothing most of the times it is called.
    pub(crate) fn repeat(&self, now_ms: u64) {
        let is_old = |since_ms: u64| since_ms.saturating_add(REPEAT_MS) <= now_ms;
        let mut repeated_ms = self.repeated_ms.lock();
        if !self.has_peers || !is_old(*repeated_ms) || !self.pool.pending_since_ms().is_some_and(is_old) {
            return;
        }
        *repeated_ms = now_ms;
        let pending = self.pool.candidates(REPEATED);
        for frame in frames(pending.iter().map(|candidate| &**candidate.batch)).into_iter().take(1) {
            self.links.put(Recipients::Others, Way::Batches, &frame);
        }
    }
}

/// Frames of these batches, in order.
fn frames<'a>(batches: impl Iterator<Item = &'a Batch>) -> Vec<Bytes> {
    let (mut frames, mut frame, mut bytes) = (Vec::new(), Vec::new(), 0);
    for batch in batches {
        let is_full = bytes + batch.encoded_len() > FRAME_BYTES || frame.len() == BATCHES_PER_LIST;
        if is_full && !frame.is_empty() {
            frames.push(batch_list::encode(frame.drain(..)));
            bytes = 0;
        }
        bytes += batch.encoded_len();
        frame.push(batch);
    }
    if !frame.is_empty() {
        frames.push(batch_list::encode(frame));
    }
    frames
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use std::sync::Arc;

    use ledger::{Pool, Source};
    use ledger_types::{Batch, BatchId, Verified};

    use super::{Broadcast, FRAME_BYTES, REPEAT_MS, frames};
    use crate::batch_list;
    use crate::network::{Links, Way};
    use crate::testing::{batch, large_batch, ledger, network, validator};

    fn ids<'a>(batches: impl IntoIterator<Item = &'a Verified<Batch>>) -> Vec<BatchId> {
        batches.into_iter().map(|batch| batch.id).collect()
    }

    #[test]
    fn frames_hold_all_batches_in_order_and_not_much_more_than_a_megabyte() {
        let batches: Vec<_> = (0..5).map(|number| large_batch(number, 60)).chain([batch(9)]).collect();
        let each = batches[0].encoded_len();
        assert!(each < FRAME_BYTES && 2 * each > FRAME_BYTES / 2, "{each} bytes");
        let frames = frames(batches.iter().map(|batch| &**batch));
        assert!(frames.len() > 1 && frames.iter().all(|frame| frame.len() <= FRAME_BYTES));
        let read: Vec<BatchId> = frames
            .into_iter()
            .flat_map(|frame| batch_list::decode(frame).unwrap())
            .map(|batch| batch.id)
            .collect();
        assert_eq!(read, ids(&batches));
        assert!(super::frames(std::iter::empty()).is_empty());
    }

    #[test]
    fn what_is_pending_for_long_is_sent_again_now_and_then() {
        let directory = tempfile::tempdir().unwrap();
        let (ledger, pool) = (ledger(directory.path(), &network(4)), Arc::new(Pool::new()));
        let links = Links::to([validator(2)]);
        let broadcast = Broadcast::new(links.clone(), pool.clone());
        let from_a_peer = vec![batch(1)];
        pool.admit(from_a_peer, Source::Peer, &ledger.reader(), 1_000).unwrap();
        let waiting = |now_ms| {
            broadcast.repeat(now_ms);
            links.waiting(validator(2), Way::Batches)
        };
        assert_eq!(waiting(1_000 + REPEAT_MS - 1), 0, "not for long yet");
        assert_eq!(waiting(1_000 + REPEAT_MS), 1);
        assert_eq!(waiting(1_000 + 2 * REPEAT_MS - 1), 1, "just done");
        assert_eq!(waiting(1_000 + 2 * REPEAT_MS), 2);
        pool.remove(&[batch(1).id]);
        assert_eq!(waiting(1_000 + 9 * REPEAT_MS), 2, "nothing is pending");
    }

    #[test]
    fn what_is_sent_again_is_one_frame_of_the_oldest() {
        let directory = tempfile::tempdir().unwrap();
        let (ledger, pool) = (ledger(directory.path(), &network(4)), Arc::new(Pool::new()));
        let links = Links::to([validator(2)]);
        let broadcast = Broadcast::new(links.clone(), pool.clone());
        let given: Vec<_> = (0..14).map(|number| large_batch(number, 90)).collect();
        assert!(given.iter().map(|batch| batch.encoded_len()).sum::<usize>() > 4 * FRAME_BYTES);
        pool.admit(given, Source::Client, &ledger.reader(), 0).unwrap();
        broadcast.repeat(REPEAT_MS);
        assert_eq!(links.waiting(validator(2), Way::Batches), 1);
    }
}
