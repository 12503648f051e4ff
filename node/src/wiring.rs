//! Puts a node together from its folder, runs it, and takes it apart in order.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context as _, Result, bail};
use api::{ApiLimits, ApiState, Metrics, NodeDescription, Tls};
use consensus::Timing;
use consensus::store::Operator;
use genesis::{Genesis, NetworkFile, NetworkSettings};
use ledger::store::FileLock;
use ledger::{GenesisBlock, Ledger, OpenOptions, Pool};
use ledger_types::family::FamilyRegistry as _;
use ledger_types::signature::Curve;
use ledger_types::topology::{Cluster, NetKey, Validator};
use ledger_types::{PrivateKey, PublicKey, ValidatorId, VoteKey, setting};
use tokio::net::TcpListener;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;

use crate::broadcast::Broadcast;
use crate::clock::{self, Clock};
use crate::config::Settings;
use crate::engine::{Engine, Parts, PeerInbox};
use crate::file_check::FileCheck;
use crate::home::Home;
use crate::intake::{Admission, Intake};
use crate::keys::KeyFiles;
use crate::log::LogLevel;
use crate::network::{self, Links};
use crate::network_file::network_file;
pub(crate) use crate::network_file::{read_network, write_whole};
use crate::peers::{endpoint, network_config};
use crate::status::{Certificates, EngineStatus};
use crate::verifiers::Verifiers;

/// Connections to the admin port at the same time.
const ADMIN_CONNECTIONS: usize = 32;

/// How a node is run.
#[derive(Clone, Debug)]
pub(crate) struct NodeSettings {
    /// The node's folder.
    pub(crate) home: PathBuf,
    /// The network file of a first start; a network of one when absent.
    pub(crate) network: Option<PathBuf>,
    /// Make state and receipts again from the blocks.
    pub(crate) rebuild: bool,
    /// What the operator says about the votes in the consensus file.
    pub(crate) operator: Operator,
    /// What the node's operator decided.
    pub(crate) own: Settings,
}

/// A node that is ready to run: keys, network and ledger are open.
pub(crate) struct Node {
    home: Home,
    genesis: Genesis,
    own: ValidatorId,
    vote_key: PrivateKey,
    timing: Timing,
    settings: Settings,
    links: Option<network::Config>,
    ledger: Ledger,
    listener: std::net::TcpListener,
    tls: Option<Tls>,
    admin: std::net::TcpListener,
    is_new: bool,
    operator: Operator,
    // Held while the node runs: one process per vote key, wherever its data directory is.
    _key_lock: FileLock,
}

/// What a node tells when it is up.
pub(crate) struct Started<'a> {
    pub(crate) home: &'a Home,
    pub(crate) genesis: &'a Genesis,
    pub(crate) own: ValidatorId,
    pub(crate) api: SocketAddr,
    pub(crate) scheme: &'static str,
    pub(crate) height: u64,
    pub(crate) is_new: bool,
}

impl Node {
    /// Opens a node's folder; the first start makes keys and, without a network file, a network of one.
    pub(crate) fn open(settings: &NodeSettings) -> Result<Self> {
        let home = Home::new(&settings.home)?;
        home.create()?;
        let key_lock = FileLock::take(&home.vote_lock())?;
        let (vote_key, is_new) = node_key(&home, "vote")?;
        let (net_key, _) = node_key(&home, "net")?;
        let network = network_file(&home, settings.network.as_deref())?;
        let genesis = network.genesis()?;
        let own = genesis.topology.find(&VoteKey(ed25519(&vote_key)?)).with_context(|| {
            format!("the vote key in {} is not in the network's topology", home.keys().display())
        })?;
        let links = network_config(&settings.own, &genesis, own, net_key)?;
        let tls = tls_of(&settings.own)?;
        // Before the ledger: a port that is taken is found out in no time.
        let (listener, admin) = (listen(settings.own.api)?, listen(settings.own.admin)?);
        let (map_bytes, check_bytes) = (settings.own.map_gib << 30, settings.own.check_bytes());
        let ledger = open_ledger(&home.data(), &genesis, map_bytes, settings.rebuild, check_bytes)?;
        let timing = timing_of(&ledger)?;
        Ok(Self {
            home,
            genesis,
            own,
            vote_key,
            timing,
            settings: settings.own.clone(),
            links,
            ledger,
            listener,
            admin,
            tls,
            is_new,
            operator: settings.operator,
            _key_lock: key_lock,
        })
    }

