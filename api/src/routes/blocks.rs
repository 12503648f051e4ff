//! `/blocks`: list, one.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use ledger_types::{Block, BlockId};

use crate::call::Call;
use crate::envelope::Envelope;
use crate::error::{ApiResult, ErrorKind};
use crate::heights::page_of_heights;
use crate::listing::block_at;
use crate::paging::{Listed, Page, PageRequest};
use crate::shapes::BlockShape;
use crate::shared::{Pin, Shared};

/// `GET /blocks`.
pub(crate) async fn list(State(shared): State<Arc<Shared>>, call: Call) -> ApiResult {
    shared
        .heavy(move |shared| {
            let request = call.query.page(&shared.limits)?;
            let head = call.query.head()?;
            let ids = call.query.ids::<BlockId>(&shared.limits)?;
            let pin = shared.pin(head, ErrorKind::HeadNotFound)?;
            let page = match ids {
                Some(ids) => blocks_of_ids(shared, &ids, pin, &request)?,
                None => {
                    let order = call.query.order("block_num")?;
                    page_of_heights(pin, order, &request, |height| block_at(&shared.api.reader, height))?
                }
            };
            respond(shared, &page, &call, &request, pin)
        })
        .await
}

fn respond(
    shared: &Shared,
    page: &Page<Block>,
    call: &Call,
    request: &PageRequest,
    pin: Pin,
) -> ApiResult<Response> {
    let topology = &shared.api.description.topology;
    let shapes =
        page.items().iter().map(|block| BlockShape::of(block, topology)).collect::<ApiResult<Vec<_>>>()?;
    Ok(page.respond(shapes, call, request, pin.id))
}

/// The blocks with the ids, in the client's order and unpaged as upstream; unknown ones are left out.
///
/// # Errors
/// 103 when together they are larger than a page may be.
fn blocks_of_ids(
    shared: &Shared,
    ids: &[BlockId],
    pin: Pin,
    request: &PageRequest,
) -> ApiResult<Page<Block>> {
    let (mut blocks, mut bytes) = (Vec::new(), 0_usize);
    for id in ids {
        let Some(height) = shared.api.reader.height_of(id)?.filter(|height| *height <= pin.height) else {
            continue;
        };
        let block = block_at(&shared.api.reader, height)?;
        bytes = bytes.saturating_add(block.content_bytes());
        if bytes > request.bytes() && !blocks.is_empty() {
            return Err(ErrorKind::AnswerTooLarge.into());
        }
        blocks.push(block);
    }
    Ok(Page::whole(blocks))
}

impl Listed for Block {
    fn position(&self) -> String {
        format!("{:#018x}", self.header.height)
    }

    fn content_bytes(&self) -> usize {
        self.batches().map(ledger_types::Batch::encoded_len).sum()
    }
}

/// `GET /blocks/{id}`.
pub(crate) async fn fetch(State(shared): State<Arc<Shared>>, call: Call) -> ApiResult {
    let id = call.path_id()?;
    let height = shared.api.reader.height_of(&id)?.ok_or(ErrorKind::BlockNotFound)?;
    let block = block_at(&shared.api.reader, height)?;
    let shape = BlockShape::of(&block, &shared.api.description.topology)?;
    Ok(Envelope::data(shape).link(call.link(&[])).ok_for_ever())
}
