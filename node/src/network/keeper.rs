//! The task that keeps a link to every peer: it dials, lets in, and starts what reads and writes the streams.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use futures_util::StreamExt as _;
use ledger_types::ValidatorId;
use libp2p::core::ConnectedPoint;
use libp2p::swarm::dial_opts::{DialOpts, PeerCondition};
use libp2p::swarm::{ConnectionId, SwarmEvent};
use libp2p::{Multiaddr, PeerId, Swarm};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;

use super::claims::{Claims, ProcessId};
use super::door::{Door, Ready, ip_of};
use super::frames::SILENCE;
use super::link::{self, News, Shared};
use super::open::HANDSHAKE;
use super::{Inbox, Links, Way};

/// How long after a failed attempt the next one is made: doubled each time up to the second.
const RETRY: Duration = Duration::from_millis(250);
const RETRY_MOST: Duration = Duration::from_secs(2);
/// How long a peer is shut out that sent what no honest one sends: doubled each time up to the second.
const SHUT_OUT: Duration = Duration::from_secs(1);
const SHUT_OUT_MOST: Duration = Duration::from_secs(60);
/// How long others may call this process a second one before it believes them: longer than they hold on to one that is
/// gone.
const DISPLACED: Duration = Duration::from_secs(7);

/// How long a link must stay as it is before its next change is worth a line in the log.
const TOLD: Duration = Duration::from_secs(1);
/// Connections of one peer at most: one of each direction, what takes their places, and
/// what is being closed.
const CONNECTIONS: usize = 4;

/// What is known of a peer's links.
struct Remote {
    id: PeerId,
    address: String,
    /// Its connections, oldest first.
    connections: Vec<ConnectionId>,
    /// Those that are being closed, and still hold a socket.
    closing: BTreeSet<ConnectionId>,
    /// The one that this node sends on.
    sending: Option<ConnectionId>,
    /// When that one must be up.
    up_by: Option<Instant>,
    failures: u32,
    dial_at: Option<Instant>,
    faults: u32,
    /// Until when it is shut out.
    out_until: Option<Instant>,
    /// When the log last told of its link.
    told: Option<Instant>,
    /// Since when it calls this process a second one.
    busy_since: Option<Instant>,
}

/// A connection and what works on it; with it these end.
struct Connection {
    peer: ValidatorId,
    is_inbound: bool,
    read: BTreeSet<Way>,
    welcomed: watch::Sender<bool>,
    tasks: JoinSet<()>,
}

pub(super) struct Keeper<I> {
    swarm: Swarm<Door>,
    shared: Arc<Shared<I>>,
    remotes: BTreeMap<ValidatorId, Remote>,
    connections: BTreeMap<ConnectionId, Connection>,
    news: mpsc::Receiver<News>,
    /// So many peers at least cannot all be liars.
    believed: usize,
}

impl Remote {
    /// Tells the log, but not each time of a peer that comes and goes.
    fn tell(&mut self, peer: ValidatorId, what: &str) {
        match self.told.is_none_or(|told| told.elapsed() > TOLD) {
            true => tracing::info!(%peer, "{what}"),
            false => tracing::debug!(%peer, "{what}"),
        }
        self.told = Some(Instant::now());
    }
}

impl<I: Inbox> Keeper<I> {
    pub(super) fn new(
        swarm: Swarm<Door>,
        (links, inbox, process): (Links, I, ProcessId),
        peers: BTreeMap<ValidatorId, (PeerId, String)>,
        believed: usize,
    ) -> Self {
        let (tell, news) = mpsc::channel(256);
        let shared = Arc::new(Shared { links, inbox, process, claims: Claims::default(), tell });
        let now = Instant::now();
        let remote = |(id, address): (PeerId, String)| Remote {
            id,
            address,
            connections: Vec::new(),
            closing: BTreeSet::new(),
            told: None,
            up_by: None,
            sending: None,
            failures: 0,
            dial_at: Some(now),
            faults: 0,
            out_until: None,
            busy_since: None,
        };
        let remotes = peers.into_iter().map(|(peer, it)| (peer, remote(it))).collect();
        Self { swarm, shared, remotes, connections: BTreeMap::new(), news, believed }
    }

