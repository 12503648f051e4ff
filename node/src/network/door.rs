//! Who may connect, and the streams of those who did: the part of the network that runs inside libp2p.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::IpAddr;
use std::task::{Context, Poll, Waker};

use libp2p::core::Endpoint;
use libp2p::core::transport::PortUse;
use libp2p::multiaddr::Protocol;
use libp2p::swarm::{
    ConnectionDenied, ConnectionId, FromSwarm, ListenFailure, NetworkBehaviour, NotifyHandler, Stream,
    THandlerInEvent, ToSwarm,
};
use libp2p::{Multiaddr, PeerId};
use thiserror::Error;
use tokio::time::Instant;

use super::Way;
use super::budget::Budget;
use super::streams::{Names, Outcome, Streams};

/// Connections of strangers that are shaken hands with at the same time, and of one address.
const STRANGERS: usize = 16;
const STRANGERS_PER_ADDRESS: usize = 2;
/// The same for each address from which peers are known to come, which nobody else can use up.
const PER_KNOWN_ADDRESS: usize = 64;
/// Handshakes a second of all strangers, and of each known address, with four seconds' worth at once: each costs about a
/// millisecond.
const HANDSHAKES: f64 = 20.0;
const BURST: f64 = 4.0;
/// Addresses that are remembered of each peer.
const ADDRESSES: usize = 4;

/// Why a connection is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
enum Refusal {
    #[error("too many handshakes at once")]
    Crowded,
    #[error("not a validator of this network")]
    Stranger,
    #[error("shut out for what it sent")]
    ShutOut,
}

impl From<Refusal> for ConnectionDenied {
    fn from(refusal: Refusal) -> Self {
        Self::new(refusal)
    }
}

/// What a connection brings.
#[derive(Debug)]
pub(super) enum Brought {
    /// A stream that is ready.
    Ready(Ready),
    /// Its peer knows no stream of this network.
    Foreign(ConnectionId),
}

/// A stream that is ready.
#[derive(Debug)]
pub(super) struct Ready {
    pub(super) connection: ConnectionId,
    pub(super) way: Way,
    /// Whether the peer opened it, to be read from.
    pub(super) is_inbound: bool,
    pub(super) stream: Stream,
}

/// Lets validators in and opens streams on their connections.
#[derive(Debug)]
pub(super) struct Door {
    peers: BTreeSet<PeerId>,
    names: Names,
    /// Where each peer comes from, newest last.
    known: BTreeMap<PeerId, VecDeque<IpAddr>>,
    /// Handshakes of strangers, and of known addresses.
    strangers: Budget,
    of_known: BTreeMap<IpAddr, Budget>,
    shut_out: BTreeSet<PeerId>,
    /// Inbound connections whose handshake goes on.
    pending: BTreeMap<ConnectionId, Option<IpAddr>>,
    events: VecDeque<ToSwarm<Brought, Open>>,
    waker: Option<Waker>,
}

/// Tells a connection to open its streams.
#[derive(Clone, Copy, Debug)]
pub(super) struct Open;

impl Door {
    /// A door for these peers, with streams of these names behind it.
    pub(super) fn new(peers: BTreeSet<PeerId>, names: Names) -> Self {
        Self {
            peers,
            names,
            known: BTreeMap::new(),
            strangers: Budget::new(HANDSHAKES, BURST),
            of_known: BTreeMap::new(),
            shut_out: BTreeSet::new(),
            pending: BTreeMap::new(),
            events: VecDeque::new(),
            waker: None,
        }
    }

    /// Remembers that a peer comes from an address.
    pub(super) fn know(&mut self, peer: PeerId, address: IpAddr) {
        let (address, known) = (address.to_canonical(), self.known.entry(peer).or_default());
        if !known.contains(&address) {
            known.push_back(address);
            if known.len() > ADDRESSES {
                known.pop_front();
            }
            self.of_known.entry(address).or_insert_with(|| Budget::new(HANDSHAKES, BURST));
            let known = &self.known;
            self.of_known.retain(|address, _| known.values().flatten().any(|it| it == address));
        }
    }

    /// Refuses a peer, or lets it in again.
    pub(super) fn shut_out(&mut self, peer: PeerId, is_out: bool) {
        match is_out {
            true => self.shut_out.insert(peer),
            false => self.shut_out.remove(&peer),
        };
    }

    /// Opens the streams to send on.
    pub(super) fn open(&mut self, peer_id: PeerId, connection: ConnectionId) {
        let handler = NotifyHandler::One(connection);
        self.events.push_back(ToSwarm::NotifyHandler { peer_id, handler, event: Open });
        if let Some(waker) = self.waker.take() {
            waker.wake();
        }
    }

    fn admit(&mut self, address: Option<IpAddr>) -> Result<(), Refusal> {
        let of_address = self.pending.values().filter(|pending| **pending == address).count();
        let is_known = |address: &Option<IpAddr>| address.is_some_and(|it| self.of_known.contains_key(&it));
        let strangers = self.pending.values().filter(|pending| !is_known(pending)).count();
        let now = Instant::now();
        let is_free = match address.and_then(|address| self.of_known.get_mut(&address)) {
            Some(budget) => of_address < PER_KNOWN_ADDRESS && budget.try_take(1.0, now),
            None => {
                let has_place = strangers < STRANGERS && of_address < STRANGERS_PER_ADDRESS;
                has_place && self.strangers.try_take(1.0, now)
            }
        };
        if is_free { Ok(()) } else { Err(Refusal::Crowded) }
    }

