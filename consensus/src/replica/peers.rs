//! Who is there: heartbeats, and the views given up at once because nobody leads them (SPEC 3.5). Nothing here decides
//! what is final.

use std::collections::{BTreeMap, BTreeSet};

use ledger_types::{Signature, ValidatorId};

use super::state::Replica;
use super::status::Duty;
use crate::effect::Recipients;
use crate::ignored::Ignored;
use crate::message::{Heartbeat, Message};

/// Between two heartbeats of a node, milliseconds.
const HEARTBEAT_MS: u64 = 1_000;
/// Who is not heard for so long counts as gone, milliseconds.
const SILENCE_MS: u64 = 5_000;
/// Who asks for so long how far it voted may not find out, milliseconds: longer than nodes of a busy machine take to start
/// together.
const DOUBT_MS: u64 = 15_000;
/// Who has not asked for so long knows it, milliseconds.
const ASKED_MS: u64 = 3_000;
/// A peer this many views behind is helped although it may still come along by itself.
const FAR_BEHIND: u64 = 8;

/// What is known of a peer, for people and metrics.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PeerStatus {
    /// When it was last heard, monotonic milliseconds.
    pub heard_ms: u64,
    /// The view that its last heartbeat tells.
    pub view: u64,
    /// The height of its newest decided block, as that tells.
    pub final_height: u64,
    /// How far its clock was ahead of this node's when that came, milliseconds; the way here included.
    pub clock_offset_ms: i64,
}

/// The others.
#[derive(Debug)]
pub(super) struct Peers {
    started_ms: u64,
    heartbeat_at_ms: u64,
    /// One entry per validator at most.
    known: BTreeMap<ValidatorId, PeerStatus>,
    /// Since when peers ask how far they voted, and when each did so last: one entry per validator at most.
    asking: BTreeMap<ValidatorId, (u64, u64)>,
    /// Whether a quorum was heard when it was last looked at.
    was_quorum_heard: bool,
    /// Whether those who vote were a quorum.
    was_quorum_voting: bool,
}

impl Peers {
    pub(super) fn new(now_ms: u64) -> Self {
        Self {
            started_ms: now_ms,
            heartbeat_at_ms: now_ms,
            known: BTreeMap::new(),
            asking: BTreeMap::new(),
            was_quorum_heard: true,
            was_quorum_voting: true,
        }
    }
}

impl Replica {
    /// Anything authentic is a sign of life.
    pub(super) fn note_heard(&mut self, peer: ValidatorId) {
        if peer != self.own && self.committee.vote_key(peer).is_some() {
            self.peers.known.entry(peer).or_default().heard_ms = self.now.monotonic_ms;
        }
    }

    /// Whoever asks how far it voted does not vote.
    pub(super) fn note_asking(&mut self, peer: ValidatorId) {
        let now_ms = self.now.monotonic_ms;
        if peer != self.own && self.committee.vote_key(peer).is_some() {
            let (since_ms, last_ms) = self.peers.asking.entry(peer).or_insert((now_ms, now_ms));
            if last_ms.saturating_add(ASKED_MS) <= now_ms {
                *since_ms = now_ms;
            }
            *last_ms = now_ms;
        }
    }

