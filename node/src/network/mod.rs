//! Links to the other validators: libp2p over TCP with Noise and Yamux.
//!
//! [`Links`] is the near end: whoever has something to say puts it there and never waits. [`open()`] is the far end: one
//! task that keeps a link to every peer, and two for every link. What peers say goes to an [`Inbox`].

mod budget;
mod claims;
mod door;
mod frames;
mod keeper;
mod lane;
mod link;
mod open;
mod socket;
mod streams;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::atomic::{AtomicBool, AtomicU64};

use bytes::Bytes;
use consensus::{Message, Recipients};
use ledger_types::ValidatorId;

use frames::Meter;
use lane::{Lane, Overflow};
pub(crate) use open::{Config, PeerConfig, open};

/// The way a frame takes. Each is a stream of its own, so that blocks and batches never stand before a vote.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Way {
    /// Votes, certificates, proposals, questions, signs of life.
    Consensus,
    /// Entries and runs: answers with megabytes.
    Blocks,
    /// Batches that clients gave to the sender.
    Batches,
}

impl Way {
    fn of<T>(self, consensus: T, blocks: T, batches: T) -> T {
        match self {
            Self::Consensus => consensus,
            Self::Blocks => blocks,
            Self::Batches => batches,
        }
    }
}

/// Takes what peers say. A future that does not end holds up that way of that peer only.
pub(crate) trait Inbox: Send + Sync + 'static {
    /// A frame of a peer, as the peer sent it. Frames of one way come in order, one at a time.
    ///
    /// # Errors
    /// Why no honest peer sends it: the link is dropped.
    fn take(
        &self,
        from: ValidatorId,
        way: Way,
        frame: Bytes,
    ) -> impl Future<Output = Result<(), String>> + Send;

    /// A link to a peer came up.
    fn linked(&self, peer: ValidatorId);

    /// These peers hear another process with this node's keys, and they are too many to lie: this one must stop.
    fn displaced(&self, by: &[ValidatorId]);
}

/// A link as people see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct LinkState {
    /// The peer.
    pub(crate) peer: ValidatorId,
    /// Where it is reached: `HOST:PORT`.
    pub(crate) address: String,
    /// Whether the link is up.
    pub(crate) is_up: bool,
}

/// What went over all links.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Totals {
    pub(crate) sent_frames: u64,
    pub(crate) sent_bytes: u64,
    pub(crate) received_frames: u64,
    pub(crate) received_bytes: u64,
    pub(crate) dropped_frames: u64,
}

/// The near end of the links to all peers. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct Links {
    peers: Arc<BTreeMap<ValidatorId, Peer>>,
}

/// What is kept of one peer.
#[derive(Debug)]
struct Peer {
    address: String,
    is_up: AtomicBool,
    consensus: Lane,
    blocks: Lane,
    batches: Lane,
    sent: [Traffic; 3],
    received: [Traffic; 3],
    meters: [Meter; 3],
}

/// What went over a way.
#[derive(Debug, Default)]
pub(crate) struct Traffic {
    frames: AtomicU64,
    bytes: AtomicU64,
}

impl Traffic {
    fn add(&self, bytes: usize) {
        self.frames.fetch_add(1, Relaxed);
        self.bytes.fetch_add(bytes as u64, Relaxed);
    }
}

/// Bytes that wait for one peer at most, by their way.
const CONSENSUS_BYTES: usize = 16 << 20;
const BLOCKS_BYTES: usize = 32 << 20;
const BATCHES_BYTES: usize = 32 << 20;

impl Peer {
    fn new(address: String) -> Self {
        Self {
            address,
            is_up: false.into(),
            consensus: Lane::new(CONSENSUS_BYTES, Overflow::DropOldest),
            blocks: Lane::new(BLOCKS_BYTES, Overflow::Refuse),
            batches: Lane::new(BATCHES_BYTES, Overflow::Refuse),
            sent: Default::default(),
            received: Default::default(),
            meters: [Way::Consensus, Way::Blocks, Way::Batches].map(Meter::new),
        }
    }

