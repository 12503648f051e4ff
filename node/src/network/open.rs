//! Opening the network: the port is bound and the keys are checked before anything runs.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use futures_util::StreamExt as _;
use ledger_types::topology::NetKey;
use ledger_types::{NetworkId, PrivateKey, PublicKey, ValidatorId};
use libp2p::identity::{self, Keypair, ed25519};
use libp2p::swarm::{self, SwarmEvent};
use libp2p::{Multiaddr, PeerId, Swarm};
use tokio_util::sync::CancellationToken;

use super::door::Door;
use super::keeper::Keeper;
use super::peer::Peer;
use super::{Inbox, Links, Transport};

/// How long a connection with its handshake may take, and after it the streams with the peer's welcome.
pub(super) const HANDSHAKE: Duration = Duration::from_secs(3);
/// Streams of one connection whose way is not agreed on yet; others are dropped.
const NEGOTIATING: usize = 8;
/// What a node needs to be linked.
#[derive(Clone, Debug)]
pub(crate) struct Config {
    /// Binds the handshakes: nodes of other networks cannot even be talked to.
    pub(crate) network_id: NetworkId,
    /// The key that this node shows.
    pub(crate) net_key: PrivateKey,
    /// What carries the links.
    pub(crate) transport: Transport,
    /// Where to listen.
    pub(crate) address: SocketAddr,
    /// All other validators.
    pub(crate) peers: BTreeMap<ValidatorId, PeerConfig>,
    /// So many peers cannot all be faulty.
    pub(crate) believed: usize,
}

/// Where a peer is and how it is known.
#[derive(Clone, Debug)]
pub(crate) struct PeerConfig {
    /// The key that it must show.
    pub(crate) net_key: NetKey,
    /// `HOST:PORT`; names are looked up at each attempt.
    pub(crate) address: String,
}

/// The far end of the links, bound to its port and not started.
pub(crate) struct Network {
    swarm: Swarm<Door>,
    links: Links,
    peers: BTreeMap<ValidatorId, (PeerId, String)>,
    transport: Transport,
    believed: usize,
    stop: CancellationToken,
}

/// Binds the port. Must be called within a tokio runtime.
///
/// # Errors
/// When the port is taken or a key is none.
pub(crate) async fn open(config: Config) -> Result<(Links, Network)> {
    let Config { network_id, net_key, transport, address, peers, believed } = config;
    let key = keypair(&net_key)?;
    let mut known = BTreeMap::new();
    for (peer, PeerConfig { net_key, address }) in peers {
        let public = ed25519::PublicKey::try_from_bytes(&net_key.0)
            .with_context(|| format!("the net key of {peer} is no ed25519 key"))?;
        known.insert(peer, (identity::PublicKey::from(public).to_peer_id(), address));
    }
    let door = Door::new(known.values().map(|(id, _)| *id).collect(), transport.names(network_id)?);
    let connections = transport.connections(&key, network_id)?;
    let config = swarm::Config::with_tokio_executor().with_max_negotiating_inbound_streams(NEGOTIATING);
    let mut swarm = Swarm::new(connections, door, key.public().to_peer_id(), config);
    let place = transport.multiaddress(address);
    listen(&mut swarm, place).await.with_context(|| format!("listening on {address}"))?;
    let end = |address: &String| Peer::new(transport.endpoint(address));
    let ends = known.iter().map(|(peer, (_, address))| (*peer, end(address))).collect();
    let links = Links { peers: Arc::new(ends) };
    let stop = CancellationToken::new();
    Ok((links.clone(), Network { swarm, links, peers: known, transport, believed, stop }))
}

/// Waits until the port is bound, or cannot be.
async fn listen(swarm: &mut Swarm<Door>, place: Multiaddr) -> Result<()> {
    swarm.listen_on(place)?;
    loop {
        match swarm.select_next_some().await {
            SwarmEvent::NewListenAddr { .. } => return Ok(()),
            SwarmEvent::ListenerClosed { reason, .. } => bail!("{reason:?}"),
            SwarmEvent::ListenerError { error, .. } => return Err(error.into()),
            _ => {}
        }
    }
}

fn keypair(key: &PrivateKey) -> Result<Keypair> {
    if !matches!(key.public_key(), PublicKey::Ed25519(_)) {
        bail!("a node's keys are ed25519 keys");
    }
    // A copy, since this wipes what it reads.
    let mut secret = *key.secret_bytes();
    Ok(ed25519::SecretKey::try_from_bytes(&mut secret).map(ed25519::Keypair::from)?.into())
}

impl Network {
    /// Starts to keep links; call within a tokio runtime. Ends when the token is cancelled.
    pub(crate) fn start(self, inbox: impl Inbox) -> CancellationToken {
        let mut process = [0; 16];
        // Without random numbers the port could not have been opened either.
        if let Err(error) = getrandom::fill(&mut process) {
            tracing::error!(%error, "no random numbers");
        }
        let Self { swarm, links, peers, transport, believed, stop } = self;
        let keeper = Keeper::new(swarm, (links, inbox, process), peers, (transport, believed));
        tokio::spawn(keeper.run(stop.clone()));
        stop
    }
}
