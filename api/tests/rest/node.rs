//! A node of one: a real ledger, an intake that holds batches until the test commits them, and the served API.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use api::{
    ApiLimits, ApiState, BatchIntake, Duty, FinalitySource, IntakeError, Metrics, NodeDescription,
    NodeStatus, Role, StatusSource, Submission, Traffic,
};
use bytes::Bytes;
use ledger::execute::{Candidate, Slot};
use ledger::reader::{FileUse, ReadError};
use ledger::{GenesisBlock, Ledger, OpenOptions};
use ledger_types::certificate::{self, Certificate, CertificateVote, Certified};
use ledger_types::family::{ApplyError, Context, FamilyDescription, FamilyRegistry, TransactionFamily};
use ledger_types::topology::{Cluster, NetKey, Validator};
use ledger_types::{
    Batch, BatchId, NetworkId, Signature, Topology, Transaction, ValidatorId, Verified, VoteKey,
};
use parking_lot::Mutex;
use tokio::net::TcpListener;
use tokio::sync::{oneshot, watch};

use crate::client::{self, Answer};
use crate::signing::list;

/// `ADDRESS VALUE` sets, `ADDRESS` deletes, anything else is refused with itself as message.
struct Put;

impl TransactionFamily for Put {
    fn describe(&self) -> FamilyDescription {
        FamilyDescription { names: &["put"], version: "1.0", namespaces: &["aabbcc"], commands: &[] }
    }

    fn apply(&self, transaction: &Transaction, context: &mut dyn Context) -> Result<(), ApplyError> {
        let payload = std::str::from_utf8(&transaction.payload).unwrap();
        let (address, value) = payload.split_once(' ').unwrap_or((payload, ""));
        let address = address.parse().map_err(|_| ApplyError::invalid(payload))?;
        if value.is_empty() {
            context.delete(address)?;
            return Ok(());
        }
        context.set(address, Bytes::copy_from_slice(value.as_bytes()))?;
        context.add_event(
            "put/set",
            vec![("value".into(), value.into()), ("empty".into(), String::new())],
            Bytes::new(),
        )?;
        context.add_receipt_data(Bytes::from_static(b"\xff\xfe"))?;
        Ok(context.add_receipt_data(Bytes::new())?)
    }
}

struct Families;

impl FamilyRegistry for Families {
    fn find(&self, name: &str, version: &str) -> Option<&dyn TransactionFamily> {
        (name == "put" && version == "1.0").then_some(&Put)
    }

    fn describe_all(&self) -> Vec<FamilyDescription> {
        vec![Put.describe()]
    }
}

/// Holds what was submitted until the test commits it.
#[derive(Default)]
struct Held {
    batches: Mutex<Vec<Verified<Batch>>>,
    full: AtomicBool,
    refusal: Mutex<Option<String>>,
}

impl BatchIntake for Held {
    fn submit(&self, batches: Vec<Batch>) -> Submission<'_> {
        Box::pin(async move {
            if self.full.load(Ordering::Relaxed) {
                return Err(IntakeError::QueueFull);
            }
            if let Some(reason) = self.refusal.lock().clone() {
                return Err(IntakeError::NotReady(reason));
            }
            let verify = |batch: Batch| {
                let id = batch.id;
                batch.verify().map_err(|error| IntakeError::Invalid { batch: id, reason: error.to_string() })
            };
            let verified = batches.into_iter().map(verify).collect::<Result<Vec<_>, _>>()?;
            self.batches.lock().extend(verified);
            Ok(())
        })
    }

    fn is_pending(&self, id: &BatchId) -> bool {
        self.batches.lock().iter().any(|batch| batch.id == *id)
    }
}

/// Stands for the node's engine: what tests set is what it says.
pub(crate) struct Engine {
    pub(crate) fault: Mutex<Option<String>>,
    /// Why batches are refused although there is no fault.
    shortage: Mutex<Option<String>>,
    pub(crate) status: Mutex<NodeStatus>,
    pub(crate) certificates: Mutex<BTreeMap<u64, Certificate>>,
}

