//! Where the node stands when somebody asks.

use std::sync::atomic::{AtomicU64, Ordering};

use ledger_types::NetworkId;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::{Registry, Unit};

use super::ValidatorLabels;
use crate::node::{ApiState, Duty, NodeDescription, NodeStatus, Traffic};

/// What a look at the node finds.
struct View {
    status: NodeStatus,
    traffic: Traffic,
    height: u64,
    is_ready: bool,
    has_fault: bool,
    validators: usize,
    disk_free_bytes: Option<u64>,
}

/// A metric's name without prefix, its help, and its value.
type Read<T> = (&'static str, &'static str, fn(&View) -> T);

/// A value that may be unknown: then its metric keeps the last one.
const GAUGES: &[Read<Option<u64>>] = &[
    ("head_height", "Height of the newest readable block", |it| Some(it.height)),
    ("final_height", "Height of the highest block known to be final", |it| {
        Some(it.status.final_height.max(it.height))
    }),
    ("lag_blocks", "Blocks that are final and not readable here yet", |it| Some(it.status.lag(it.height))),
    ("view", "View that consensus is in", |it| Some(it.status.view)),
    ("ready", "Whether the node takes batches", |it| Some(it.is_ready.into())),
    ("fault", "Whether the node had to stop taking part", |it| Some(it.has_fault.into())),
    ("votes", "Whether the node may vote", |it| {
        Some(matches!(it.status.duty, Duty::Votes | Duty::Silent).into())
    }),
    ("pool_batches", "Batches that wait in the pool", |it| Some(it.status.pool_batches as u64)),
    ("links", "Links to the other validators, up or down", |it| Some(it.status.links.len() as u64)),
    ("links_up", "Links to the other validators that are up", |it| Some(it.status.peers().count() as u64)),
    ("validators", "Validators of the network", |it| Some(it.validators as u64)),
    ("quorum", "Validators that must vote to decide", |it| Some(it.status.quorum.into())),
    ("validators_heard", "Validators heard lately, this one included", |it| Some(it.status.heard as u64)),
    ("quorum_heard", "Whether these are enough to decide anything", |it| {
        Some(it.status.is_quorum_heard.into())
    }),
    ("offenders", "Validators that are proven to have lied", |it| Some(it.status.offenders.len() as u64)),
];

/// Sizes, bytes.
const SIZES: &[Read<Option<u64>>] = &[
    ("pool", "Size of the batches that wait in the pool", |it| Some(it.status.pool_bytes as u64)),
    ("disk_free", "Room on the disk of the ledger's files", |it| it.disk_free_bytes),
    ("memory", "Memory that the process holds", |_| memory_bytes()),
];

