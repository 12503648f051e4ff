//! `/status` and `/peers`: the node itself.

use std::sync::Arc;

use axum::extract::State;
use ledger_types::{BlockId, NetworkId};
use serde::Serialize;

use crate::call::Call;
use crate::envelope::Envelope;
use crate::error::ApiResult;
use crate::node::{Duty, Offender, Role};
use crate::shared::Shared;

/// `GET /peers`.
pub(crate) async fn peers(State(shared): State<Arc<Shared>>, call: Call) -> ApiResult {
    Ok(Envelope::data(shared.api.status.status().peers).link(call.link(&[])).ok())
}

/// `GET /status`. Upstream answers with `endpoint` and `peers`; what is ours stands in `node`.
pub(crate) async fn status(State(shared): State<Arc<Shared>>, call: Call) -> ApiResult {
    let (status, description) = (shared.api.status.status(), &shared.api.description);
    let head = shared.api.reader.head();
    let shape = StatusShape {
        endpoint: &description.endpoint,
        node: NodeShape {
            duty: status.duty,
            head: head.id,
            heard: status.heard,
            height: head.height.to_string(),
            name: &description.name,
            network_id: description.network_id,
            offenders: status.offenders,
            pool_batches: status.pool_batches,
            quorum: status.quorum,
            role: status.role,
            validators: description.topology.validators().count(),
            view: status.view.to_string(),
        },
        peers: status.peers.into_iter().map(|endpoint| PeerShape { endpoint }).collect(),
    };
    Ok(Envelope::data(shape).link(call.link(&[])).ok())
}

#[derive(Serialize)]
struct StatusShape<'a> {
    endpoint: &'a str,
    node: NodeShape<'a>,
    peers: Vec<PeerShape>,
}

/// As everywhere, 64-bit numbers are strings.
#[derive(Serialize)]
struct NodeShape<'a> {
    duty: Duty,
    head: BlockId,
    heard: usize,
    height: String,
    name: &'a str,
    network_id: NetworkId,
    offenders: Vec<Offender>,
    pool_batches: usize,
    quorum: u32,
    role: Role,
    validators: usize,
    view: String,
}

#[derive(Serialize)]
struct PeerShape {
    endpoint: String,
}
