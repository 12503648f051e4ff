//! The task that keeps a link to every peer: it dials, lets in, and starts what reads and writes the streams.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::Arc;

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
use super::door::{Brought, Door, Ready, ip_of};
use super::frames::SILENCE;
use super::link::{self, News, Shared};
use super::remote::Remote;
use super::trouble::{self, Trouble};
use super::{Inbox, Links, Transport, Way};

/// A connection and what works on it; with it these end.
struct Connection {
    peer: ValidatorId,
    is_inbound: bool,
    read: BTreeSet<Way>,
    welcomed: watch::Sender<bool>,
    tasks: JoinSet<()>,
}

/// Where a peer is, as its name was found to mean.
type Resolved = (ValidatorId, std::io::Result<Vec<SocketAddr>>);

/// Keeps the links.
pub(super) struct Keeper<I> {
    swarm: Swarm<Door>,
    shared: Arc<Shared<I>>,
    remotes: BTreeMap<ValidatorId, Remote>,
    connections: BTreeMap<ConnectionId, Connection>,
    news: mpsc::Receiver<News>,
    transport: Transport,
    /// So many peers at least cannot all be liars.
    believed: usize,
}

impl<I: Inbox> Keeper<I> {
    pub(super) fn new(
        swarm: Swarm<Door>,
        (links, inbox, process): (Links, I, ProcessId),
        peers: BTreeMap<ValidatorId, (PeerId, String)>,
        (transport, believed): (Transport, usize),
    ) -> Self {
        let (tell, news) = mpsc::channel(256);
        let shared = Arc::new(Shared { links, inbox, process, claims: Claims::default(), tell });
        let remotes =
            peers.into_iter().map(|(peer, (id, address))| (peer, Remote::new(id, address))).collect();
        Self { swarm, shared, remotes, connections: BTreeMap::new(), news, transport, believed }
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
                Some(resolved) = addresses.recv() => self.dial(resolved),
                () = sleep_until(due) => self.on_time(&resolved),
            }
        }
        for peer in self.shared.links.peers.values() {
            peer.set_down();
        }
    }

    fn next_due(&self) -> Instant {
        let due = self.remotes.values().filter_map(Remote::due).min();
        due.unwrap_or_else(|| Instant::now() + SILENCE)
    }

    fn on_time(&mut self, resolved: &mpsc::Sender<Resolved>) {
        let now = Instant::now();
        self.close_stuck(now);
        for (peer, remote) in &mut self.remotes {
            if remote.let_in(now) {
                self.swarm.behaviour_mut().shut_out(remote.id, false);
            }
            if !remote.begin_dial(now) {
                continue;
            }
            let (peer, address, resolved) = (*peer, remote.address.clone(), resolved.clone());
            tokio::spawn(async move {
                // A name is looked up each time: what it means may have changed.
                let found = tokio::net::lookup_host(&address).await;
                let _ = resolved.send((peer, found.map(Iterator::collect))).await;
            });
        }
    }

    fn dial(&mut self, (peer, found): Resolved) {
        let found = found.unwrap_or_else(|error| {
            self.note(peer, Trouble::NoName(error.to_string()));
            Vec::new()
        });
        let Some(remote) = self.remotes.get_mut(&peer) else { return };
        for address in &found {
            self.swarm.behaviour_mut().know(remote.id, address.ip());
        }
        if !remote.wants_dial() {
            return;
        }
        let addresses: Vec<Multiaddr> =
            found.into_iter().map(|found| self.transport.multiaddress(found)).collect();
        let options = DialOpts::peer_id(remote.id).addresses(addresses);
        let mut options = options.condition(PeerCondition::DisconnectedAndNotDialing);
        if self.transport == Transport::Tcp {
            // From the listening port it could meet the peer's own dial half-way: one connection that both begin, whose
            // handshakes fail like those of another network.
            options = options.allocate_new_port();
        }
        if let Err(error) = self.swarm.dial(options.build()) {
            tracing::trace!(%peer, %error, "not dialled");
            remote.retry();
        }
    }

    fn peer_of(&self, id: &PeerId) -> Option<ValidatorId> {
        self.remotes.iter().find(|(_, remote)| remote.id == *id).map(|(peer, _)| *peer)
    }

    fn on_swarm(&mut self, event: SwarmEvent<Brought>) {
        match event {
            SwarmEvent::ConnectionEstablished { peer_id, connection_id, endpoint, .. } => {
                if let Some(peer) = self.peer_of(&peer_id) {
                    self.on_connected(peer, connection_id, &endpoint);
                }
            }
            SwarmEvent::ConnectionClosed { peer_id, connection_id, cause, .. } => {
                tracing::debug!(?cause, "connection closed");
                self.on_hung_up(connection_id);
                self.on_closed(connection_id);
                let peer = self.peer_of(&peer_id).and_then(|peer| self.remotes.get_mut(&peer));
                peer.into_iter().for_each(|remote| remote.closed(connection_id));
            }
            SwarmEvent::OutgoingConnectionError { peer_id: Some(id), error, .. } => {
                if let Some(peer) = self.peer_of(&id) {
                    tracing::debug!(%peer, %error, "a peer is not reached");
                    Trouble::of(&error).into_iter().for_each(|trouble| self.note(peer, trouble));
                    self.remotes.get_mut(&peer).into_iter().for_each(Remote::retry);
                }
            }
            SwarmEvent::IncomingConnectionError { send_back_addr, error, .. } => {
                tracing::debug!(from = %send_back_addr, %error, "a connection is refused");
            }
            SwarmEvent::ListenerError { error, .. } => tracing::warn!(%error, "the network port"),
            SwarmEvent::ListenerClosed { reason, .. } => {
                tracing::error!(?reason, "the network port is closed");
            }
            SwarmEvent::Behaviour(Brought::Ready(ready)) => self.on_stream(ready),
            SwarmEvent::Behaviour(Brought::Foreign(connection)) => self.on_foreign(connection),
            _ => {}
        }
    }

    fn on_connected(&mut self, peer: ValidatorId, connection: ConnectionId, endpoint: &ConnectedPoint) {
        let is_inbound = endpoint.is_listener();
        let Some(remote) = self.remotes.get_mut(&peer) else { return };
        if let Some(ip) = ip_of(endpoint.get_remote_address()) {
            self.swarm.behaviour_mut().know(remote.id, ip);
        }
        if !remote.connected(connection) {
            self.swarm.close_connection(connection);
            return;
        }
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
            remote.closing(connection);
        }
        self.swarm.close_connection(connection);
        self.on_closed(connection);
    }

    /// Sends on the oldest connection.
    fn choose(&mut self, peer: ValidatorId) {
        let Some(remote) = self.remotes.get_mut(&peer) else { return };
        if let Some(connection) = remote.choose() {
            self.swarm.behaviour_mut().open(remote.id, connection);
        }
    }

    fn on_closed(&mut self, id: ConnectionId) {
        let Some(Connection { peer, .. }) = self.connections.remove(&id) else { return };
        self.shared.claims.release(peer, id);
        let Some(remote) = self.remotes.get_mut(&peer) else { return };
        if remote.forget(id) {
            if let Some(end) = self.shared.links.peers.get(&peer) {
                end.set_down();
            }
            remote.tell(peer, "link down");
        }
        remote.retry();
        self.choose(peer);
    }

    /// A peer closed a connection that this node did not.
    fn on_hung_up(&mut self, id: ConnectionId) {
        let Some(peer) = self.connections.get(&id).map(|held| held.peer) else { return };
        if self.remotes.get_mut(&peer).is_some_and(|remote| remote.hung_up(id)) {
            self.note(peer, Trouble::HangsUp);
        }
    }

    /// A peer knows no stream of this network: its key is one of ours, its network is not.
    fn on_foreign(&mut self, id: ConnectionId) {
        if let Some(peer) = self.connections.get(&id).map(|held| held.peer) {
            self.note(peer, Trouble::Foreign);
            self.close(id);
        }
    }

    fn note(&self, peer: ValidatorId, trouble: Trouble) {
        trouble::note(&self.shared.links, peer, trouble, self.believed);
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
                remote.up();
                remote.tell(peer, "link up");
            }
            News::Heard { peer, connection } => self.on_heard(peer, connection),
            News::Busy { peer, connection } => {
                if let Some(remote) = self.remotes.get_mut(&peer) {
                    remote.busy();
                }
                self.close(connection);
                self.note(peer, Trouble::Busy);
                self.look_for_a_second_process();
            }
            News::Ended { peer, connection, error } => {
                let is_open = self.connections.contains_key(&connection);
                if error.is_fault() {
                    tracing::warn!(%peer, %error, "a peer sends what no honest one does: shut out for a while");
                    self.shut_out(peer);
                    self.note(peer, Trouble::ShutOut(error.to_string()));
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
        remote.shut_out();
        self.swarm.behaviour_mut().shut_out(remote.id, true);
        self.close_all(peer);
    }

    fn close_all(&mut self, peer: ValidatorId) {
        let connections = self.remotes.get(&peer).map(|remote| remote.connections.clone());
        connections.into_iter().flatten().for_each(|id| self.close(id));
    }

    /// Closes connections whose peers do not answer.
    fn close_stuck(&mut self, now: Instant) {
        let stuck: Vec<ConnectionId> = self.remotes.values().filter_map(|remote| remote.stuck(now)).collect();
        stuck.into_iter().for_each(|id| self.close(id));
    }

    /// If more peers than can lie say so for long enough, another process uses this node's keys.
    fn look_for_a_second_process(&self) {
        let busy = self.remotes.iter().filter(|(_, remote)| remote.is_long_busy());
        let busy: Vec<ValidatorId> = busy.map(|(peer, _)| *peer).collect();
        if busy.len() >= self.believed {
            self.shared.inbox.displaced(&busy);
        }
    }
}
