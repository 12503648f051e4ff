//! A network of `dgt` processes on this machine, as `dgt testnet create` makes it. Nodes die with the test.

mod moved;

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::net::TcpListener;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use consensus::Record;
use consensus::evidence::Evidence;
use genesis::NetworkFile;
use ledger::store::{ConsensusFile, Durability, File, FileOptions};
use ledger_types::proto::client as proto;
use ledger_types::signature::Curve;
use ledger_types::{BlockId, Lineage, ValidatorId};
use rustix::process::Signal;
use serde_json::Value;
use tempfile::TempDir;
use txfamilies::sign_batch;

use crate::client::{Client, HeadBlock, Outcome};
use crate::lmdb::{self, BLOCK, CONSENSUS, MERKLE, RECEIPTS};
use crate::load::{key, set};
use crate::node::{self, Home, Node, Start};
use crate::random::Random;
use crate::workspace;

/// How long a network may take to come to what is waited for.
pub const PATIENCE: Duration = Duration::from_secs(120);
/// How often it is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(50);
/// Networks take their ports here, below those that the system gives to outgoing connections.
const PORTS: std::ops::Range<u64> = 12_000..31_000;
/// What every node listens on.
pub(crate) const PORTS_PER_NODE: u64 = 3;
/// The name of the network's folder.
pub(crate) const FOLDER: &str = "net";

/// A network. Its nodes are numbered from 0, cluster by cluster.
pub struct Testnet {
    // Nodes end before their folder goes, and before the next network has its turn.
    seats: Vec<Seat>,
    folder: Arc<TempDir>,
    _turn: std::fs::File,
}

/// A node's place, and the node if it runs.
struct Seat {
    validator: ValidatorId,
    node: Option<Node>,
    home: Home,
    /// The program that runs it, with its arguments; none when it is run directly.
    wrapper: Vec<OsString>,
}

impl Testnet {
    /// Makes a network of so many clusters of so many nodes. Nothing runs yet.
    pub fn create(clusters: u16, nodes: u16) -> Self {
        // One network at a time: on few cores two would disturb each other's timeouts.
        let turn = workspace::lock("testnet");
        let folder = node::folder();
        let base = free_ports(u64::from(clusters) * u64::from(nodes) * PORTS_PER_NODE);
        let numbers = [clusters, nodes, base].map(|number| number.to_string());
        let [clusters, nodes, base] = numbers.each_ref().map(String::as_str);
        let create = ["testnet", "create", "--out", FOLDER, "--clusters", clusters, "--nodes", nodes];
        Home::within(&folder, FOLDER).dgt([&create[..], &["--port-base", base]].concat()).ok();
        Self::read(folder, turn)
    }

    /// The stopped network that lies in a folder, below the name [`FOLDER`].
    pub(crate) fn read(folder: Arc<TempDir>, turn: std::fs::File) -> Self {
        let path = folder.path().join(FOLDER).join("network.toml");
        let text = std::fs::read_to_string(&path).expect("the network file");
        let file = NetworkFile::parse(&text).expect("a network file");
        let seat = |validator: ValidatorId| {
            let (cluster, node) = (validator.cluster + 1, validator.node + 1);
            let home = Home::within(&folder, format!("{FOLDER}/dgt_clust/c{cluster}/dgt{node}"));
            Seat { validator, home, node: None, wrapper: Vec::new() }
        };
        let seats = file.topology().validators().map(|(validator, _)| seat(validator)).collect();
        Self { folder, seats, _turn: turn }
    }

    /// Makes a network and starts all its nodes.
    pub fn start(clusters: u16, nodes: u16) -> Self {
        let mut network = Self::create(clusters, nodes);
        network.start_all();
        network.wait_ready();
        network
    }

    /// The network's folder.
    pub fn path(&self) -> PathBuf {
        self.folder.path().join(FOLDER)
    }

    /// How many nodes it has.
    pub fn len(&self) -> usize {
        self.seats.len()
    }

    /// Whether it has no nodes; it always has.
    pub fn is_empty(&self) -> bool {
        self.seats.is_empty()
    }

    /// A node's name, such as `c1-2`.
    pub fn name(&self, index: usize) -> String {
        self.seats[index].validator.to_string()
    }

