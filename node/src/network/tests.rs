//! Two real networks on loopback, and strangers.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use consensus::Recipients;
use futures_util::StreamExt as _;
use ledger_types::signature::Curve;
use ledger_types::topology::NetKey;
use ledger_types::{NetworkId, PrivateKey, PublicKey, ValidatorId};
use libp2p::swarm::SwarmEvent;
use tokio::io::AsyncWriteExt as _;
use tokio::sync::mpsc;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::{Config, Inbox, Links, PeerConfig, Way, open};

/// How long anything may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// What an inbox was told.
#[derive(Debug, PartialEq, Eq)]
enum Told {
    Frame(ValidatorId, Way, Bytes),
    Linked(ValidatorId),
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

    fn linked(&self, peer: ValidatorId) {
        let _ = self.0.send(Told::Linked(peer));
    }

    fn displaced(&self, _by: &[ValidatorId]) {
        let _ = self.0.send(Told::Displaced);
    }
}

fn place(node: u16) -> ValidatorId {
    ValidatorId { cluster: 0, node }
}

fn key(node: u16) -> PrivateKey {
    PrivateKey::from_bytes(Curve::Ed25519, [u8::try_from(node).unwrap() + 1; 32]).unwrap()
}

fn net_key(node: u16) -> NetKey {
    match key(node).public_key() {
        PublicKey::Ed25519(bytes) => NetKey(bytes),
        PublicKey::Secp256k1(_) => unreachable!("made as an ed25519 key"),
    }
}

fn free_port() -> SocketAddr {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}

/// Ports of a network of test nodes.
struct Town {
    network_id: NetworkId,
    addresses: Vec<SocketAddr>,
}

/// A running network.
struct Node {
    links: Links,
    told: mpsc::UnboundedReceiver<Told>,
    stop: CancellationToken,
}

impl Town {
    fn new(size: usize) -> Self {
        Self { network_id: NetworkId([7; 32]), addresses: (0..size).map(|_| free_port()).collect() }
    }

    fn config(&self, own: u16) -> Config {
        let peer = |(node, address): (u16, &SocketAddr)| {
            (place(node), PeerConfig { net_key: net_key(node), address: address.to_string() })
        };
        let peers: BTreeMap<_, _> =
            (0..).zip(&self.addresses).map(peer).filter(|(id, _)| *id != place(own)).collect();
        Config {
            network_id: self.network_id,
            net_key: key(own),
            address: self.addresses[usize::from(own)],
            peers,
            believed: 1,
        }
    }

    async fn start(&self, own: u16) -> Node {
        start(self.config(own)).await
    }
}

async fn start(config: Config) -> Node {
    let (links, network) = open(config).await.unwrap();
    let (tell, told) = mpsc::unbounded_channel();
    Node { links, told, stop: network.start(Recorder(tell)) }
}

impl Node {
    async fn next(&mut self) -> Told {
        timeout(PATIENCE, self.told.recv()).await.expect("nothing was told in time").expect("it runs")
    }

    /// Waits until this is told.
    async fn hears(&mut self, what: &Told) {
        while self.next().await != *what {}
    }

