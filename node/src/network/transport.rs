//! What carries the links: TCP with Noise and Yamux, or QUIC. All nodes of a network use the same.

use std::fmt;
use std::net::SocketAddr;
use std::str::FromStr;

use anyhow::{Context as _, Result};
use ledger_types::NetworkId;
use libp2p::core::muxing::StreamMuxerBox;
use libp2p::core::transport::Boxed;
use libp2p::core::upgrade::Version;
use libp2p::identity::Keypair;
use libp2p::multiaddr::Protocol;
use libp2p::{Multiaddr, PeerId, Transport as _, noise, tcp, yamux};

use super::open::HANDSHAKE;
use super::socket::Socket;
use super::streams::Names;

/// Yamux shares a gigabyte between a connection's streams: with so many allowed, each has 256 KiB and never gets more,
/// whatever round trip the peer pretends. That is 5 MB a second and stream at 50 ms.
const STREAMS: usize = 4_096;

/// What carries the links.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Transport {
    /// TCP, Noise with the network's id as prologue, Yamux.
    #[default]
    Tcp,
    /// QUIC. Its handshake knows keys only, so the names of the streams are bound to the network.
    Quic,
}

/// Connections whose keys are known, with streams.
pub(super) type Connections = Boxed<(PeerId, StreamMuxerBox)>;

impl Transport {
    /// Whether this program was built with it.
    pub(crate) fn is_built(self) -> bool {
        self == Self::Tcp || cfg!(feature = "quic")
    }

    /// How people write where somebody is: the transport, then `HOST:PORT`.
    pub(crate) fn endpoint(self, address: &str) -> String {
        format!("{self}://{address}")
    }

    pub(super) fn multiaddress(self, address: SocketAddr) -> Multiaddr {
        let host = Multiaddr::from(address.ip());
        match self {
            Self::Tcp => host.with(Protocol::Tcp(address.port())),
            Self::Quic => host.with(Protocol::Udp(address.port())).with(Protocol::QuicV1),
        }
    }

    /// The names of the streams in a network.
    pub(super) fn names(self, network_id: NetworkId) -> Result<Names> {
        let bound_to = (self == Self::Quic).then_some(network_id);
        Names::new(bound_to).context("the names of the streams")
    }

    pub(super) fn connections(self, key: &Keypair, network_id: NetworkId) -> Result<Connections> {
        match self {
            Self::Tcp => over_tcp(key, network_id),
            Self::Quic => over_quic(key),
        }
    }
}

fn over_tcp(key: &Keypair, network_id: NetworkId) -> Result<Connections> {
    let noise = noise::Config::new(key).context("the keys of the handshake")?;
    let mut muxer = yamux::Config::default();
    muxer.set_max_num_streams(STREAMS);
    let transport = tcp::tokio::Transport::new(tcp::Config::new().nodelay(true))
        .map(|stream, _| Socket::new(stream))
        .upgrade(Version::V1Lazy)
        .authenticate(noise.with_prologue(network_id.0.to_vec()))
        .multiplex(muxer)
        .timeout(HANDSHAKE)
        .boxed();
    Ok(transport)
}

#[cfg(feature = "quic")]
fn over_quic(key: &Keypair) -> Result<Connections> {
    use super::frames::SILENCE;

    /// Streams of one connection that a peer may have open: an honest one has one for each way.
    const STREAMS: u32 = 16;
    /// Bytes of one stream and of all streams of a connection that are not read yet.
    const STREAM_BYTES: u32 = 1 << 20;
    const CONNECTION_BYTES: u32 = 4 << 20;

    let mut config = libp2p::quic::Config::new(key);
    config.handshake_timeout = HANDSHAKE;
    config.max_idle_timeout = u32::try_from(SILENCE.as_millis()).unwrap_or(u32::MAX);
    config.keep_alive_interval = SILENCE / 3;
    config.max_concurrent_stream_limit = STREAMS;
    (config.max_stream_data, config.max_connection_data) = (STREAM_BYTES, CONNECTION_BYTES);
    let transport = libp2p::quic::tokio::Transport::new(config)
        .map(|(peer, connection), _| (peer, StreamMuxerBox::new(connection)))
        .boxed();
    Ok(transport)
}

#[cfg(not(feature = "quic"))]
fn over_quic(_key: &Keypair) -> Result<Connections> {
    anyhow::bail!("this program was built without QUIC (the cargo feature quic)")
}

impl fmt::Display for Transport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Tcp => "tcp",
            Self::Quic => "quic",
        })
    }
}

impl FromStr for Transport {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "tcp" => Ok(Self::Tcp),
            "quic" => Ok(Self::Quic),
            _ => Err("it is tcp or quic".to_owned()),
        }
    }
}