    /// The nodes of a cluster, which counts from 0.
    pub fn cluster(&self, cluster: u16) -> Vec<usize> {
        (0..self.len()).filter(|index| self.seats[*index].validator.cluster == cluster).collect()
    }

    /// A node's folder.
    pub fn home(&self, index: usize) -> &Home {
        &self.seats[index].home
    }

    /// The nodes that run.
    pub fn running(&self) -> Vec<usize> {
        (0..self.len()).filter(|index| self.seats[*index].node.is_some()).collect()
    }

    /// The process ids of the nodes that run.
    pub fn pids(&self) -> Vec<i32> {
        self.running().into_iter().map(|index| self.node(index).pid()).collect()
    }

    /// A client of a node that runs.
    pub fn client(&self, index: usize) -> &Client {
        self.node(index).client()
    }

    fn node(&self, index: usize) -> &Node {
        self.seats[index].node.as_ref().unwrap_or_else(|| panic!("{} does not run", self.name(index)))
    }

    /// From its next start on another program runs a node, such as `ip netns exec NAME`.
    pub fn run_under(&mut self, index: usize, wrapper: Vec<OsString>) {
        self.seats[index].wrapper = wrapper;
    }

    /// Starts a node, which must come to answer.
    pub fn start_node(&mut self, index: usize) {
        self.start_with(index, &[]);
    }

    /// Starts a node with more arguments.
    pub fn start_with(&mut self, index: usize, arguments: &[&str]) {
        assert!(self.seats[index].node.is_none(), "{} runs already", self.name(index));
        let start = Start::as_settled(&self.seats[index].home, &self.seats[index].wrapper);
        self.seats[index].node = Some(arguments.iter().fold(start, Start::arg).serve());
    }

    /// Starts all nodes that do not run, at the same time.
    pub fn start_all(&mut self) {
        let stopped = self.seats.iter_mut().filter(|seat| seat.node.is_none());
        let starting: Vec<_> = stopped
            .map(|seat| (Start::as_settled(&seat.home, &seat.wrapper).spawn(), &mut seat.node))
            .collect();
        for (process, node) in starting {
            *node = Some(process.serving().unwrap_or_else(|ended| panic!("a node did not start: {ended:?}")));
        }
    }

    /// Stops a node with SIGTERM; its words on standard error.
    pub fn stop(&mut self, index: usize) -> String {
        self.take(index).stop()
    }

    /// Ends a node with `kill -9`; its words on standard error.
    pub fn kill(&mut self, index: usize) -> String {
        self.take(index).kill()
    }

    /// Stops every node that runs.
    pub fn stop_all(&mut self) {
        let running: Vec<Node> = self.seats.iter_mut().filter_map(|seat| seat.node.take()).collect();
        running.iter().for_each(|node| node.signal(Signal::TERM));
        running.into_iter().for_each(|node| drop(node.stop()));
    }

    /// Ends every node that runs with `kill -9`.
    pub fn kill_all(&mut self) {
        self.running().into_iter().for_each(|index| drop(self.kill(index)));
    }

    /// Lets a node's process stand still.
    pub fn pause(&self, index: usize) {
        self.node(index).signal(Signal::STOP);
    }

    /// Lets it go on.
    pub fn resume(&self, index: usize) {
        self.node(index).signal(Signal::CONT);
    }

    fn take(&mut self, index: usize) -> Node {
        self.seats[index].node.take().unwrap_or_else(|| panic!("{} does not run", self.name(index)))
    }

    /// What a node says of itself: `data.node` of `/status`.
    pub fn status(&self, index: usize) -> Value {
        self.client(index).get("/status")["data"]["node"].take()
    }

    /// The node that leads the present view, as one of them sees it.
    pub fn leader(&self, seen_by: usize) -> usize {
        let status = self.status(seen_by);
        let leader = status["leader"].as_str().unwrap_or_else(|| panic!("no leader in {status}"));
        (0..self.len()).find(|index| self.name(*index) == leader).expect("the leader is a node")
    }

    /// Stops a node, takes everything out of its data folder and leaves it stopped.
    pub fn wipe(&mut self, index: usize) {
        self.stop(index);
        let data = self.home(index).data();
        std::fs::remove_dir_all(&data).expect("removing the data folder");
        std::fs::create_dir(&data).expect("making the data folder");
    }