    fn says(&self, way: Way, frame: &'static [u8]) {
        self.links.put(Recipients::Others, way, &Bytes::from_static(frame));
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn frames_arrive_in_order_on_each_way_in_both_directions() {
    let town = Town::new(2);
    let (mut a, mut b) = (town.start(0).await, town.start(1).await);
    a.hears(&Told::Linked(place(1))).await;
    b.hears(&Told::Linked(place(0))).await;
    for way in [Way::Consensus, Way::Blocks, Way::Batches] {
        a.says(way, b"first");
        a.says(way, b"second");
        b.says(way, b"back");
        assert_eq!(b.next().await, Told::Frame(place(0), way, Bytes::from_static(b"first")));
        assert_eq!(b.next().await, Told::Frame(place(0), way, Bytes::from_static(b"second")));
        assert_eq!(a.next().await, Told::Frame(place(1), way, Bytes::from_static(b"back")));
    }
    // As large as a block.
    let large = Bytes::from(vec![9; 8 << 20]);
    a.links.put(Recipients::One(place(1)), Way::Blocks, &large);
    b.hears(&Told::Frame(place(0), Way::Blocks, large)).await;
    assert!(a.links.states().iter().all(|state| state.is_up));
    assert_eq!(b.links.totals().received_frames, 7);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_link_comes_back_when_the_peer_does() {
    let town = Town::new(2);
    let mut a = town.start(0).await;
    for _ in 0..3 {
        let mut b = town.start(1).await;
        a.hears(&Told::Linked(place(1))).await;
        b.hears(&Told::Linked(place(0))).await;
        a.says(Way::Consensus, b"hello");
        b.hears(&Told::Frame(place(0), Way::Consensus, Bytes::from_static(b"hello"))).await;
        drop(b);
        let is_down = async {
            while a.links.states()[0].is_up {
                tokio::task::yield_now().await;
            }
        };
        timeout(PATIENCE, is_down).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_of_another_network_and_an_unknown_key_are_not_linked() {
    let town = Town::new(3);
    let (mut a, mut b) = (town.start(0).await, town.start(1).await);
    let other = Config { network_id: NetworkId([8; 32]), ..town.config(2) };
    let foreign = start(other).await;
    let thief = Config { net_key: key(9), address: free_port(), ..town.config(2) };
    let stranger = start(thief).await;
    a.hears(&Told::Linked(place(1))).await;
    b.hears(&Told::Linked(place(0))).await;
    // They dial every quarter of a second at first; after ten attempts of the others it is not for lack of time.
    for node in [0, 1] {
        let node = place(node);
        let is_up = |from: &Node| from.links.states().iter().any(|it| it.peer == node && it.is_up);
        assert!(!is_up(&foreign) && !is_up(&stranger));
    }
    let is_third_up = |node: &Node| node.links.states().iter().any(|it| it.peer == place(2) && it.is_up);
    assert!(!is_third_up(&a) && !is_third_up(&b));
    // With the right key and network the same place is linked.
    foreign.stop.cancel();
    drop(foreign);
    let mut right = town.start(2).await;
    right.hears(&Told::Linked(place(0))).await;
    a.hears(&Told::Linked(place(2))).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_sends_junk_is_shut_out_for_a_while() {
    let town = Town::new(2);
    let (mut a, mut b) = (town.start(0).await, town.start(1).await);
    a.hears(&Told::Linked(place(1))).await;
    b.hears(&Told::Linked(place(0))).await;
    b.says(Way::Batches, b"junk");
    // Shut out for a second, then linked again.
    b.hears(&Told::Linked(place(0))).await;
    b.says(Way::Batches, b"good");
    a.hears(&Told::Frame(place(1), Way::Batches, Bytes::from_static(b"good"))).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_process_with_the_same_key_is_not_heard_and_is_told() {
    let town = Town::new(3);
    let (mut a, mut b) = (town.start(0).await, town.start(1).await);
    let mut first = town.start(2).await;
    a.hears(&Told::Linked(place(2))).await;
    b.hears(&Told::Linked(place(2))).await;
    first.hears(&Told::Linked(place(0))).await;
    let mut second = start(Config { address: free_port(), ..town.config(2) }).await;
    second.hears(&Told::Displaced).await;
    second.says(Way::Consensus, b"from the second");
    first.says(Way::Consensus, b"from the first");
    let heard = Told::Frame(place(2), Way::Consensus, Bytes::from_static(b"from the first"));
    let mut told = Vec::new();
    while told.last() != Some(&heard) {
        told.push(a.next().await);
    }
    let is_second =
        |told: &Told| matches!(told, Told::Frame(_, _, frame) if &frame[..] == b"from the second");
    assert!(!told.iter().any(is_second));
}

#[tokio::test(flavor = "multi_thread")]
async fn half_open_connections_do_not_keep_a_peer_out() {
    let town = Town::new(2);
    let mut a = town.start(0).await;
    let address = town.addresses[0];
    // Silent, and talking nonsense: all at once, and more than there are places.
    let mut strangers = Vec::new();
    for index in 0..200 {
        let mut stranger = tokio::net::TcpStream::connect(address).await.unwrap();
        if index % 2 == 0 {
            let _ = stranger.write_all(&[0xff; 512]).await;
        }
        strangers.push(stranger);
    }
    let mut b = town.start(1).await;
    a.hears(&Told::Linked(place(1))).await;
    b.hears(&Told::Linked(place(0))).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_frame_too_large_ends_the_link_before_it_is_read() {
    let town = Town::new(2);
    let mut a = town.start(0).await;
    let mut b = town.start(1).await;
    a.hears(&Told::Linked(place(1))).await;
    b.hears(&Told::Linked(place(0))).await;
    let large = Bytes::from(vec![0; consensus::message::MESSAGE_BYTES + 1]);
    b.links.put(Recipients::Others, Way::Consensus, &large);
    b.hears(&Told::Linked(place(0))).await;
    assert_eq!(a.links.totals().received_frames, 0);
}

#[tokio::test]
async fn a_port_that_is_taken_is_said_at_once() {
    let town = Town::new(2);
    let _taken = std::net::TcpListener::bind(town.addresses[0]).unwrap();
    let error = open(town.config(0)).await.err().expect("the port is taken");
    assert!(format!("{error:#}").contains(&town.addresses[0].to_string()), "{error:#}");
}

#[tokio::test]
async fn a_stranger_is_refused_before_a_stream_is_opened() {
    let town = Town::new(1);
    let _a = town.start(0).await;
    let mut swarm = libp2p::SwarmBuilder::with_new_identity()
        .with_tokio()
        .with_tcp(
            libp2p::tcp::Config::new(),
            |key: &libp2p::identity::Keypair| {
                libp2p::noise::Config::new(key).map(|it| it.with_prologue([7; 32].to_vec()))
            },
            libp2p::yamux::Config::default,
        )
        .unwrap()
        .with_behaviour(|_| libp2p::swarm::dummy::Behaviour)
        .unwrap()
        .with_swarm_config(|it| it.with_idle_connection_timeout(PATIENCE))
        .build();
    let target = libp2p::Multiaddr::from(town.addresses[0].ip())
        .with(libp2p::multiaddr::Protocol::Tcp(town.addresses[0].port()));
    swarm.dial(target).unwrap();
    let ended = async {
        loop {
            match swarm.select_next_some().await {
                SwarmEvent::ConnectionClosed { .. } | SwarmEvent::OutgoingConnectionError { .. } => break,
                _ => {}
            }
        }
    };
    timeout(PATIENCE, ended).await.expect("the connection is closed");
}