    /// Runs until it is told to stop.
    pub(super) async fn run(mut self, stop: CancellationToken) {
        let (resolved, mut addresses) = mpsc::channel(64);
        loop {
            let due = self.next_due();
            tokio::select! {
                () = stop.cancelled() => break,
                event = self.swarm.select_next_some() => self.on_swarm(event),
                Some(news) = self.news.recv() => self.on_news(news),
                Some((peer, found)) = addresses.recv() => self.dial(peer, found),
                () = sleep_until(due) => self.on_time(&resolved),
            }
        }
        for peer in self.shared.links.peers.values() {
            peer.is_up.store(false, Relaxed);
        }
    }

    fn next_due(&self) -> Instant {
        let due = self.remotes.values().flat_map(|remote| [remote.dial_at, remote.out_until, remote.up_by]);
        due.flatten().min().unwrap_or_else(|| Instant::now() + SILENCE)
    }

    fn on_time(&mut self, resolved: &mpsc::Sender<(ValidatorId, Vec<SocketAddr>)>) {
        let now = Instant::now();
        self.close_stuck(now);
        for (peer, remote) in &mut self.remotes {
            if remote.out_until.is_some_and(|until| until <= now) {
                remote.out_until = None;
                self.swarm.behaviour_mut().shut_out(remote.id, false);
            }
            if remote.dial_at.is_none_or(|due| due > now) {
                continue;
            }
            // Tried again later in any case, unless it succeeds.
            remote.dial_at = Some(now + RETRY_MOST * 2);
            let (peer, address, resolved) = (*peer, remote.address.clone(), resolved.clone());
            tokio::spawn(async move {
                // A name is looked up each time: what it means may have changed.
                let found = tokio::net::lookup_host(&address).await;
                let found = found.map(Iterator::collect).unwrap_or_else(|error| {
                    tracing::debug!(%peer, address, %error, "a peer's name is not found");
                    Vec::new()
                });
                let _ = resolved.send((peer, found)).await;
            });
        }
    }

    fn dial(&mut self, peer: ValidatorId, found: Vec<SocketAddr>) {
        let Some(remote) = self.remotes.get_mut(&peer) else { return };
        for address in &found {
            self.swarm.behaviour_mut().know(remote.id, address.ip());
        }
        if !remote.connections.is_empty() || remote.out_until.is_some() {
            remote.dial_at = None;
            return;
        }
        let addresses: Vec<Multiaddr> = found.into_iter().map(multiaddress).collect();
        let options = DialOpts::peer_id(remote.id).addresses(addresses);
        let options = options.condition(PeerCondition::DisconnectedAndNotDialing).build();
        if let Err(error) = self.swarm.dial(options) {
            tracing::trace!(%peer, %error, "not dialled");
            self.retry(peer);
        }
    }

    /// Plans the next attempt.
    fn retry(&mut self, peer: ValidatorId) {
        let Some(remote) = self.remotes.get_mut(&peer) else { return };
        if remote.connections.is_empty() {
            let wait = (RETRY * 2_u32.pow(remote.failures.min(8))).min(RETRY_MOST);
            remote.failures = remote.failures.saturating_add(1);
            let at = Instant::now() + wait;
            remote.dial_at = Some(remote.out_until.map_or(at, |until| until.max(at)));
        }
    }

    fn peer_of(&self, id: &PeerId) -> Option<ValidatorId> {
        self.remotes.iter().find(|(_, remote)| remote.id == *id).map(|(peer, _)| *peer)
    }