    fn check(&self, peer: &PeerId) -> Result<(), Refusal> {
        match (self.peers.contains(peer), self.shut_out.contains(peer)) {
            (false, _) => Err(Refusal::Stranger),
            (true, true) => Err(Refusal::ShutOut),
            (true, false) => Ok(()),
        }
    }
}

impl NetworkBehaviour for Door {
    type ConnectionHandler = Streams;
    type ToSwarm = Brought;

    fn handle_pending_inbound_connection(
        &mut self,
        connection: ConnectionId,
        _local: &Multiaddr,
        remote: &Multiaddr,
    ) -> Result<(), ConnectionDenied> {
        let address = ip_of(remote);
        self.admit(address)?;
        self.pending.insert(connection, address);
        Ok(())
    }

    fn handle_established_inbound_connection(
        &mut self,
        connection: ConnectionId,
        peer: PeerId,
        _local: &Multiaddr,
        _remote: &Multiaddr,
    ) -> Result<Streams, ConnectionDenied> {
        self.pending.remove(&connection);
        self.check(&peer)?;
        Ok(Streams::new(self.names.clone()))
    }

    fn handle_established_outbound_connection(
        &mut self,
        _connection: ConnectionId,
        peer: PeerId,
        _address: &Multiaddr,
        _role: Endpoint,
        _port_use: PortUse,
    ) -> Result<Streams, ConnectionDenied> {
        self.check(&peer)?;
        Ok(Streams::new(self.names.clone()))
    }

    fn on_swarm_event(&mut self, event: FromSwarm<'_>) {
        if let FromSwarm::ListenFailure(ListenFailure { connection_id, .. }) = event {
            self.pending.remove(&connection_id);
        }
    }

    fn on_connection_handler_event(&mut self, _peer: PeerId, connection: ConnectionId, outcome: Outcome) {
        let brought = match outcome {
            Outcome::Opened { way, is_inbound, stream } => {
                Brought::Ready(Ready { connection, way, is_inbound, stream })
            }
            Outcome::Refused => Brought::Foreign(connection),
        };
        self.events.push_back(ToSwarm::GenerateEvent(brought));
    }

    fn poll(&mut self, context: &mut Context<'_>) -> Poll<ToSwarm<Brought, THandlerInEvent<Self>>> {
        match self.events.pop_front() {
            Some(event) => Poll::Ready(event),
            None => {
                self.waker = Some(context.waker().clone());
                Poll::Pending
            }
        }
    }
}

/// The IP address in a multiaddress.
pub(super) fn ip_of(address: &Multiaddr) -> Option<IpAddr> {
    address.iter().find_map(|part| match part {
        Protocol::Ip4(ip) => Some(IpAddr::V4(ip)),
        Protocol::Ip6(ip) => Some(IpAddr::V6(ip).to_canonical()),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use std::net::{IpAddr, Ipv4Addr};

    use libp2p::PeerId;
    use libp2p::swarm::ConnectionId;

    use super::{Door, Names, PER_KNOWN_ADDRESS, Refusal, STRANGERS, STRANGERS_PER_ADDRESS};

    fn door() -> Door {
        Door::new([].into(), Names::new(None).expect("names"))
    }

    fn ip(last: u8) -> Option<IpAddr> {
        Some(IpAddr::V4(Ipv4Addr::new(10, 0, 0, last)))
    }

    #[test]
    fn strangers_cannot_take_the_places_of_known_addresses() {
        let mut door = door();
        door.know(PeerId::random(), ip(1).unwrap());
        let mut next = 0;
        let mut fill = |door: &mut Door, address| {
            let mut taken = 0;
            while door.admit(address).is_ok() {
                door.pending.insert(ConnectionId::new_unchecked(next), address);
                (next, taken) = (next + 1, taken + 1);
            }
            taken
        };
        let strangers: usize = (2..200).map(|last| fill(&mut door, ip(last))).sum();
        assert_eq!(strangers, STRANGERS);
        assert_eq!(door.pending.values().filter(|it| **it == ip(2)).count(), STRANGERS_PER_ADDRESS);
        assert_eq!(door.admit(ip(200)), Err(Refusal::Crowded));
        assert_eq!(fill(&mut door, ip(1)), PER_KNOWN_ADDRESS, "known addresses have their own places");
    }

    #[test]
    fn of_a_peer_that_wanders_only_the_newest_addresses_are_known() {
        let (mut door, peer) = (door(), PeerId::random());
        (1..200).for_each(|last| door.know(peer, ip(last).unwrap()));
        let known: Vec<IpAddr> = door.of_known.keys().copied().collect();
        assert_eq!(known, [196, 197, 198, 199].map(|last| ip(last).unwrap()));
    }

    #[test]
    fn handshakes_are_counted_however_short_they_are() {
        let mut door = door();
        let admitted = (0..1_000).filter(|_| door.admit(ip(9)).is_ok()).count();
        assert!((80..90).contains(&admitted), "{admitted}");
    }
}
