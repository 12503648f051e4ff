//! Nodes of a small network, as far as the links go.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use consensus::Recipients;
use ledger_types::signature::Curve;
use ledger_types::topology::NetKey;
use ledger_types::{NetworkId, PrivateKey, PublicKey, ValidatorId};
use tokio::sync::mpsc;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::super::{Config, Inbox, Links, PeerConfig, Transport, Trouble, Way, open};

/// How long anything may take.
pub(super) const PATIENCE: Duration = Duration::from_secs(30);

/// What an inbox was told.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Told {
    Frame(ValidatorId, Way, Bytes),
    Displaced,
}

struct Recorder(mpsc::UnboundedSender<Told>);

impl Inbox for Recorder {
    async fn take(&self, from: ValidatorId, way: Way, frame: Bytes) -> Result<(), String> {
        if &frame[..] == b"junk" {
            return Err("junk".to_owned());
        }
        let _ = self.0.send(Told::Frame(from, way, frame));
        Ok(())
    }

    fn displaced(&self, _by: &[ValidatorId]) {
        let _ = self.0.send(Told::Displaced);
    }
}

pub(super) fn place(node: u16) -> ValidatorId {
    ValidatorId { cluster: 0, node }
}

pub(super) fn key(node: u16) -> PrivateKey {
    PrivateKey::from_bytes(Curve::Ed25519, [u8::try_from(node).unwrap() + 1; 32]).unwrap()
}

fn net_key(node: u16) -> NetKey {
    match key(node).public_key() {
        PublicKey::Ed25519(bytes) => NetKey(bytes),
        PublicKey::Secp256k1(_) => unreachable!("made as an ed25519 key"),
    }
}

/// Holds a port until it is dropped.
pub(super) enum Held {
    Tcp(std::net::TcpListener),
    Udp(std::net::UdpSocket),
}

impl Held {
    pub(super) fn bind(transport: Transport, address: &str) -> Self {
        match transport {
            Transport::Tcp => Self::Tcp(std::net::TcpListener::bind(address).unwrap()),
            Transport::Quic => Self::Udp(std::net::UdpSocket::bind(address).unwrap()),
        }
    }

    fn address(&self) -> SocketAddr {
        match self {
            Self::Tcp(socket) => socket.local_addr().unwrap(),
            Self::Udp(socket) => socket.local_addr().unwrap(),
        }
    }
}

pub(super) fn free_port(transport: Transport) -> SocketAddr {
    Held::bind(transport, "127.0.0.1:0").address()
}

/// Ports of a network of test nodes.
pub(super) struct Town {
    transport: Transport,
    pub(super) network_id: NetworkId,
    pub(super) addresses: Vec<SocketAddr>,
}

/// A running network.
pub(super) struct Node {
    pub(super) links: Links,
    told: mpsc::UnboundedReceiver<Told>,
    pub(super) stop: CancellationToken,
}

impl Town {
    pub(super) fn over(transport: Transport, size: usize) -> Self {
        let addresses = (0..size).map(|_| free_port(transport)).collect();
        Self { transport, network_id: NetworkId([7; 32]), addresses }
    }

    pub(super) fn config(&self, own: u16) -> Config {
        let peer = |(node, address): (u16, &SocketAddr)| {
            (place(node), PeerConfig { net_key: net_key(node), address: address.to_string() })
        };
        let peers: BTreeMap<_, _> =
            (0..).zip(&self.addresses).map(peer).filter(|(id, _)| *id != place(own)).collect();
        Config {
            network_id: self.network_id,
            net_key: key(own),
            transport: self.transport,
            address: self.addresses[usize::from(own)],
            peers,
            believed: 1,
        }
    }

    pub(super) async fn start(&self, own: u16) -> Node {
        start(self.config(own)).await
    }
}

pub(super) async fn start(config: Config) -> Node {
    let opened = async {
        loop {
            match open(config.clone()).await {
                Ok(opened) => break opened,
                // QUIC lets go of its port when its last connection is gone: a moment after the node.
                Err(error) if format!("{error:#}").contains("in use") => {
                    tokio::time::sleep(Duration::from_millis(10)).await;
                }
                Err(error) => panic!("{error:#}"),
            }
        }
    };
    let (links, network) = timeout(PATIENCE, opened).await.expect("the port is free in time");
    let (tell, told) = mpsc::unbounded_channel();
    Node { links, told, stop: network.start(Recorder(tell)) }
}

impl Node {
    pub(super) async fn next(&mut self) -> Told {
        timeout(PATIENCE, self.told.recv()).await.expect("nothing was told in time").expect("it runs")
    }

    /// Waits until this is told.
    pub(super) async fn hears(&mut self, what: &Told) {
        while self.next().await != *what {}
    }

    /// Waits until a link is up.
    pub(super) async fn links_to(&self, peer: u16) {
        self.sees(peer, true).await;
    }

    /// Waits until a link was down, if it is not, and is up again.
    pub(super) async fn links_again_to(&self, peer: u16) {
        self.sees(peer, false).await;
        self.sees(peer, true).await;
    }

    pub(super) async fn sees(&self, peer: u16, is_up: bool) {
        let mut link = self.links.watch(place(peer)).unwrap();
        timeout(PATIENCE, link.wait_for(|is| *is == is_up)).await.expect("not in time").unwrap();
    }

    /// Waits until it is known why there is no link to a peer.
    pub(super) async fn is_told(&self, peer: u16, trouble: &Trouble) {
        let is_known = || {
            let states = self.links.states();
            let known = states.into_iter().find(|state| state.peer == place(peer)).and_then(|it| it.trouble);
            known.as_ref() == Some(trouble)
        };
        let wait = async {
            while !is_known() {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        timeout(PATIENCE, wait)
            .await
            .unwrap_or_else(|_| panic!("{peer} {trouble}: {:?}", self.links.states()));
    }

    pub(super) fn says(&self, way: Way, frame: &'static [u8]) {
        self.links.put(Recipients::Others, way, &Bytes::from_static(frame));
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}
