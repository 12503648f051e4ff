//! The node's REST interface: the routes, envelopes and errors that clients of Hyperledger Sawtooth 1.x know.
//!
//! It knows REST and committed data, nothing of consensus: batches go to a [`BatchIntake`], everything else is read
//! through [`ledger::Reader`]. What a client can make this crate hold or do is bounded by [`ApiLimits`].
//!
//! One answer is made in four steps: `call` reads the request line and headers, a handler in `routes` reads the
//! ledger, `shapes` says how values look in JSON, `envelope` writes them as Python's `json.dumps` does.
#![forbid(unsafe_code)]

mod admin;
mod answers;
mod body;
mod call;
mod closing;
mod connection;
mod cors;
mod deltas;
mod envelope;
mod error;
mod finality;
mod heights;
mod intake;
mod json;
mod limits;
mod link;
mod listing;
mod metrics;
mod node;
mod openapi;
mod paging;
mod query;
pub mod render;
mod router;
mod routes;
mod shapes;
mod shared;
mod tls;
mod wire;

pub use admin::{LogLevels, admin_router};
pub use connection::serve;
pub use finality::FinalitySource;
pub use intake::{BatchIntake, IntakeError, Submission};
pub use limits::{ApiLimits, Cors};
pub use metrics::{Committed, Metrics, Pipeline, Stage, ViewEnd};
pub use node::{
    ApiState, CatchingUp, Duty, Heartbeat, Link, NodeDescription, NodeStatus, Offender, Role, StatusSource,
    Traffic,
};
pub use router::router;
pub use tls::{Tls, TlsError};
