//! What this node tells Prometheus: requests as they are answered, the way of transactions as they go it, everything else as
//! it is when somebody asks.

mod pipeline;
mod standing;

use std::sync::Arc;
use std::time::Duration;

use axum::http::StatusCode;
use ledger_types::ValidatorId;
use prometheus_client::encoding::{EncodeLabelSet, text};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::{Registry, Unit};

use crate::node::ApiState;
pub use pipeline::{Committed, Pipeline, Stage, ViewEnd};
use standing::Standing;

/// The metrics of one node. Labels take values from fixed lists only, so that clients cannot make it grow.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    requests: Family<RequestLabels, Counter>,
    durations: Family<RouteLabels, Histogram, fn() -> Histogram>,
    pipeline: Arc<Pipeline>,
    standing: Standing,
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
struct ValidatorLabels {
    validator: String,
}

/// From a quarter of a millisecond to sixteen seconds.
fn durations() -> Histogram {
    Histogram::new(exponential_buckets(0.000_25, 2.0, 17))
}

impl Default for Metrics {
    /// Those of no network in particular.
    fn default() -> Self {
        Self::new(std::iter::empty())
    }
}

impl Metrics {
    /// The metrics of a node in a network of these validators.
    pub fn new(validators: impl Iterator<Item = ValidatorId>) -> Self {
        let mut registry = Registry::with_prefix("dgt");
        let requests = Family::default();
        let by_route = Family::new_with_constructor(durations as fn() -> Histogram);
        let about = "Requests answered, by route and HTTP status";
        registry.register("http_requests", about, Family::clone(&requests));
        let about = "Time from a request's head to its answer's head, by route";
        registry.register_with_unit("http_request_duration", about, Unit::Seconds, by_route.clone());
        let pipeline = Pipeline::register(&mut registry, validators);
        let standing = Standing::register(&mut registry);
        Self { registry, requests, durations: by_route, pipeline, standing }
    }

    /// What the engine tells of the way of transactions.
    pub fn pipeline(&self) -> Arc<Pipeline> {
        self.pipeline.clone()
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
        self.standing.look(api);
        let mut output = String::new();
        text::encode(&mut output, &self.registry).expect("invariant: writing to a string cannot fail");
        output
    }
}
