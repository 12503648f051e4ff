//! Two real networks on loopback, and strangers.

mod town;

use std::time::Duration;

use bytes::Bytes;
use consensus::Recipients;
use futures_util::StreamExt as _;
use ledger_types::NetworkId;
use libp2p::swarm::SwarmEvent;
use tokio::io::AsyncWriteExt as _;
use tokio::time::timeout;

use super::{Config, Transport, Trouble, Way, open};
use town::{Held, Node, PATIENCE, Told, Town, free_port, key, place, start};

/// Makes a test of each of these for every transport that is built in.
macro_rules! over_each_transport {
    ($($name:ident),+ $(,)?) => {
        mod tcp {
            $(#[tokio::test(flavor = "multi_thread")]
            async fn $name() {
                super::$name(super::Transport::Tcp).await;
            })+
        }
        #[cfg(feature = "quic")]
        mod quic {
            $(#[tokio::test(flavor = "multi_thread")]
            async fn $name() {
                super::$name(super::Transport::Quic).await;
            })+
        }
    };
}

over_each_transport! {
    frames_arrive_in_order_on_each_way_in_both_directions,
    a_link_comes_back_when_the_peer_does,
    a_node_of_another_network_and_an_unknown_key_are_not_linked,
    who_cannot_be_linked_is_named_with_the_reason,
    who_sends_junk_is_shut_out_for_a_while,
    a_second_process_with_the_same_key_is_not_heard_and_is_told,
    a_frame_too_large_ends_the_link_before_it_is_read,
    a_port_that_is_taken_is_said_at_once,
}

async fn frames_arrive_in_order_on_each_way_in_both_directions(transport: Transport) {
    let town = Town::over(transport, 2);
    let (mut a, mut b) = (town.start(0).await, town.start(1).await);
    a.links_to(1).await;
    b.links_to(0).await;
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

async fn a_link_comes_back_when_the_peer_does(transport: Transport) {
    let town = Town::over(transport, 2);
    let a = town.start(0).await;
    for _ in 0..3 {
        let mut b = town.start(1).await;
        a.links_to(1).await;
        b.links_to(0).await;
        a.says(Way::Consensus, b"hello");
        b.hears(&Told::Frame(place(0), Way::Consensus, Bytes::from_static(b"hello"))).await;
        drop(b);
        a.sees(1, false).await;
    }
}

async fn a_node_of_another_network_and_an_unknown_key_are_not_linked(transport: Transport) {
    let town = Town::over(transport, 3);
    let (a, b) = (town.start(0).await, town.start(1).await);
    let other = Config { network_id: NetworkId([8; 32]), ..town.config(2) };
    let foreign = start(other).await;
    let thief = Config { net_key: key(9), address: free_port(transport), ..town.config(2) };
    let stranger = start(thief).await;
    a.links_to(1).await;
    b.links_to(0).await;
    // They dial every quarter of a second at first; after ten attempts of the others it is not for lack of time.
    for node in [0, 1] {
        let node = place(node);
        let is_up = |from: &Node| from.links.states().iter().any(|it| it.peer == node && it.is_up);
        assert!(!is_up(&foreign) && !is_up(&stranger));
    }
    let is_third_up = |node: &Node| node.links.states().iter().any(|it| it.peer == place(2) && it.is_up);
    assert!(!is_third_up(&a) && !is_third_up(&b));
    // Each side is told why.
    for (node, peer, trouble) in [
        (&foreign, 0, Trouble::Foreign),
        (&foreign, 1, Trouble::Foreign),
        (&stranger, 0, Trouble::HangsUp),
        (&stranger, 1, Trouble::HangsUp),
    ] {
        node.is_told(peer, &trouble).await;
    }
    // With the right key and network the same place is linked.
    foreign.stop.cancel();
    drop(foreign);
    let right = town.start(2).await;
    right.links_to(0).await;
    a.links_to(2).await;
}

async fn who_cannot_be_linked_is_named_with_the_reason(transport: Transport) {
    let town = Town::over(transport, 4);
    let _b = town.start(1).await;
    let mut config = town.config(0);
    let mut address =
        |node: u16, address: String| config.peers.get_mut(&place(node)).unwrap().address = address;
    // At the place of 2 there is 1; at that of 3 nobody.
    address(2, town.addresses[1].to_string());
    address(3, town.addresses[3].to_string());
    let a = start(config).await;
    let told = async |peer| {
        let states = || a.links.states().into_iter().find(|state| state.peer == place(peer)).unwrap();
        while states().trouble.is_none() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        states().trouble.unwrap().to_string()
    };
    let told = timeout(PATIENCE, async { (told(2).await, told(3).await) }).await.expect("in time");
    assert!(told.0.contains("another net key"), "{told:?}");
    assert!(told.1.starts_with("no node answers at its address: "), "{told:?}");
    a.links_to(1).await;
    assert_eq!(a.links.states()[0].trouble, None);
}

async fn who_sends_junk_is_shut_out_for_a_while(transport: Transport) {
    let town = Town::over(transport, 2);
    let (mut a, b) = (town.start(0).await, town.start(1).await);
    a.links_to(1).await;
    b.links_to(0).await;
    b.says(Way::Batches, b"junk");
    // Shut out for a second, then linked again.
    b.links_again_to(0).await;
    b.says(Way::Batches, b"good");
    a.hears(&Told::Frame(place(1), Way::Batches, Bytes::from_static(b"good"))).await;
}

async fn a_second_process_with_the_same_key_is_not_heard_and_is_told(transport: Transport) {
    let town = Town::over(transport, 3);
    let (mut a, b) = (town.start(0).await, town.start(1).await);
    let first = town.start(2).await;
    a.links_to(2).await;
    b.links_to(2).await;
    first.links_to(0).await;
    let mut second = start(Config { address: free_port(transport), ..town.config(2) }).await;
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
    let town = Town::over(Transport::Tcp, 2);
    let a = town.start(0).await;
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
    let b = town.start(1).await;
    a.links_to(1).await;
    b.links_to(0).await;
}

async fn a_frame_too_large_ends_the_link_before_it_is_read(transport: Transport) {
    let town = Town::over(transport, 2);
    let a = town.start(0).await;
    let b = town.start(1).await;
    a.links_to(1).await;
    b.links_to(0).await;
    let large = Bytes::from(vec![0; consensus::message::MESSAGE_BYTES + 1]);
    b.links.put(Recipients::Others, Way::Consensus, &large);
    b.links_again_to(0).await;
    assert_eq!(a.links.totals().received_frames, 0);
}

async fn a_port_that_is_taken_is_said_at_once(transport: Transport) {
    let town = Town::over(transport, 2);
    let _taken = Held::bind(transport, &town.addresses[0].to_string());
    let error = open(town.config(0)).await.err().expect("the port is taken");
    assert!(format!("{error:#}").contains(&town.addresses[0].to_string()), "{error:#}");
}

#[tokio::test]
async fn a_stranger_is_refused_before_a_stream_is_opened() {
    let town = Town::over(Transport::Tcp, 1);
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
