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

use super::Way;
use super::streams::{Opened, Streams};

/// Connections of strangers that are shaken hands with at the same time, and of one address.
const STRANGERS: usize = 16;
const STRANGERS_PER_ADDRESS: usize = 2;
/// The same for each address from which peers are known to come, which nobody else can use up.
const PER_KNOWN_ADDRESS: usize = 64;

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
    known: BTreeSet<IpAddr>,
    shut_out: BTreeSet<PeerId>,
    /// Inbound connections whose handshake goes on.
    pending: BTreeMap<ConnectionId, Option<IpAddr>>,
    events: VecDeque<ToSwarm<Ready, Open>>,
    waker: Option<Waker>,
}

/// Tells a connection to open its streams.
#[derive(Clone, Copy, Debug)]
pub(super) struct Open;

impl Door {
    /// A door for these peers.
    pub(super) fn new(peers: BTreeSet<PeerId>) -> Self {
        let (known, shut_out) = (BTreeSet::new(), BTreeSet::new());
        Self { peers, known, shut_out, pending: BTreeMap::new(), events: VecDeque::new(), waker: None }
    }

    /// Remembers that a peer comes from an address.
    pub(super) fn know(&mut self, address: IpAddr) {
        self.known.insert(canonical(address));
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

    fn admit(&self, address: Option<IpAddr>) -> Result<(), Refusal> {
        let is_known = |address: &Option<IpAddr>| address.is_some_and(|it| self.known.contains(&it));
        let of_address = self.pending.values().filter(|pending| **pending == address).count();
        let is_free = match is_known(&address) {
            true => of_address < PER_KNOWN_ADDRESS,
            false => {
                let strangers = self.pending.values().filter(|pending| !is_known(pending)).count();
                strangers < STRANGERS && of_address < STRANGERS_PER_ADDRESS
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
    type ToSwarm = Ready;

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
        Ok(Streams::default())
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
        Ok(Streams::default())
    }

    fn on_swarm_event(&mut self, event: FromSwarm<'_>) {
        if let FromSwarm::ListenFailure(ListenFailure { connection_id, .. }) = event {
            self.pending.remove(&connection_id);
        }
    }

    fn on_connection_handler_event(&mut self, _peer: PeerId, connection: ConnectionId, opened: Opened) {
        let Opened { way, is_inbound, stream } = opened;
        self.events.push_back(ToSwarm::GenerateEvent(Ready { connection, way, is_inbound, stream }));
    }

    fn poll(&mut self, context: &mut Context<'_>) -> Poll<ToSwarm<Ready, THandlerInEvent<Self>>> {
        match self.events.pop_front() {
            Some(event) => Poll::Ready(event),
            None => {
                self.waker = Some(context.waker().clone());
                Poll::Pending
            }
        }
    }
}

fn canonical(address: IpAddr) -> IpAddr {
    address.to_canonical()
}

/// The IP address in a multiaddress.
pub(super) fn ip_of(address: &Multiaddr) -> Option<IpAddr> {
    address.iter().find_map(|part| match part {
        Protocol::Ip4(ip) => Some(IpAddr::V4(ip)),
        Protocol::Ip6(ip) => Some(canonical(IpAddr::V6(ip))),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use std::net::{IpAddr, Ipv4Addr};

    use libp2p::swarm::ConnectionId;

    use super::{Door, PER_KNOWN_ADDRESS, Refusal, STRANGERS, STRANGERS_PER_ADDRESS};

    fn ip(last: u8) -> Option<IpAddr> {
        Some(IpAddr::V4(Ipv4Addr::new(10, 0, 0, last)))
    }

    #[test]
    fn strangers_cannot_take_the_places_of_known_addresses() {
        let mut door = Door::new([].into());
        door.know(ip(1).unwrap());
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
}
