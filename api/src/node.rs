//! What the node hands to the API.

use std::sync::Arc;

use ledger::Reader;
use ledger::reader::FileUse;
use ledger_types::family::FamilyDescription;
use ledger_types::{NetworkId, Topology, ValidatorId};
use serde::Serialize;
use tokio::sync::watch;

use crate::finality::FinalitySource;
use crate::intake::BatchIntake;
use crate::metrics::Metrics;

/// Everything that answers are made of. Cheap to clone.
#[derive(Clone)]
pub struct ApiState {
    /// Committed data.
    pub reader: Reader,
    /// The door for batches.
    pub intake: Arc<dyn BatchIntake>,
    /// The height of the newest readable block. Changes after every commit, once the intake has let go of the batches
    /// that the commit decided: waits for a status look again then, and at no other time.
    pub head: watch::Receiver<u64>,
    /// Why blocks are final.
    pub finality: Arc<dyn FinalitySource>,
    /// What changes while the node runs.
    pub status: Arc<dyn StatusSource>,
    /// What is counted. One node has one, whatever routers it has.
    pub metrics: Arc<Metrics>,
    /// What does not change.
    pub description: Arc<NodeDescription>,
}

/// What is fixed while the node runs.
#[derive(Clone, Debug)]
pub struct NodeDescription {
    /// Where other nodes reach this one, for example `tcp://127.0.0.1:8101`.
    pub endpoint: String,
    /// The node's name, for example `c1-1`.
    pub name: String,
    /// The network.
    pub network_id: NetworkId,
    /// The committee: its vote keys stand in the JSON of blocks.
    pub topology: Topology,
    /// The transaction families that the node executes.
    pub families: Vec<FamilyDescription>,
}

/// Tells what changes while the node runs.
pub trait StatusSource: Send + Sync + 'static {
    /// The node's status now.
    fn status(&self) -> NodeStatus;

    /// Why the node does not take part in its network, if so.
    fn fault(&self) -> Option<String>;

    /// Why the node takes no batches now, if so: a fault, or too few validators are heard. It is what
    /// [`BatchIntake`] refuses them with.
    fn not_ready(&self) -> Option<String>;

    /// What went over the links to the other validators since the node started.
    fn traffic(&self) -> Traffic;

    /// The files of the ledger.
    fn files(&self) -> Vec<FileUse>;

    /// Bytes that are free on the disk of these files; `None` when the file system does not tell.
    fn disk_free_bytes(&self) -> Option<u64>;
}

/// The part of `GET /status` that changes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeStatus {
    /// The links to the other validators, in the topology's order.
    pub links: Vec<Link>,
    /// The node's clock, milliseconds since 1970.
    pub time_ms: u64,
    /// The view that consensus is in.
    pub view: u64,
    /// The validator that leads it.
    pub leader: ValidatorId,
    /// What the node does in it.
    pub role: Role,
    /// Height of the highest block that this node knows to be final, whether it holds the block or not.
    pub final_height: u64,
    /// Votes that decide.
    pub quorum: u32,
    /// Batches that wait in the pool.
    pub pool_batches: usize,
    /// Their bytes.
    pub pool_bytes: usize,
    /// How long the oldest of them waits that may go into a block, milliseconds.
    pub pool_oldest_ms: Option<u64>,
    /// How catching up goes, if the node lags.
    pub catching_up: Option<CatchingUp>,
    /// Whether the node may vote.
    pub duty: Duty,
    /// Validators heard lately, this one included.
    pub heard: usize,
    /// Whether these are enough to decide anything.
    pub is_quorum_heard: bool,
    /// Validators that are proven to have lied.
    pub offenders: Vec<Offender>,
}

impl NodeStatus {
    /// Endpoints of the peers connected now.
    pub(crate) fn peers(&self) -> impl Iterator<Item = &str> {
        self.links.iter().filter(|link| link.is_up).map(|link| link.endpoint.as_str())
    }

    /// Blocks that are final and not readable here yet, when the newest readable one is at a height.
    pub(crate) fn lag(&self, head: u64) -> u64 {
        self.final_height.saturating_sub(head)
    }
}

/// How catching up goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct CatchingUp {
    /// Blocks committed in a second, since it began.
    pub blocks_per_second: u64,
    /// How long it takes at this rate, if it is known.
    pub remaining_seconds: Option<u64>,
}

/// The link to another validator.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Link {
    /// The validator.
    pub validator: ValidatorId,
    /// Where it is reached, for example `tcp://127.0.0.1:8102`.
    pub endpoint: String,
    /// Whether the link is up.
    pub is_up: bool,
    /// Why it is not, in words, if that is known.
    pub trouble: Option<String>,
    /// What the validator last told of itself, while the link is up.
    pub heartbeat: Option<Heartbeat>,
}

/// What a validator tells of itself every second.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Heartbeat {
    /// The height of its newest decided block.
    pub final_height: u64,
    /// How far its clock was ahead of this node's, milliseconds; the way here included.
    pub clock_offset_ms: i64,
}

/// What went over all links together. A frame holds one message or some batches.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Traffic {
    /// Frames sent.
    pub sent_frames: u64,
    /// Their bytes.
    pub sent_bytes: u64,
    /// Frames received.
    pub received_frames: u64,
    /// Their bytes.
    pub received_bytes: u64,
    /// Frames that were not sent: their peer did not take them fast enough.
    pub dropped_frames: u64,
}

/// Whether a node may vote, as its rollback guard sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Duty {
    /// It votes.
    Votes,
    /// It has just started and asks its peers what they know of it.
    Asks,
    /// It may have forgotten votes and signs nothing until its peers have told how far.
    Forgot,
    /// It may have voted in the present view and forgotten it, so it is silent there.
    Silent,
    /// It has not the block yet that its network went back to, and catches up.
    Follows,
    /// Its vote store is damaged; it signs nothing until the operator acts.
    Observes,
}

/// A validator that signed two statements which exclude each other.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Offender {
    /// Its place, as in `/topology`.
    pub validator: String,
    /// The view of the first of the two.
    pub view: String,
}

/// What a node does in the present view.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// It proposes.
    Leader,
    /// It votes.
    Validator,
    /// It follows without a vote.
    Observer,
}