    /// Runs until a signal or a fault ends it, then stops in order: no new requests, no new votes, files synced and
    /// closed, lock files removed. `started` is called once the API listens.
    pub(crate) fn run(self, log_level: LogLevel, started: impl FnOnce(&Started<'_>)) -> Result<()> {
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
        let ledger = Arc::new(self.ledger);
        let (listener, admin) = {
            let _runtime = runtime.enter();
            (TcpListener::from_std(self.listener)?, TcpListener::from_std(self.admin)?)
        };
        let (links, network) = match self.links {
            None => (Links::none(), None),
            Some(config) => {
                let (links, network) = runtime.block_on(network::open(config))?;
                (links, Some(network))
            }
        };
        let (pool, clock) = (Arc::new(Pool::new()), Clock::start());
        let verifiers = Arc::new(Verifiers::start()?);
        let broadcast = Arc::new(Broadcast::new(links.clone(), pool.clone()));
        let metrics = Arc::new(Metrics::new(self.genesis.topology.validators().map(|(id, _)| id)));
        let engine = Engine::start(Parts {
            ledger: ledger.clone(),
            pool: pool.clone(),
            lineage: self.genesis.lineage.clone(),
            topology: self.genesis.topology.clone(),
            own: self.own,
            vote_key: self.vote_key,
            timing: self.timing,
            clock,
            links: links.clone(),
            broadcast: broadcast.clone(),
            vote_generation: self.home.vote_generation_file(),
            operator: self.operator,
            pipeline: metrics.pipeline(),
        })?;
        let network = match network {
            None => None,
            Some(network) => {
                let _runtime = runtime.enter();
                let (engine, reader) = (engine.handle(), ledger.reader());
                let inbox = PeerInbox::new(engine, verifiers.clone(), pool.clone(), reader, clock)?;
                Some(network.start(inbox))
            }
        };
        // The links are up by now: a block whose record turns out to be no good comes from a peer.
        if let Err(fault) = runtime.block_on(engine.recovered()) {
            drop(runtime);
            engine.stop();
            return Err(fault);
        }
        let checking = FileCheck::start(ledger.clone(), self.settings.check_bytes(), engine.handle())?;
        let api = listener.local_addr()?;
        let state = ApiState {
            reader: ledger.reader(),
            intake: Arc::new(Intake::start(
                verifiers,
                Admission {
                    pool: pool.clone(),
                    reader: ledger.reader(),
                    engine: engine.handle(),
                    broadcast,
                    clock,
                    pipeline: metrics.pipeline(),
                },
            )?),
            head: engine.head(),
            finality: Arc::new(Certificates(ledger.clone())),
            status: Arc::new(EngineStatus::new(
                engine.handle(),
                pool,
                ledger.clone(),
                &self.genesis.topology,
                links,
                clock,
            )),
            metrics,
            description: Arc::new(NodeDescription {
                endpoint: endpoint(&self.settings, api),
                name: self.own.to_string(),
                network_id: self.genesis.lineage.current(),
                topology: self.genesis.topology.clone(),
                families: txfamilies::registry().describe_all(),
            }),
        };
        // Before anybody is told that the node is up: from then on a signal means a clean stop.
        let signals = {
            let _runtime = runtime.enter();
            StopSignals {
                terminate: signal(SignalKind::terminate())?,
                interrupt: signal(SignalKind::interrupt())?,
            }
        };
        tracing::info!(address = %admin.local_addr()?, "admin port");
        started(&Started {
            home: &self.home,
            genesis: &self.genesis,
            own: self.own,
            api,
            scheme: if self.tls.is_some() { "https" } else { "http" },
            height: ledger.head().height,
            is_new: self.is_new,
        });
        let doors = Doors {
            admin: (admin, api::admin_router(state.clone(), Arc::new(log_level))),
            api: (listener, api::router(state, self.settings.limits.clone())),
            tls: self.tls,
        };
        let served = runtime.block_on(serve(doors, &self.settings.limits, &engine, signals));
        if let Some(network) = network {
            network.cancel();
        }
        // Requests that still read the ledger end before it is closed.
        drop(runtime);
        checking.stop();
        let fault = engine.handle().fault();
        engine.stop();
        drop(ledger);
        served?;
        fault.map_or(Ok(()), |fault| Err(anyhow::anyhow!(fault)))
    }
}

/// Where requests come in: each listener with what answers there.
struct Doors {
    api: (TcpListener, axum::Router),
    tls: Option<Tls>,
    admin: (TcpListener, axum::Router),
}

/// The signals that stop a node.
struct StopSignals {
    terminate: Signal,
    interrupt: Signal,
}

/// TLS for the REST interface, when the settings name a certificate and its key.
pub(crate) fn tls_of(settings: &Settings) -> Result<Option<Tls>> {
    let read = |path: &Path| std::fs::read(path).with_context(|| format!("reading {}", path.display()));
    match (&settings.tls_certificate, &settings.tls_key) {
        (None, None) => Ok(None),
        (Some(chain), Some(key)) => {
            let tls = Tls::from_pem(&read(chain)?, &read(key)?);
            tls.map(Some).with_context(|| format!("TLS from {} and {}", chain.display(), key.display()))
        }
        _ => bail!("api.tls_certificate and api.tls_key belong together: one of them is not set"),
    }
}

/// Connections that wait to be accepted.
const ACCEPT_QUEUE: i32 = 4_096;

/// Listens on an address.
fn listen(address: SocketAddr) -> Result<std::net::TcpListener> {
    let listener = std::net::TcpListener::bind(address).with_context(|| format!("listening on {address}"))?;
    // A second call lengthens the queue: with the 128 of the first, thousands of clients at once wait for
    // retransmissions. The kernel caps it at net.core.somaxconn.
    rustix::net::listen(&listener, ACCEPT_QUEUE)?;
    listener.set_nonblocking(true)?;
    Ok(listener)
}

/// Serves until a signal or a fatal fault, then lets requests in progress end.
async fn serve(doors: Doors, limits: &ApiLimits, engine: &Engine, signals: StopSignals) -> Result<()> {
    let StopSignals { mut terminate, mut interrupt } = signals;
    let stop = CancellationToken::new();
    let Doors { api: (listener, router), tls, admin: (admin, admin_router) } = doors;
    let admin_limits = ApiLimits { connections: ADMIN_CONNECTIONS, ..ApiLimits::default() };
    let serving = async {
        tokio::try_join!(
            api::serve(listener, router, limits, tls, stop.clone().cancelled_owned()),
            api::serve(admin, admin_router, &admin_limits, None, stop.clone().cancelled_owned()),
        )
        .map(drop)
    };
    tokio::pin!(serving);
    tokio::select! {
        served = &mut serving => return served.context("the REST interface"),
        _ = terminate.recv() => tracing::info!("SIGTERM: stopping"),
        _ = interrupt.recv() => tracing::info!("SIGINT: stopping"),
        reason = engine.fatal() => tracing::error!(reason, "stopping after a fault"),
    }
    stop.cancel();
    serving.await.context("the REST interface")
}

/// The network file of a network of one, made from a node's keys. Without authorized keys, the node's admin key decides on
/// settings; keys that are not there are made.
pub(crate) fn lone_network(
    home: &Home,
    mut authorized_keys: Vec<PublicKey>,
    approval_threshold: u32,
) -> Result<NetworkFile> {
    if authorized_keys.is_empty() {
        authorized_keys.push(node_key(home, "admin")?.0.public_key());
    }
    let validator = Validator {
        name: "c1-1".to_owned(),
        vote_key: VoteKey(ed25519(&node_key(home, "vote")?.0)?),
        net_key: NetKey(ed25519(&node_key(home, "net")?.0)?),
        delegate: true,
    };
    let settings = NetworkSettings { approval_threshold, ..NetworkSettings::new(authorized_keys) };
    let cluster = Cluster { name: "c1".to_owned(), validators: vec![validator] };
    Ok(NetworkFile::new("lone", clock::wall_ms(), settings, vec![cluster])?)
}

/// Opens the ledger of a data directory with the families of this program.
pub(crate) fn open_ledger(
    directory: &Path,
    genesis: &Genesis,
    map_bytes: usize,
    rebuild: bool,
    check_bytes: u64,
) -> Result<Ledger> {
    let ledger = Ledger::open(&OpenOptions {
        directory: directory.to_owned(),
        map_bytes,
        rebuild,
        check_bytes,
        genesis: GenesisBlock {
            lineage: genesis.lineage.clone(),
            cfg_hash: genesis.cfg_hash,
            time_ms: genesis.time_ms,
            batches: genesis.batches.clone(),
        },
        registry: Arc::new(txfamilies::registry()),
    })?;
    Ok(ledger)
}

/// The network's delays: parameters of the ledger's state, so that all nodes agree.
fn timing_of(ledger: &Ledger) -> Result<Timing> {
    let reader = ledger.reader();
    let height = reader.head().height;
    let read = |key, default: u64| -> Result<u64> {
        let value = reader.state(&setting::address(key), height)?;
        let text = value.and_then(|value| setting::value_of(key, &value));
        Ok(text.and_then(|text| text.trim().parse().ok()).unwrap_or(default))
    };
    let delta_ms = read(setting::DELTA0_MS, Timing::LAN.delta_ms)?;
    // The two are set one by one, so the first may be above the largest for a while.
    let delta_max_ms = read(setting::DELTA_MAX_MS, Timing::LAN.delta_max_ms)?.max(delta_ms);
    Ok(Timing { delta_ms, delta_max_ms, ..Timing::LAN })
}

/// A key of a node, made when it is not there. The flag tells whether it is new.
pub(crate) fn node_key(home: &Home, name: &str) -> Result<(PrivateKey, bool)> {
    KeyFiles::new(&home.keys(), name).read_or_make(Curve::Ed25519)
}

/// A node's public key.
pub(crate) fn ed25519(key: &PrivateKey) -> Result<[u8; 32]> {
    match key.public_key() {
        PublicKey::Ed25519(bytes) => Ok(bytes),
        PublicKey::Secp256k1(_) => bail!("a node's keys are ed25519 keys"),
    }
}
