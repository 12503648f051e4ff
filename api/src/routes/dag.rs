//! `/dag`, `/dag/{id}` and `/graph`: the chain as a graph of blocks. It has a single branch, since no block is shown
//! before it is final.

use std::fmt::Write as _;
use std::sync::Arc;

use axum::extract::State;
use axum::http::header::{CONTENT_TYPE, HeaderValue};
use axum::response::IntoResponse as _;
use ledger::reader::ReadError;
use ledger_types::{BlockHeader, BlockId, Hash};
use serde::Serialize;

use crate::call::Call;
use crate::envelope::Envelope;
use crate::error::{ApiResult, ErrorKind};
use crate::finality::header_at;
use crate::heights::page_of_heights;
use crate::paging::{Listed, Page};
use crate::shared::{Pin, Shared};

/// Characters of a block's id that a node of the graph shows.
const LABEL_CHARS: usize = 8;

/// `GET /dag`.
pub(crate) async fn list(State(shared): State<Arc<Shared>>, call: Call) -> ApiResult {
    shared
        .heavy(move |shared| {
            let request = call.query.page(&shared.limits)?;
            let pin = shared.pin(call.query.head()?, ErrorKind::HeadNotFound)?;
            let order = call.query.order("block_num")?;
            let page = page_of_heights(pin, order, &request, |height| Vertex::at(shared, height, pin))?;
            let shapes = page.items().iter().map(VertexShape::of).collect();
            Ok(page.respond(shapes, &call, &request, pin.id))
        })
        .await
}

/// `GET /dag/{id}`.
pub(crate) async fn fetch(State(shared): State<Arc<Shared>>, call: Call) -> ApiResult {
    let id = call.path_id()?;
    let pin = shared.pin(call.query.head()?, ErrorKind::HeadNotFound)?;
    let height = shared.api.reader.height_of(&id)?.filter(|height| *height <= pin.height);
    let vertex = Vertex::at(&shared, height.ok_or(ErrorKind::BlockNotFound)?, pin)?;
    let link = call.link(&[("head", &pin.id.to_string())]);
    Ok(Envelope::data(VertexShape::of(&vertex)).head(pin.id).link(link).ok())
}

/// `GET /graph`: a page of the chain as Graphviz text.
pub(crate) async fn graph(State(shared): State<Arc<Shared>>, call: Call) -> ApiResult {
    shared
        .heavy(move |shared| {
            let request = call.query.page(&shared.limits)?;
            let pin = shared.pin(call.query.head()?, ErrorKind::HeadNotFound)?;
            let order = call.query.order("block_num")?;
            let page = page_of_heights(pin, order, &request, |height| Vertex::at(shared, height, pin))?;
            let content_type = HeaderValue::from_static("text/vnd.graphviz; charset=utf-8");
            Ok(([(CONTENT_TYPE, content_type)], graphviz(&page)).into_response())
        })
        .await
}

fn graphviz(page: &Page<Vertex>) -> String {
    let mut text = String::from("digraph chain {\n  rankdir=RL;\n  node [shape=box, fontname=monospace];\n");
    let label = |id: &BlockId| id.to_string().chars().take(LABEL_CHARS).collect::<String>();
    for vertex in page.items() {
        let (height, id) = (vertex.header.height, &vertex.id);
        // Writing to a string cannot fail.
        let _ = writeln!(text, "  \"{id}\" [label=\"{height}\\n{}\"];", label(id));
        if height > 0 {
            let _ = writeln!(text, "  \"{id}\" -> \"{}\";", vertex.header.parent);
        }
    }
    text.push_str("}\n");
    text
}

/// A block's place in the graph.
struct Vertex {
    id: BlockId,
    header: BlockHeader,
    child: Option<BlockId>,
}

impl Vertex {
    fn at(shared: &Shared, height: u64, pin: Pin) -> Result<Self, ReadError> {
        let reader = &shared.api.reader;
        let header = header_at(reader, height)?;
        let child = if height < pin.height { reader.block_id(height + 1)? } else { None };
        Ok(Self { id: header.id(), header, child })
    }
}

impl Listed for Vertex {
    fn position(&self) -> String {
        format!("{:#018x}", self.header.height)
    }

    fn content_bytes(&self) -> usize {
        size_of::<Self>()
    }
}

#[derive(Serialize)]
struct VertexShape {
    block_num: String,
    children: Vec<BlockId>,
    entries: u32,
    id: BlockId,
    parents: Vec<BlockId>,
    proposer: String,
    state_root_hash: Hash,
    time_ms: String,
    transactions: u32,
    view: String,
}

impl VertexShape {
    fn of(vertex: &Vertex) -> Self {
        let header = &vertex.header;
        Self {
            block_num: header.height.to_string(),
            children: vertex.child.into_iter().collect(),
            entries: header.entry_count,
            id: vertex.id,
            parents: if header.height == 0 { Vec::new() } else { vec![header.parent] },
            proposer: header.proposer.to_string(),
            state_root_hash: header.state_root,
            time_ms: header.time_ms.to_string(),
            transactions: header.receipt_count,
            view: header.view.to_string(),
        }
    }
}
