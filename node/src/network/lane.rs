//! What waits to be sent to one peer, bounded.

use std::collections::VecDeque;

use bytes::Bytes;
use parking_lot::Mutex;
use tokio::sync::Notify;

/// What happens to a frame that finds its lane full.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Overflow {
    /// The oldest frames make room: what is newest says most.
    DropOldest,
    /// The frame is not taken.
    Refuse,
}

/// Bytes that leave a lane together, to be flushed once.
const TAKEN_BYTES: usize = 256 << 10;

/// A queue of frames with a limit in bytes: whoever fills it never waits, and a peer that does not read costs no more.
#[derive(Debug)]
pub(super) struct Lane {
    frames: Mutex<Frames>,
    filled: Notify,
    overflow: Overflow,
    limit_bytes: usize,
}

#[derive(Debug, Default)]
struct Frames {
    queue: VecDeque<Bytes>,
    bytes: usize,
    dropped: u64,
}

impl Frames {
    fn take(&mut self) -> Vec<Bytes> {
        let (mut taken, mut bytes) = (Vec::new(), 0);
        while bytes < TAKEN_BYTES
            && let Some(frame) = self.queue.pop_front()
        {
            bytes += frame.len();
            taken.push(frame);
        }
        self.bytes -= bytes;
        taken
    }
}

impl Lane {
    /// An empty lane.
    pub(super) fn new(limit_bytes: usize, overflow: Overflow) -> Self {
        Self { frames: Mutex::default(), filled: Notify::new(), overflow, limit_bytes }
    }

    /// Puts a frame at the end, as the lane's limit allows.
    pub(super) fn push(&self, frame: Bytes) {
        let mut frames = self.frames.lock();
        if self.overflow == Overflow::Refuse && frames.bytes + frame.len() > self.limit_bytes {
            frames.dropped += 1;
            return;
        }
        frames.bytes += frame.len();
        frames.queue.push_back(frame);
        // The newest one stays, whatever its size.
        while frames.bytes > self.limit_bytes && frames.queue.len() > 1 {
            let Some(oldest) = frames.queue.pop_front() else { break };
            frames.bytes -= oldest.len();
            frames.dropped += 1;
        }
        drop(frames);
        self.filled.notify_one();
    }

    /// Takes what waits, a frame at least and not much more than [`TAKEN_BYTES`]; waits until there is something.
    pub(super) async fn take(&self) -> Vec<Bytes> {
        loop {
            let taken = self.frames.lock().take();
            if !taken.is_empty() {
                return taken;
            }
            self.filled.notified().await;
        }
    }

    /// Forgets what waits: it was for a link that is gone.
    pub(super) fn clear(&self) {
        let mut frames = self.frames.lock();
        frames.bytes = 0;
        frames.queue.clear();
    }

    /// How many frames wait.
    #[cfg(test)]
    pub(super) fn waiting(&self) -> usize {
        self.frames.lock().queue.len()
    }

    /// How many frames found no room.
    pub(super) fn dropped(&self) -> u64 {
        self.frames.lock().dropped
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::{Lane, Overflow};

    #[tokio::test]
    async fn a_full_lane_keeps_the_newest_or_refuses() {
        let frame = |byte: u8| Bytes::from(vec![byte; 10]);
        let (newest, oldest) = (Lane::new(30, Overflow::DropOldest), Lane::new(30, Overflow::Refuse));
        for byte in 0..5 {
            newest.push(frame(byte));
            oldest.push(frame(byte));
        }
        assert_eq!(newest.take().await, [frame(2), frame(3), frame(4)]);
        assert_eq!(oldest.take().await, [frame(0), frame(1), frame(2)]);
        assert_eq!((newest.dropped(), oldest.dropped()), (2, 2));
        // Taken means free again.
        oldest.push(frame(9));
        assert_eq!(oldest.take().await, [frame(9)]);
    }

    #[tokio::test]
    async fn what_is_new_and_larger_than_the_lane_is_sent_alone() {
        let lane = Lane::new(30, Overflow::DropOldest);
        lane.push(Bytes::from_static(b"old"));
        lane.push(Bytes::from(vec![1; 100]));
        assert_eq!(lane.take().await, [Bytes::from(vec![1; 100])]);
        lane.push(Bytes::from_static(b"lost"));
        lane.clear();
        lane.push(Bytes::from_static(b"kept"));
        assert_eq!(lane.take().await, [Bytes::from_static(b"kept")]);
    }
}
