//! What the near end keeps of one peer: a track for each way.

use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::Relaxed;

use bytes::Bytes;
use parking_lot::Mutex;
use tokio::sync::watch;

use super::Way;
use super::frames::Meter;
use super::lane::{Lane, Overflow};
use super::trouble::Trouble;

/// Bytes that wait for one peer at most, by their way.
const CONSENSUS_BYTES: usize = 16 << 20;
const BLOCKS_BYTES: usize = 32 << 20;
const BATCHES_BYTES: usize = 32 << 20;

/// What is kept of one peer.
#[derive(Debug)]
pub(super) struct Peer {
    /// Where it is reached: `tcp://HOST:PORT`.
    pub(super) endpoint: String,
    is_up: watch::Sender<bool>,
    /// Why it is not, if that is known.
    trouble: Mutex<Option<Trouble>>,
    consensus: Track,
    blocks: Track,
    batches: Track,
}

/// One way to a peer and back.
#[derive(Debug)]
pub(super) struct Track {
    /// What waits to be sent.
    pub(super) lane: Lane,
    /// What was sent and received.
    pub(super) sent: Traffic,
    pub(super) received: Traffic,
    /// How fast the peer may send.
    pub(super) meter: Meter,
}

impl Track {
    fn new(way: Way) -> Self {
        let (limit_bytes, overflow) = match way {
            Way::Consensus => (CONSENSUS_BYTES, Overflow::DropOldest),
            Way::Blocks => (BLOCKS_BYTES, Overflow::Refuse),
            Way::Batches => (BATCHES_BYTES, Overflow::Refuse),
        };
        Self {
            lane: Lane::new(limit_bytes, overflow),
            sent: Traffic::default(),
            received: Traffic::default(),
            meter: Meter::new(way),
        }
    }
}

/// Frames that went one way, and their bytes.
#[derive(Debug, Default)]
pub(super) struct Traffic {
    frames: AtomicU64,
    bytes: AtomicU64,
}

impl Traffic {
    /// Counts a frame.
    pub(super) fn add(&self, bytes: usize) {
        self.frames.fetch_add(1, Relaxed);
        self.bytes.fetch_add(bytes as u64, Relaxed);
    }

    /// Frames and bytes so far.
    pub(super) fn read(&self) -> (u64, u64) {
        (self.frames.load(Relaxed), self.bytes.load(Relaxed))
    }
}

impl Peer {
    /// A peer whose link is not up.
    pub(super) fn new(endpoint: String) -> Self {
        Self {
            endpoint,
            is_up: watch::Sender::new(false),
            trouble: Mutex::default(),
            consensus: Track::new(Way::Consensus),
            blocks: Track::new(Way::Blocks),
            batches: Track::new(Way::Batches),
        }
    }

    /// What belongs to a way.
    pub(super) fn track(&self, way: Way) -> &Track {
        match way {
            Way::Consensus => &self.consensus,
            Way::Blocks => &self.blocks,
            Way::Batches => &self.batches,
        }
    }

    /// All of them.
    pub(super) fn tracks(&self) -> [&Track; 3] {
        [&self.consensus, &self.blocks, &self.batches]
    }

    /// Whether the link is up.
    pub(super) fn is_up(&self) -> bool {
        *self.is_up.borrow()
    }

    /// The peer takes what is sent to it.
    pub(super) fn set_up(&self) {
        *self.trouble.lock() = None;
        self.is_up.send_replace(true);
    }

    /// The link is gone, and what waited for it.
    pub(super) fn set_down(&self) {
        self.is_up.send_replace(false);
        self.tracks().into_iter().for_each(|track| track.lane.clear());
    }

    /// Why the link is not up, if that is known.
    pub(super) fn trouble(&self) -> Option<Trouble> {
        self.trouble.lock().clone()
    }

    /// Notes why the link is not up; whether that is news.
    pub(super) fn set_trouble(&self, trouble: Trouble) -> bool {
        let mut held = self.trouble.lock();
        // That it hangs up says less than why.
        let is_less = trouble == Trouble::HangsUp && *held == Some(Trouble::Foreign);
        !self.is_up() && !is_less && held.replace(trouble.clone()) != Some(trouble)
    }

    /// Puts a frame on its way. Without a link it is lost, as on a wire: who needs it says it again.
    pub(super) fn push(&self, way: Way, frame: &Bytes) {
        if self.is_up() {
            self.track(way).lane.push(frame.clone());
        }
    }

    /// Tells when the link comes up or goes down.
    #[cfg(test)]
    pub(super) fn watch(&self) -> watch::Receiver<bool> {
        self.is_up.subscribe()
    }
}
