//! What this node tells Prometheus: requests as they are answered, everything else as it is when somebody asks.

use std::sync::atomic::Ordering;
use std::time::Duration;

use axum::http::StatusCode;
use prometheus_client::encoding::{EncodeLabelSet, text};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::{Registry, Unit};

use crate::node::{ApiState, Traffic};

/// The metrics of one node. Labels take values from fixed lists only, so that clients cannot make it grow.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    requests: Family<RequestLabels, Counter>,
    durations: Family<RouteLabels, Histogram, fn() -> Histogram>,
    head_height: Gauge,
    view: Gauge,
    is_ready: Gauge,
    pool_batches: Gauge,
    lag: Gauge,
    links: Gauge,
    links_up: Gauge,
    validators_heard: Gauge,
    is_quorum_heard: Gauge,
    offenders: Gauge,
    sent_frames: Counter,
    sent_bytes: Counter,
    received_frames: Counter,
    received_bytes: Counter,
    dropped_frames: Counter,
    store_bytes: Family<FileLabels, Gauge>,
    store_map_bytes: Family<FileLabels, Gauge>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RequestLabels {
    route: String,
    code: u16,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RouteLabels {
    route: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct FileLabels {
    file: String,
}

/// From a quarter of a millisecond to eight seconds.
fn durations() -> Histogram {
    Histogram::new(exponential_buckets(0.000_25, 2.0, 16))
}

impl Default for Metrics {
    fn default() -> Self {
        let mut metrics = Self {
            registry: Registry::with_prefix("dgt"),
            requests: Family::default(),
            durations: Family::new_with_constructor(durations),
            head_height: Gauge::default(),
            view: Gauge::default(),
            is_ready: Gauge::default(),
            pool_batches: Gauge::default(),
            lag: Gauge::default(),
            links: Gauge::default(),
            links_up: Gauge::default(),
            validators_heard: Gauge::default(),
            is_quorum_heard: Gauge::default(),
            offenders: Gauge::default(),
            sent_frames: Counter::default(),
            sent_bytes: Counter::default(),
            received_frames: Counter::default(),
            received_bytes: Counter::default(),
            dropped_frames: Counter::default(),
            store_bytes: Family::default(),
            store_map_bytes: Family::default(),
        };
        metrics.register();
        metrics
    }
}

impl Metrics {
    fn register(&mut self) {
        let registry = &mut self.registry;
        let requests = "Requests answered, by route and HTTP status";
        registry.register("http_requests", requests, self.requests.clone());
        let durations = "Time from a request's head to its answer's head, by route";
        registry.register_with_unit(
            "http_request_duration",
            durations,
            Unit::Seconds,
            self.durations.clone(),
        );
        for (name, help, gauge) in [
            ("head_height", "Height of the newest readable block", &self.head_height),
            ("lag_blocks", "Blocks that are final and not readable here yet", &self.lag),
            ("view", "View that consensus is in", &self.view),
            ("ready", "Whether the node takes batches", &self.is_ready),
            ("pool_batches", "Batches that wait in the pool", &self.pool_batches),
            ("links", "Links to the other validators, up or down", &self.links),
            ("links_up", "Links to the other validators that are up", &self.links_up),
            ("validators_heard", "Validators heard lately, this one included", &self.validators_heard),
            ("quorum_heard", "Whether these are enough to decide anything", &self.is_quorum_heard),
            ("offenders", "Validators that are proven to have lied", &self.offenders),
        ] {
            registry.register(name, help, gauge.clone());
        }
        for (name, help, counter) in [
            ("network_sent_frames", "Frames sent to other validators", &self.sent_frames),
            ("network_sent_bytes", "Bytes of these", &self.sent_bytes),
            ("network_received_frames", "Frames received from other validators", &self.received_frames),
            ("network_received_bytes", "Bytes of these", &self.received_bytes),
            ("network_dropped_frames", "Frames that a slow validator did not take", &self.dropped_frames),
        ] {
            registry.register(name, help, counter.clone());
        }
        let (size, map) = ("Size of a file of the ledger", "Size that a file of the ledger may grow to");
        registry.register_with_unit("store", size, Unit::Bytes, self.store_bytes.clone());
        registry.register_with_unit("store_map", map, Unit::Bytes, self.store_map_bytes.clone());
    }

    /// Counts an answer. `route` is a route of the router, never the path that the client sent.
    pub(crate) fn count(&self, route: &str, status: StatusCode, duration: Duration) {
        let labels = RequestLabels { route: route.to_owned(), code: status.as_u16() };
        self.requests.get_or_create(&labels).inc();
        self.durations
            .get_or_create(&RouteLabels { route: route.to_owned() })
            .observe(duration.as_secs_f64());
    }

    /// Takes over what the links have counted.
    fn set_traffic(&self, traffic: Traffic) {
        for (counter, value) in [
            (&self.sent_frames, traffic.sent_frames),
            (&self.sent_bytes, traffic.sent_bytes),
            (&self.received_frames, traffic.received_frames),
            (&self.received_bytes, traffic.received_bytes),
            (&self.dropped_frames, traffic.dropped_frames),
        ] {
            counter.inner().store(value, Ordering::Relaxed);
        }
    }

    /// The OpenMetrics text.
    pub(crate) fn encode(&self, api: &ApiState) -> String {
        let status = api.status.status();
        let set = |gauge: &Gauge, value: u64| _ = gauge.set(i64::try_from(value).unwrap_or(i64::MAX));
        let height = api.reader.head().height;
        set(&self.head_height, height);
        set(&self.view, status.view);
        set(&self.is_ready, u64::from(api.status.not_ready().is_none()));
        set(&self.pool_batches, status.pool_batches as u64);
        set(&self.lag, status.lag(height));
        set(&self.links, status.links.len() as u64);
        set(&self.links_up, status.peers().count() as u64);
        set(&self.validators_heard, status.heard as u64);
        set(&self.is_quorum_heard, u64::from(status.is_quorum_heard));
        set(&self.offenders, status.offenders.len() as u64);
        self.set_traffic(api.status.traffic());
        for file in api.status.files() {
            let labels = FileLabels { file: file.name };
            set(&self.store_bytes.get_or_create(&labels), file.bytes);
            set(&self.store_map_bytes.get_or_create(&labels), file.map_bytes);
        }
        let mut output = String::new();
        text::encode(&mut output, &self.registry).expect("invariant: writing to a string cannot fail");
        output
    }
}
