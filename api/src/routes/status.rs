//! `/status` and `/peers`: the node itself.

use std::sync::Arc;

use axum::extract::State;
use ledger::reader::Head;
use ledger_types::{BlockId, NetworkId};
use serde::Serialize;

use crate::call::Call;
use crate::envelope::Envelope;
use crate::error::ApiResult;
use crate::node::{CatchingUp, Duty, Link, NodeDescription, NodeStatus, Offender, Role};
use crate::shared::Shared;

/// `GET /peers`.
pub(crate) async fn peers(State(shared): State<Arc<Shared>>, call: Call) -> ApiResult {
    let status = shared.api.status.status();
    Ok(Envelope::data(status.peers().collect::<Vec<_>>()).link(call.link(&[])).ok())
}

/// `GET /status`. Upstream answers with `endpoint` and `peers`; what is ours stands in `node`.
pub(crate) async fn status(State(shared): State<Arc<Shared>>, call: Call) -> ApiResult {
    // The status first: what is committed after it cannot make a node that keeps up look as if it lagged.
    let status = shared.api.status.status();
    let shape = StatusShape {
        endpoint: &shared.api.description.endpoint,
        node: NodeShape::of(
            &status,
            shared.api.status.fault(),
            shared.api.reader.head(),
            &shared.api.description,
        ),
        peers: status.peers().map(|endpoint| PeerShape { endpoint }).collect(),
    };
    Ok(Envelope::data(shape).link(call.link(&[])).ok())
}

#[derive(Serialize)]
struct StatusShape<'a> {
    endpoint: &'a str,
    node: NodeShape<'a>,
    peers: Vec<PeerShape<'a>>,
}

/// As everywhere, 64-bit numbers are strings.
#[derive(Serialize)]
struct NodeShape<'a> {
    catching_up: Option<CatchingUp>,
    duty: Duty,
    /// Why the node does not take part, if so.
    fault: Option<String>,
    final_height: String,
    head: BlockId,
    heard: usize,
    height: String,
    is_quorum_heard: bool,
    lag: String,
    leader: String,
    links: Vec<LinkShape<'a>>,
    name: &'a str,
    network_id: NetworkId,
    offenders: &'a [Offender],
    pool_batches: usize,
    quorum: u32,
    role: Role,
    time_ms: String,
    validators: usize,
    version: &'static str,
    view: String,
}

impl<'a> NodeShape<'a> {
    fn of(
        status: &'a NodeStatus,
        fault: Option<String>,
        head: Head,
        description: &'a NodeDescription,
    ) -> Self {
        Self {
            catching_up: status.catching_up,
            duty: status.duty,
            fault,
            final_height: status.final_height.max(head.height).to_string(),
            head: head.id,
            heard: status.heard,
            height: head.height.to_string(),
            is_quorum_heard: status.is_quorum_heard,
            lag: status.lag(head.height).to_string(),
            leader: status.leader.to_string(),
            links: status.links.iter().map(LinkShape::of).collect(),
            name: &description.name,
            network_id: description.network_id,
            offenders: &status.offenders,
            pool_batches: status.pool_batches,
            quorum: status.quorum,
            role: status.role,
            time_ms: status.time_ms.to_string(),
            validators: description.topology.validators().count(),
            version: env!("CARGO_PKG_VERSION"),
            view: status.view.to_string(),
        }
    }
}

#[derive(Serialize)]
struct LinkShape<'a> {
    /// How far the validator's clock is ahead of this node's, milliseconds, while the link is up.
    clock_offset_ms: Option<i64>,
    endpoint: &'a str,
    is_up: bool,
    trouble: Option<&'a str>,
    validator: String,
}

impl<'a> LinkShape<'a> {
    fn of(link: &'a Link) -> Self {
        Self {
            clock_offset_ms: link.heartbeat.map(|heartbeat| heartbeat.clock_offset_ms),
            endpoint: &link.endpoint,
            is_up: link.is_up,
            trouble: link.trouble.as_deref(),
            validator: link.validator.to_string(),
        }
    }
}

#[derive(Serialize)]
struct PeerShape<'a> {
    endpoint: &'a str,
}