    fn on_swarm(&mut self, event: SwarmEvent<Ready>) {
        match event {
            SwarmEvent::ConnectionEstablished { peer_id, connection_id, endpoint, .. } => {
                if let Some(peer) = self.peer_of(&peer_id) {
                    self.on_connected(peer, connection_id, &endpoint);
                }
            }
            SwarmEvent::ConnectionClosed { peer_id, connection_id, cause, .. } => {
                tracing::debug!(?cause, "connection closed");
                self.on_closed(connection_id);
                let peer = self.peer_of(&peer_id).and_then(|peer| self.remotes.get_mut(&peer));
                peer.map(|remote| remote.closing.remove(&connection_id));
            }
            SwarmEvent::OutgoingConnectionError { peer_id: Some(id), error, .. } => {
                if let Some(peer) = self.peer_of(&id) {
                    tracing::debug!(%peer, %error, "a peer is not reached");
                    self.retry(peer);
                }
            }
            SwarmEvent::IncomingConnectionError { send_back_addr, error, .. } => {
                tracing::debug!(from = %send_back_addr, %error, "a connection is refused");
            }
            SwarmEvent::ListenerError { error, .. } => tracing::warn!(%error, "the network port"),
            SwarmEvent::ListenerClosed { reason, .. } => {
                tracing::error!(?reason, "the network port is closed");
            }
            SwarmEvent::Behaviour(ready) => self.on_stream(ready),
            _ => {}
        }
    }

    fn on_connected(&mut self, peer: ValidatorId, connection: ConnectionId, endpoint: &ConnectedPoint) {
        let is_inbound = endpoint.is_listener();
        let Some(remote) = self.remotes.get_mut(&peer) else { return };
        if let Some(ip) = ip_of(endpoint.get_remote_address()) {
            self.swarm.behaviour_mut().know(remote.id, ip);
        }
        if remote.connections.len() + remote.closing.len() >= CONNECTIONS {
            remote.closing.insert(connection);
            self.swarm.close_connection(connection);
            return;
        }
        remote.connections.push(connection);
        remote.dial_at = None;
        let (welcomed, _) = watch::channel(false);
        let (read, tasks) = (BTreeSet::new(), JoinSet::new());
        self.connections.insert(connection, Connection { peer, is_inbound, read, welcomed, tasks });
        self.choose(peer);
    }

    /// A newer connection of the same direction takes the place of one that may be dead without knowing it.
    fn on_heard(&mut self, peer: ValidatorId, connection: ConnectionId) {
        let direction = |id: &ConnectionId| self.connections.get(id).map(|held| held.is_inbound);
        let Some(remote) = self.remotes.get(&peer) else { return };
        let older = remote.connections.iter().take_while(|id| **id != connection);
        let older: Vec<ConnectionId> =
            older.filter(|id| direction(id) == direction(&connection)).copied().collect();
        for id in older {
            self.close(id);
        }
    }

    fn close(&mut self, connection: ConnectionId) {
        let peer = self.connections.get(&connection).map(|held| held.peer);
        if let Some(remote) = peer.and_then(|peer| self.remotes.get_mut(&peer)) {
            remote.closing.insert(connection);
        }
        self.swarm.close_connection(connection);
        self.on_closed(connection);
    }

    /// Sends on the oldest connection.
    fn choose(&mut self, peer: ValidatorId) {
        let Some(remote) = self.remotes.get_mut(&peer) else { return };
        if remote.sending.is_none()
            && let Some(connection) = remote.connections.first().copied()
        {
            (remote.sending, remote.up_by) = (Some(connection), Some(Instant::now() + HANDSHAKE));
            self.swarm.behaviour_mut().open(remote.id, connection);
        }
    }

    fn on_closed(&mut self, id: ConnectionId) {
        let Some(Connection { peer, .. }) = self.connections.remove(&id) else { return };
        self.shared.claims.release(peer, id);
        let Some(remote) = self.remotes.get_mut(&peer) else { return };
        remote.connections.retain(|held| *held != id);
        if remote.sending == Some(id) {
            (remote.sending, remote.up_by) = (None, None);
            if let Some(end) = self.shared.links.peers.get(&peer) {
                end.set_down();
            }
            remote.tell(peer, "link down");
        }
        self.choose(peer);
        self.retry(peer);
    }