const COUNTERS: &[Read<u64>] = &[
    ("network_sent_frames", "Frames sent to other validators", |it| it.traffic.sent_frames),
    ("network_sent_bytes", "Bytes of these", |it| it.traffic.sent_bytes),
    ("network_received_frames", "Frames received from other validators", |it| it.traffic.received_frames),
    ("network_received_bytes", "Bytes of these", |it| it.traffic.received_bytes),
    ("network_dropped_frames", "Frames that a slow validator did not take", |it| it.traffic.dropped_frames),
];

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct FileLabels {
    file: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct NodeLabels {
    validator: String,
    network_id: String,
    version: &'static str,
}

type Seconds = Gauge<f64, AtomicU64>;

/// Gauges and counters that are set when somebody asks.
#[derive(Debug)]
pub(super) struct Standing {
    gauges: Vec<Gauge>,
    sizes: Vec<Gauge>,
    counters: Vec<Counter>,
    pool_oldest: Seconds,
    store_bytes: Family<FileLabels, Gauge>,
    store_map_bytes: Family<FileLabels, Gauge>,
    link_up: Family<ValidatorLabels, Gauge>,
    peer_final_height: Family<ValidatorLabels, Gauge>,
    peer_clock_offset: Family<ValidatorLabels, Seconds>,
    node: Family<NodeLabels, Gauge>,
}

impl Standing {
    pub(super) fn register(registry: &mut Registry) -> Self {
        let gauge = |(name, help, _): &Read<_>, registry: &mut Registry| {
            let gauge = Gauge::<i64>::default();
            registry.register(*name, *help, gauge.clone());
            gauge
        };
        let size = |(name, help, _): &Read<_>, registry: &mut Registry| {
            let gauge = Gauge::<i64>::default();
            registry.register_with_unit(*name, *help, Unit::Bytes, gauge.clone());
            gauge
        };
        let counter = |(name, help, _): &Read<_>, registry: &mut Registry| {
            let counter = Counter::<u64>::default();
            registry.register(*name, *help, counter.clone());
            counter
        };
        let standing = Self {
            gauges: GAUGES.iter().map(|read| gauge(read, registry)).collect(),
            sizes: SIZES.iter().map(|read| size(read, registry)).collect(),
            counters: COUNTERS.iter().map(|read| counter(read, registry)).collect(),
            pool_oldest: Seconds::default(),
            store_bytes: Family::default(),
            store_map_bytes: Family::default(),
            link_up: Family::default(),
            peer_final_height: Family::default(),
            peer_clock_offset: Family::default(),
            node: Family::default(),
        };
        let about = "How long the oldest batch waits that may go into a block; 0 without one";
        registry.register_with_unit("pool_oldest", about, Unit::Seconds, standing.pool_oldest.clone());
        let (size, map) = ("Size of a file of the ledger", "Size that a file of the ledger may grow to");
        registry.register_with_unit("store", size, Unit::Bytes, standing.store_bytes.clone());
        registry.register_with_unit("store_map", map, Unit::Bytes, standing.store_map_bytes.clone());
        registry.register("link_up", "Whether the link to a validator is up", standing.link_up.clone());
        let about = "Height of a validator's newest decided block, as it last told";
        registry.register("peer_final_height", about, standing.peer_final_height.clone());
        let about = "How far a validator's clock is ahead of this node's, the way here included";
        registry.register_with_unit(
            "peer_clock_offset",
            about,
            Unit::Seconds,
            standing.peer_clock_offset.clone(),
        );
        registry.register("node", "Always 1; which node this is", standing.node.clone());
        standing
    }

    /// Sets everything to what is now.
    pub(super) fn look(&self, api: &ApiState) {
        let source = &api.status;
        let view = View {
            status: source.status(),
            traffic: source.traffic(),
            height: api.reader.head().height,
            is_ready: source.not_ready().is_none(),
            has_fault: source.fault().is_some(),
            validators: api.description.topology.validators().count(),
            disk_free_bytes: source.disk_free_bytes(),
        };
        for (table, gauges) in [(GAUGES, &self.gauges), (SIZES, &self.sizes)] {
            for ((_, _, read), gauge) in table.iter().zip(gauges) {
                read(&view).into_iter().for_each(|value| set(gauge, value));
            }
        }
        for ((_, _, read), counter) in COUNTERS.iter().zip(&self.counters) {
            counter.inner().store(read(&view), Ordering::Relaxed);
        }
        self.pool_oldest.set(seconds(view.status.pool_oldest_ms.unwrap_or(0)));
        for file in source.files() {
            let labels = FileLabels { file: file.name };
            set(&self.store_bytes.get_or_create(&labels), file.bytes);
            set(&self.store_map_bytes.get_or_create(&labels), file.map_bytes);
        }
        self.look_at_links(&view.status);
        self.node.get_or_create(&labels_of(&api.description)).set(1);
    }

    fn look_at_links(&self, status: &NodeStatus) {
        for link in &status.links {
            let labels = ValidatorLabels { validator: link.validator.to_string() };
            set(&self.link_up.get_or_create(&labels), link.is_up.into());
            match &link.heartbeat {
                Some(heartbeat) => {
                    set(&self.peer_final_height.get_or_create(&labels), heartbeat.final_height);
                    let offset = heartbeat.clock_offset_ms;
                    let ahead = seconds(offset.unsigned_abs()) * if offset < 0 { -1.0 } else { 1.0 };
                    self.peer_clock_offset.get_or_create(&labels).set(ahead);
                }
                // What was said before the link went is not so now.
                None => {
                    self.peer_final_height.remove(&labels);
                    self.peer_clock_offset.remove(&labels);
                }
            }
        }
    }
}

fn set(gauge: &Gauge, value: u64) {
    gauge.set(i64::try_from(value).unwrap_or(i64::MAX));
}

fn labels_of(description: &NodeDescription) -> NodeLabels {
    let network: NetworkId = description.network_id;
    NodeLabels {
        validator: description.name.clone(),
        network_id: network.to_string(),
        version: env!("CARGO_PKG_VERSION"),
    }
}

#[allow(clippy::cast_precision_loss, reason = "times are far below 2^52 ms")]
fn seconds(ms: u64) -> f64 {
    ms as f64 / 1000.0
}

/// What the kernel says; unknown elsewhere than on Linux.
fn memory_bytes() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kib << 10)
}