    fn meter(&self, way: Way) -> &Meter {
        let [consensus, blocks, batches] = &self.meters;
        way.of(consensus, blocks, batches)
    }

    fn sent(&self, way: Way) -> &Traffic {
        let [consensus, blocks, batches] = &self.sent;
        way.of(consensus, blocks, batches)
    }

    fn received(&self, way: Way) -> &Traffic {
        let [consensus, blocks, batches] = &self.received;
        way.of(consensus, blocks, batches)
    }

    /// The link is gone, and what waited for it.
    fn set_down(&self) {
        self.is_up.store(false, Relaxed);
        [&self.consensus, &self.blocks, &self.batches].into_iter().for_each(Lane::clear);
    }

    fn lane(&self, way: Way) -> &Lane {
        way.of(&self.consensus, &self.blocks, &self.batches)
    }

    fn is_up(&self) -> bool {
        self.is_up.load(Relaxed)
    }

    /// Puts a frame on its way. Without a link it is lost, as on a wire: who needs it says it again.
    fn push(&self, way: Way, frame: &Bytes) {
        if self.is_up() {
            self.lane(way).push(frame.clone());
        }
    }
}

impl Links {
    /// The links of a network of one.
    pub(crate) fn none() -> Self {
        Self { peers: Arc::default() }
    }

    /// Links that are up and lead nowhere.
    #[cfg(test)]
    pub(crate) fn to(peers: impl IntoIterator<Item = ValidatorId>) -> Self {
        let peer = |id| (id, Peer { is_up: true.into(), ..Peer::new(String::new()) });
        Self { peers: Arc::new(peers.into_iter().map(peer).collect()) }
    }

    /// How many frames wait for a peer on a way.
    #[cfg(test)]
    pub(crate) fn waiting(&self, peer: ValidatorId, way: Way) -> usize {
        self.peers.get(&peer).map_or(0, |peer| peer.lane(way).waiting())
    }

    /// Sends a consensus message.
    pub(crate) fn send(&self, to: Recipients, message: &Message) {
        if self.peers.is_empty() {
            return;
        }
        let way = match message {
            Message::Entries(_) | Message::Run(_) => Way::Blocks,
            _ => Way::Consensus,
        };
        self.put(to, way, &Bytes::from(message.encode()));
    }

    /// Puts a frame on its way to those who shall have it.
    pub(crate) fn put(&self, to: Recipients, way: Way, frame: &Bytes) {
        match to {
            Recipients::Others => self.peers.values().for_each(|peer| peer.push(way, frame)),
            Recipients::One(id) => self.peers.get(&id).into_iter().for_each(|peer| peer.push(way, frame)),
        }
    }

    /// Frames and bytes that were sent and received since the start, over all ways and peers, and frames that found no
    /// room.
    pub(crate) fn totals(&self) -> Totals {
        let mut totals = Totals::default();
        for peer in self.peers.values() {
            for traffic in &peer.sent {
                totals.sent_frames += traffic.frames.load(Relaxed);
                totals.sent_bytes += traffic.bytes.load(Relaxed);
            }
            for traffic in &peer.received {
                totals.received_frames += traffic.frames.load(Relaxed);
                totals.received_bytes += traffic.bytes.load(Relaxed);
            }
            totals.dropped_frames +=
                [&peer.consensus, &peer.blocks, &peer.batches].map(Lane::dropped).iter().sum::<u64>();
        }
        totals
    }

    /// All links, in the order of the validators.
    pub(crate) fn states(&self) -> Vec<LinkState> {
        let state = |(id, peer): (&ValidatorId, &Peer)| LinkState {
            peer: *id,
            address: peer.address.clone(),
            is_up: peer.is_up(),
        };
        self.peers.iter().map(state).collect()
    }
}
