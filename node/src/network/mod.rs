//! Links to the other validators: libp2p over TCP with Noise and Yamux, or over QUIC.
//!
//! [`Links`] is the near end: whoever has something to say puts it there and never waits. [`open()`] is the far end: one
//! task that keeps a link to every peer, and two for every link. What peers say goes to an [`Inbox`].

mod budget;
mod claims;
mod door;
mod frames;
#[cfg(test)]
mod fuzz;
mod hello;
mod keeper;
mod lane;
mod link;
mod open;
mod peer;
mod remote;
mod socket;
mod streams;
#[cfg(test)]
mod tests;
mod transport;
mod trouble;

use std::collections::BTreeMap;
use std::future::Future;
use std::sync::Arc;

use bytes::Bytes;
use consensus::{Message, Recipients};
use ledger_types::ValidatorId;

pub(crate) use open::{Config, PeerConfig, open};
use peer::Peer;
pub(crate) use transport::Transport;
pub(crate) use trouble::Trouble;

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

    /// These peers hear another process with this node's keys, and they are too many to lie: this one must stop.
    fn displaced(&self, by: &[ValidatorId]);
}

/// A link as people see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct LinkState {
    /// The peer.
    pub(crate) peer: ValidatorId,
    /// Where it is reached: `tcp://HOST:PORT` or `quic://HOST:PORT`.
    pub(crate) endpoint: String,
    /// Whether the link is up.
    pub(crate) is_up: bool,
    /// Why it is not, if that is known.
    pub(crate) trouble: Option<Trouble>,
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

impl Links {
    /// The links of a network of one.
    pub(crate) fn none() -> Self {
        Self { peers: Arc::default() }
    }

    /// Links that are up and lead nowhere.
    #[cfg(test)]
    pub(crate) fn to(peers: impl IntoIterator<Item = ValidatorId>) -> Self {
        let peers = peers.into_iter().map(|id| (id, Peer::new(String::new())));
        let links = Self { peers: Arc::new(peers.collect()) };
        links.peers.values().for_each(Peer::set_up);
        links
    }

    /// How many frames wait for a peer on a way.
    #[cfg(test)]
    pub(crate) fn waiting(&self, peer: ValidatorId, way: Way) -> usize {
        self.peers.get(&peer).map_or(0, |peer| peer.track(way).lane.waiting())
    }

    /// Tells when the link to a peer comes up or goes down.
    #[cfg(test)]
    fn watch(&self, peer: ValidatorId) -> Option<tokio::sync::watch::Receiver<bool>> {
        self.peers.get(&peer).map(Peer::watch)
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
        for track in self.peers.values().flat_map(Peer::tracks) {
            let ((sent_frames, sent_bytes), (received_frames, received_bytes)) =
                (track.sent.read(), track.received.read());
            totals.sent_frames += sent_frames;
            totals.sent_bytes += sent_bytes;
            totals.received_frames += received_frames;
            totals.received_bytes += received_bytes;
            totals.dropped_frames += track.lane.dropped();
        }
        totals
    }

    /// All links, in the order of the validators.
    pub(crate) fn states(&self) -> Vec<LinkState> {
        let state = |(id, peer): (&ValidatorId, &Peer)| LinkState {
            peer: *id,
            endpoint: peer.endpoint.clone(),
            is_up: peer.is_up(),
            trouble: peer.trouble(),
        };
        self.peers.iter().map(state).collect()
    }
}
