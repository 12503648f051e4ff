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

    /// Takes everything that waits; waits until there is something.
    pub(super) async fn take(&self) -> VecDeque<Bytes> {
        loop {
            {
                let mut frames = self.frames.lock();
                if !frames.queue.is_empty() {
                    frames.bytes = 0;
                    return std::mem::take(&mut frames.queue);
                }
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

    /// How many frames found no room.
    pub(super) fn dropped(&self) -> u64 {
        self.frames.lock().dropped
    }
}