    /// Waits until all nodes that run take part.
    pub fn wait_ready(&self) {
        self.running().into_iter().for_each(|index| self.wait_node_ready(index));
    }

    /// Waits until a node takes part.
    pub fn wait_node_ready(&self, index: usize) {
        let client = self.client(index);
        self.wait(&format!("{} is ready", self.name(index)), || {
            let answer = client.try_get("/readyz").unwrap_or_else(|error| panic!("/readyz: {error}"));
            if answer.status == 200 { Ok(()) } else { Err(answer.text) }
        });
    }

    /// Waits until a node's chain has a height.
    pub fn wait_height(&self, index: usize, height: u64) {
        self.wait(&format!("{} is at height {height}", self.name(index)), || {
            let head = self.client(index).head();
            if head.height >= height { Ok(()) } else { Err(format!("{head:?}")) }
        });
    }

    /// Waits until batches are committed on every node that runs.
    pub fn wait_committed(&self, ids: &[String]) {
        for index in self.running() {
            self.wait(&format!("{} commits", self.name(index)), || {
                let outcomes = self.client(index).try_outcomes(ids, 1);
                let outcomes = outcomes.unwrap_or_else(|error| panic!("/batch_statuses: {error}"));
                match outcomes.iter().position(|outcome| *outcome != Outcome::Committed) {
                    None => Ok(()),
                    Some(at) => Err(format!("{} is {:?}; {}", ids[at], outcomes[at], self.status(index))),
                }
            });
        }
    }

    /// Submits a batch to a node, once it takes some, and waits until every node that runs has committed it.
    pub fn commit(&self, index: usize, batch: &proto::Batch) {
        // One that just started may hear a quorum later than the others hear it.
        self.wait_node_ready(index);
        self.client(index).submit(std::slice::from_ref(batch));
        self.wait_committed(std::slice::from_ref(&batch.header_signature));
    }

    /// Commits batches until all nodes that run vote: one that was away may be silent in views that it may have voted in.
    pub fn commit_until_all_vote(&self, name: &str) {
        let (deadline, alice) = (Instant::now() + PATIENCE, key(Curve::Ed25519, "alice"));
        for number in 0.. {
            let running = self.running();
            let batch = sign_batch(&alice, &[set(&format!("{name}-{number}"), 1)]);
            self.commit(running[number % running.len()], &batch);
            let statuses = running.into_iter().map(|index| self.status(index));
            let silent: Vec<Value> = statuses.filter(|status| status["duty"] != "votes").collect();
            if silent.is_empty() {
                return;
            }
            assert!(
                Instant::now() < deadline,
                "after {number} batches of {name} these do not vote: {silent:?}"
            );
        }
    }

    /// Waits until all nodes that run have the same newest block and nothing to decide; that block.
    pub fn wait_same_head(&self) -> HeadBlock {
        self.wait("all nodes are at the same block", || {
            let running = self.running();
            let waiting = |index: &usize| self.status(*index)["pool_batches"] != 0;
            let pending: Vec<String> =
                running.iter().filter(|index| waiting(index)).map(|index| self.name(*index)).collect();
            let heads: Vec<HeadBlock> = running.iter().map(|index| self.client(*index).head()).collect();
            match pending.is_empty() && heads.windows(2).all(|pair| pair[0] == pair[1]) {
                true => Ok(heads[0].clone()),
                false => Err(format!("{heads:?}, batches wait at {pending:?}")),
            }
        })
    }

    /// Waits for an answer; fails with the last reason why it is not there.
    pub fn wait<T>(&self, what: &str, look: impl FnMut() -> Result<T, String>) -> T {
        wait(what, look)
    }

    /// Asserts that the stopped nodes have the same blocks, state and receipts, by the stock tools; their digests.
    pub fn check_same_files(&self) -> [String; 3] {
        lmdb::require_tools();
        let digests =
            |index| [BLOCK, MERKLE, RECEIPTS].map(|name| lmdb::digest(&self.home(index).file(name)));
        let first = digests(0);
        for index in 1..self.len() {
            assert_eq!(digests(index), first, "{} has other records than {}", self.name(index), self.name(0));
        }
        first
    }