impl Default for Engine {
    fn default() -> Self {
        let status = NodeStatus {
            links: Vec::new(),
            time_ms: 1_500,
            view: 7,
            leader: ValidatorId { cluster: 0, node: 0 },
            role: Role::Leader,
            final_height: 0,
            quorum: 1,
            pool_batches: 0,
            pool_bytes: 0,
            pool_oldest_ms: None,
            duty: Duty::Votes,
            heard: 1,
            catching_up: None,
            is_quorum_heard: true,
            offenders: Vec::new(),
        };
        Self {
            fault: Mutex::default(),
            shortage: Mutex::default(),
            status: Mutex::new(status),
            certificates: Mutex::default(),
        }
    }
}

impl StatusSource for Engine {
    fn status(&self) -> NodeStatus {
        self.status.lock().clone()
    }

    fn fault(&self) -> Option<String> {
        self.fault.lock().clone()
    }

    fn not_ready(&self) -> Option<String> {
        self.fault().or_else(|| self.shortage.lock().clone())
    }

    fn traffic(&self) -> Traffic {
        Traffic {
            sent_frames: 1,
            sent_bytes: 200,
            received_frames: 3,
            received_bytes: 400,
            dropped_frames: 5,
        }
    }

    fn files(&self) -> Vec<FileUse> {
        vec![FileUse { name: "consensus-01.lmdb".into(), bytes: 4096, map_bytes: 8192 }]
    }

    fn disk_free_bytes(&self) -> Option<u64> {
        Some(1 << 30)
    }
}

impl FinalitySource for Engine {
    fn finalization(&self, height: u64) -> Result<Option<Certificate>, ReadError> {
        Ok(self.certificates.lock().range(height..).next().map(|(_, certificate)| certificate.clone()))
    }
}

/// The node under test.
pub(crate) struct Node {
    pub(crate) ledger: Ledger,
    pub(crate) address: SocketAddr,
    head: watch::Sender<u64>,
    held: Arc<Held>,
    pub(crate) engine: Arc<Engine>,
    pub(crate) api_state: ApiState,
    topology: Topology,
    pub(crate) stop: Option<oneshot::Sender<()>>,
    pub(crate) served: Option<tokio::task::JoinHandle<std::io::Result<()>>>,
    _directory: tempfile::TempDir,
}

impl Node {
    /// A node with the usual limits and an empty genesis block.
    pub(crate) async fn start() -> Self {
        Self::with_limits(ApiLimits::default()).await
    }

    pub(crate) async fn with_limits(limits: ApiLimits) -> Self {
        Self::with(limits, topology(&[1])).await
    }

    /// The first validator of clusters of such sizes.
    pub(crate) async fn in_clusters(sizes: &[u8]) -> Self {
        Self::with(ApiLimits::default(), topology(sizes)).await
    }

