//! What this node tells Prometheus: requests as they are answered, everything else as it is when somebody asks.

use std::time::Duration;

use axum::http::StatusCode;
use prometheus_client::encoding::{EncodeLabelSet, text};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::{Registry, Unit};

use crate::node::ApiState;

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
    peers: Gauge,
    validators_heard: Gauge,
    offenders: Gauge,
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
            peers: Gauge::default(),
            validators_heard: Gauge::default(),
            offenders: Gauge::default(),
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
        registry.register("head_height", "Height of the newest readable block", self.head_height.clone());
        registry.register("view", "View that consensus is in", self.view.clone());
        registry.register("ready", "Whether the node takes part in its network", self.is_ready.clone());
        registry.register("pool_batches", "Batches that wait in the pool", self.pool_batches.clone());
        registry.register("peers", "Peers connected", self.peers.clone());
        let heard = "Validators heard lately, this one included";
        registry.register("validators_heard", heard, self.validators_heard.clone());
        registry.register("offenders", "Validators that are proven to have lied", self.offenders.clone());
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

    /// The OpenMetrics text.
    pub(crate) fn encode(&self, api: &ApiState) -> String {
        let status = api.status.status();
        let set = |gauge: &Gauge, value: u64| _ = gauge.set(i64::try_from(value).unwrap_or(i64::MAX));
        set(&self.head_height, api.reader.head().height);
        set(&self.view, status.view);
        set(&self.is_ready, u64::from(api.status.fault().is_none()));
        set(&self.pool_batches, status.pool_batches as u64);
        set(&self.peers, status.peers.len() as u64);
        set(&self.validators_heard, status.heard as u64);
        set(&self.offenders, status.offenders.len() as u64);
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