    fn on_stream(&mut self, ready: Ready) {
        let Some(connection) = self.connections.get_mut(&ready.connection) else { return };
        let is_sending =
            self.remotes.get(&connection.peer).is_some_and(|it| it.sending == Some(ready.connection));
        let place = link::Place { peer: connection.peer, connection: ready.connection, way: ready.way };
        let shared = self.shared.clone();
        if ready.is_inbound {
            // A second stream of the same way is dropped.
            if connection.read.insert(ready.way) {
                let welcomed = connection.welcomed.clone();
                connection.tasks.spawn(link::read(shared, place, ready.stream, welcomed));
            }
        } else if is_sending {
            connection.tasks.spawn(link::write(shared, place, ready.stream));
        }
    }

    fn on_news(&mut self, news: News) {
        match news {
            News::Up { peer } => {
                let Some(remote) = self.remotes.get_mut(&peer) else { return };
                (remote.failures, remote.busy_since, remote.up_by) = (0, None, None);
                remote.tell(peer, "link up");
                self.shared.inbox.linked(peer);
            }
            News::Heard { peer, connection } => self.on_heard(peer, connection),
            News::Busy { peer, connection } => {
                if let Some(remote) = self.remotes.get_mut(&peer) {
                    remote.busy_since.get_or_insert_with(Instant::now);
                }
                self.close(connection);
                self.look_for_a_second_process();
            }
            News::Ended { peer, connection, error } => {
                let is_open = self.connections.contains_key(&connection);
                if error.is_fault() {
                    tracing::warn!(%peer, %error, "a peer sends what no honest one does: shut out for a while");
                    self.shut_out(peer);
                } else if is_open {
                    tracing::debug!(%peer, %error, "a stream ended");
                }
                if is_open && error.is_silence() {
                    // What is as old is as dead, whether it was used or not.
                    self.close_all(peer);
                } else if is_open {
                    self.close(connection);
                }
            }
        }
    }

    fn shut_out(&mut self, peer: ValidatorId) {
        let Some(remote) = self.remotes.get_mut(&peer) else { return };
        let wait = (SHUT_OUT * 2_u32.pow(remote.faults.min(8))).min(SHUT_OUT_MOST);
        remote.faults = remote.faults.saturating_add(1);
        remote.out_until = Some(Instant::now() + wait);
        self.swarm.behaviour_mut().shut_out(remote.id, true);
        self.close_all(peer);
    }

    fn close_all(&mut self, peer: ValidatorId) {
        let connections = self.remotes.get(&peer).map(|remote| remote.connections.clone());
        connections.into_iter().flatten().for_each(|id| self.close(id));
    }

    /// Closes connections whose peers do not answer.
    fn close_stuck(&mut self, now: Instant) {
        let is_stuck = |remote: &Remote| remote.up_by.is_some_and(|due| due <= now);
        let stuck: Vec<ConnectionId> =
            self.remotes.values().filter(|it| is_stuck(it)).filter_map(|it| it.sending).collect();
        stuck.into_iter().for_each(|id| self.close(id));
    }

    /// If more peers than can lie say so for long enough, another process uses this node's keys.
    fn look_for_a_second_process(&self) {
        let is_old = |since: Instant| since.elapsed() > DISPLACED;
        let busy = self.remotes.iter().filter(|(_, remote)| remote.busy_since.is_some_and(is_old));
        let busy: Vec<ValidatorId> = busy.map(|(peer, _)| *peer).collect();
        if busy.len() >= self.believed {
            self.shared.inbox.displaced(&busy);
        }
    }
}

fn multiaddress(address: SocketAddr) -> Multiaddr {
    Multiaddr::from(address.ip()).with(libp2p::multiaddr::Protocol::Tcp(address.port()))
}