    async fn with(limits: ApiLimits, topology: Topology) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let ledger = open(&directory, &topology);
        let (head, watched) = watch::channel(0);
        let held = Arc::new(Held::default());
        let engine = Arc::new(Engine::default());
        let state = ApiState {
            reader: ledger.reader(),
            intake: held.clone(),
            head: watched,
            metrics: Arc::new(Metrics::new(topology.validators().map(|(id, _)| id))),
            finality: engine.clone(),
            status: engine.clone(),
            description: Arc::new(NodeDescription {
                endpoint: "tcp://127.0.0.1:8101".into(),
                name: "c1-1".into(),
                network_id: NetworkId([9; 32]),
                topology: topology.clone(),
                families: Families.describe_all(),
            }),
        };
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (stop, stopped) = oneshot::channel::<()>();
        let api_state = state.clone();
        let router = api::router(state, limits.clone());
        let served = tokio::spawn(async move {
            let shutdown = async { drop(stopped.await) };
            api::serve(listener, router, &limits, None, shutdown).await
        });
        let (stop, served) = (Some(stop), Some(served));
        Self { ledger, address, head, held, engine, api_state, topology, stop, served, _directory: directory }
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        client::send(self.address, "GET", path, "", b"").await
    }

    pub(crate) async fn post(&self, path: &str, content_type: &str, body: &[u8]) -> Answer {
        let headers = format!("content-type: {content_type}\r\n");
        client::send(self.address, "POST", path, &headers, body).await
    }

    pub(crate) async fn submit(&self, batches: &[&Batch]) -> Answer {
        self.post("/batches", "application/octet-stream", &list(batches)).await
    }

    /// Commits everything held as one block, in the order that the node must keep.
    pub(crate) fn commit(&self) {
        let head = self.ledger.head();
        let slot = Slot {
            network_id: NetworkId([9; 32]),
            cfg_hash: self.topology.cfg_hash(),
            epoch: 0,
            view: 258 + head.height,
            proposer: ValidatorId { cluster: 0, node: 0 },
            time_ms: 1_000 + head.height,
        };
        let candidates = self.held.batches.lock().clone();
        let candidate =
            |batch| Candidate { batch: Arc::new(batch), waited_enough: true, since_height: head.height };
        let candidates: Vec<Candidate> = candidates.into_iter().map(candidate).collect();
        let (executed, _) = self.ledger.build(&head.id, &slot, &candidates, usize::MAX).unwrap();
        self.ledger.commit(&[executed]).unwrap();
        self.finalize();
        self.held.batches.lock().clear();
        self.head.send_replace(head.height + 1);
    }

    /// Makes a certificate for the head, signed by all. Its signatures are none: whether it is true is not this crate's
    /// business.
    fn finalize(&self) {
        let head = self.ledger.reader().header(self.ledger.head().height).unwrap().unwrap();
        let candidate = certificate::Candidate { view: head.view, height: head.height, block: head.id() };
        let vote = CertificateVote { from_view: head.view, signature: Signature([0x5e; 64]) };
        let votes = self.topology.validators().map(|(signer, _)| (signer, vote));
        let certificate = Certificate::new(0, Certified::Finalization(candidate), votes).unwrap();
        self.engine.certificates.lock().insert(head.height, certificate);
    }

    /// Submits batches and commits them as one block.
    pub(crate) async fn commit_all(&self, batches: &[&Batch]) {
        assert_eq!(self.submit(batches).await.status, 202);
        self.commit();
    }

    pub(crate) fn fill_pool(&self) {
        self.held.full.store(true, Ordering::Relaxed);
    }

    /// From now on too few validators are heard.
    pub(crate) fn lose_quorum(&self, arithmetic: &str) {
        *self.held.refusal.lock() = Some(arithmetic.to_owned());
        *self.engine.shortage.lock() = Some(arithmetic.to_owned());
        self.engine.status.lock().is_quorum_heard = false;
    }

    /// Comes back when so many requests wait for a new head.
    pub(crate) async fn until_waiting(&self, requests: usize) {
        let all_wait = async {
            while self.head.receiver_count() < 1 + requests {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(Duration::from_secs(20), all_wait).await.expect("requests that wait");
    }
}

/// Clusters `c1`, `c2`, ... of such sizes. The validators are `n1`, `n2`, ...; the first of each cluster is a delegate.
fn topology(sizes: &[u8]) -> Topology {
    let mut count = 0;
    let mut validator = |node| {
        count += 1;
        Validator {
            name: format!("n{count}"),
            vote_key: VoteKey([0xaa + count; 32]),
            net_key: NetKey([0xcc + count; 32]),
            delegate: node == 0,
        }
    };
    let mut clusters = Vec::new();
    for (at, size) in sizes.iter().enumerate() {
        let validators = (0..*size).map(&mut validator).collect();
        clusters.push(Cluster { name: format!("c{}", at + 1), validators });
    }
    Topology::new(clusters).unwrap()
}

fn open(directory: &tempfile::TempDir, topology: &Topology) -> Ledger {
    let genesis = GenesisBlock {
        lineage: NetworkId([9; 32]).into(),
        cfg_hash: topology.cfg_hash(),
        time_ms: 1,
        batches: Vec::new(),
    };
    Ledger::open(&OpenOptions {
        directory: directory.path().to_owned(),
        map_bytes: 64 << 20,
        rebuild: false,
        check_bytes: u64::MAX,
        genesis,
        registry: Arc::new(Families),
    })
    .unwrap()
}