    /// The validators that are heard and have not known for a while how far they voted.
    pub fn doubtful(&self) -> impl Iterator<Item = ValidatorId> + '_ {
        let now_ms = self.now.monotonic_ms;
        let lasts = move |(since_ms, last_ms): &(u64, u64)| {
            last_ms.saturating_add(ASKED_MS) > now_ms && since_ms.saturating_add(DOUBT_MS) <= now_ms
        };
        let own = matches!(self.duty(), Duty::Forgot | Duty::Observes | Duty::Follows);
        let is_doubtful = move |id: &ValidatorId| {
            if *id == self.own { own } else { self.peers.asking.get(id).is_some_and(lasts) }
        };
        self.heard().filter(is_doubtful)
    }

    /// Whether those who are heard and vote are a quorum.
    pub(super) fn is_quorum_voting(&self) -> bool {
        let doubtful: BTreeSet<ValidatorId> = self.doubtful().collect();
        self.committee.quorum().is_met_by(self.heard().filter(|id| !doubtful.contains(id)))
    }

    pub(super) fn on_heartbeat(&mut self, from: ValidatorId, heartbeat: &Heartbeat) -> Result<(), Ignored> {
        let peer = heartbeat.signer;
        if peer != from || peer == self.own {
            return Err(Ignored::Unasked);
        }
        let wall_ms = self.now.wall_ms;
        let known = self.peers.known.entry(peer).or_default();
        known.view = heartbeat.view;
        known.final_height = heartbeat.final_height;
        known.clock_offset_ms = i64::try_from(i128::from(heartbeat.wall_ms) - i128::from(wall_ms))
            .unwrap_or(if heartbeat.wall_ms > wall_ms { i64::MAX } else { i64::MIN });
        // Who is a little behind of a busy network comes along by itself; who is behind of a quiet one does not.
        let is_quiet = self.timers.entered_ms().saturating_add(HEARTBEAT_MS) <= self.now.monotonic_ms;
        let lags = heartbeat.view < self.view || heartbeat.final_view < self.safety.floor();
        let is_far = heartbeat.view.saturating_add(FAR_BEHIND) < self.view;
        if lags && (is_quiet || is_far) {
            let lacks_view = heartbeat.view < self.view;
            self.help(peer, if lacks_view { heartbeat.view } else { heartbeat.final_view });
        }
        Ok(())
    }

    /// Sends a heartbeat when it is time, and notices when a quorum is back.
    pub(super) fn live(&mut self) -> bool {
        let now_ms = self.now.monotonic_ms;
        if self.heartbeat_deadline().is_some_and(|due| due <= now_ms) {
            self.peers.heartbeat_at_ms = now_ms.saturating_add(HEARTBEAT_MS);
            let heartbeat = self.safety.heartbeat(Heartbeat {
                signer: self.own,
                view: self.view,
                final_view: self.safety.floor(),
                final_height: self.blocks.head().header.height,
                wall_ms: self.now.wall_ms,
                signature: Signature::ZERO,
            });
            self.send(Recipients::Others, Message::Heartbeat(heartbeat));
        }
        let is_quorum_heard = self.is_quorum_heard();
        let was = std::mem::replace(&mut self.peers.was_quorum_heard, is_quorum_heard);
        let is_quorum_voting = self.is_quorum_voting();
        let was_voting = std::mem::replace(&mut self.peers.was_quorum_voting, is_quorum_voting);
        if is_quorum_heard && was_voting && !is_quorum_voting {
            let doubtful: Vec<String> = self.doubtful().map(|id| id.to_string()).collect();
            tracing::error!(
                own = %self.own,
                doubtful = doubtful.join(", "),
                "too many validators do not know how far they voted; if it stays so, only `dgt rollback` on all nodes helps"
            );
        }
        if is_quorum_heard && !was {
            // What was guessed of delays while others were away says nothing about now.
            self.timers.on_quorum_back();
        }
        false
    }

    /// When the next heartbeat is due; never without peers.
    pub(super) fn heartbeat_deadline(&self) -> Option<u64> {
        (self.committee.topology().validators().nth(1).is_some()).then_some(self.peers.heartbeat_at_ms)
    }

    fn is_heard(&self, id: ValidatorId) -> bool {
        let lately = |peer: &PeerStatus| peer.heard_ms.saturating_add(SILENCE_MS) > self.now.monotonic_ms;
        id == self.own || self.peers.known.get(&id).is_some_and(lately)
    }

    fn heard(&self) -> impl Iterator<Item = ValidatorId> + '_ {
        self.committee.topology().validators().map(|(id, _)| id).filter(|id| self.is_heard(*id))
    }

    /// How many validators are heard, this one included.
    pub(super) fn heard_count(&self) -> usize {
        self.heard().count()
    }

    /// Whether those who are heard are a quorum.
    pub(super) fn is_quorum_heard(&self) -> bool {
        self.committee.quorum().is_met_by(self.heard())
    }

    /// Whether the current view can be given up at once: its leader is gone, or too few of its cluster are there to
    /// certify anything, while a quorum is.
    pub(super) fn is_view_hopeless(&self, is_proposed: bool) -> bool {
        let leader = self.committee.leader(self.view);
        let is_early = self.peers.started_ms.saturating_add(SILENCE_MS) > self.now.monotonic_ms;
        if is_early || !self.is_quorum_heard() {
            return false;
        }
        let members = self.heard().filter(|id| id.cluster == leader.cluster).count();
        let least = self.committee.quorum().node_quorum(leader.cluster).unwrap_or(usize::MAX);
        members < least || (!is_proposed && !self.is_heard(leader))
    }

    /// What is known of the other validators, in order; only of those that were ever heard.
    pub fn peers(&self) -> impl Iterator<Item = (ValidatorId, PeerStatus)> + '_ {
        self.peers.known.iter().map(|(id, peer)| (*id, *peer))
    }
}