    /// Asserts by `dgt verify` that a stopped node's chain is sound, every block executed again.
    pub fn check_chain(&self, index: usize) {
        let home = self.home(index);
        home.dgt([OsStr::new("verify"), home.data().as_os_str()]).ok();
    }

    /// Asserts from the stopped nodes' consensus files that nobody voted twice: no two votes that a node keeps exclude each
    /// other, none keeps evidence against any, and no two name different final blocks of a height.
    pub fn check_votes(&self) {
        let mut finals: BTreeMap<u64, (BlockId, usize)> = BTreeMap::new();
        for index in 0..self.len() {
            let (mut votes, mut proposals) = (Vec::new(), BTreeMap::new());
            for record in self.consensus_records(index) {
                match record {
                    Record::Voted { vote, .. } => votes.push(vote),
                    Record::Proposed { view, block, .. } => {
                        let other = proposals.insert(view, block).filter(|other| *other != block);
                        assert_eq!(other, None, "{} proposed twice in view {view}", self.name(index));
                    }
                    Record::Evidence { evidence, .. } => {
                        panic!("{} has evidence: {evidence:?}", self.name(index));
                    }
                    Record::FinalizedAt { certificate, .. } => {
                        let block =
                            certificate.certified().candidate().expect("a finalization names a block");
                        let (other, by) = *finals.entry(block.height).or_insert((block.block, index));
                        let who = [self.name(by), self.name(index)];
                        assert_eq!(other, block.block, "two blocks at height {}: {who:?}", block.height);
                    }
                    _ => {}
                }
            }
            for (at, first) in votes.iter().enumerate() {
                let double = votes[..at].iter().find_map(|second| Evidence::votes(*first, *second));
                assert_eq!(double, None, "{} voted twice", self.name(index));
            }
        }
    }

    /// All records of a stopped node's consensus file.
    fn consensus_records(&self, index: usize) -> Vec<Record> {
        let records = self.consensus_file(index).records_below(u8::MAX).expect("its records");
        assert_eq!(records.damaged, Vec::<Vec<u8>>::new(), "{}", self.name(index));
        let decode = |(key, value): (Vec<u8>, _)| Record::decode(&key, value).expect("a record");
        records.sound.into_iter().map(decode).collect()
    }

    /// The ids of the network, as a node's network file tells them.
    pub fn lineage(&self, index: usize) -> Lineage {
        let text = std::fs::read_to_string(self.home(index).path().join("etc/network.toml"));
        NetworkFile::parse(&text.expect("the network file")).expect("a network file").lineage()
    }

    /// A stopped node's consensus file.
    pub fn consensus_file(&self, index: usize) -> ConsensusFile {
        let options =
            FileOptions { durability: Durability::EveryCommit, map_bytes: 64 << 30, must_exist: true };
        let file = File::open(&self.home(index).file(CONSENSUS), options).expect("the consensus file");
        ConsensusFile::new(file, self.lineage(index).current()).expect("a consensus file").0
    }
}

/// Waits for an answer; fails with the last reason why it is not there.
pub fn wait<T>(what: &str, mut look: impl FnMut() -> Result<T, String>) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        match look() {
            Ok(found) => return found,
            Err(missing) => {
                assert!(Instant::now() < deadline, "not so after {PATIENCE:?}: {what}: {missing}");
                std::thread::sleep(LOOK_EVERY);
            }
        }
    }
}

/// The first of so many consecutive ports on which nobody listens.
pub(crate) fn free_ports(count: u64) -> u16 {
    let mut seed = [0; 8];
    getrandom::fill(&mut seed).expect("randomness of the operating system");
    let mut random = Random::new(u64::from_le_bytes(seed));
    for _ in 0..100 {
        let first = random.below(PORTS.start..PORTS.end - count);
        let port = |number: u64| u16::try_from(number).expect("invariant: PORTS are ports");
        let listen = |number| TcpListener::bind(("127.0.0.1", port(number)));
        let listeners: Result<Vec<_>, _> = (first..first + count).map(listen).collect();
        if listeners.is_ok() {
            return port(first);
        }
    }
    panic!("no {count} free ports in a row");
}
