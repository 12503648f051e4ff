//! `/blocks`: list, one.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use ledger_types::{Block, BlockId};

use crate::call::Call;
use crate::envelope::Envelope;
use crate::error::{ApiResult, ErrorKind};
use crate::listing::block_at;
use crate::paging::{Listed, Page, PageRequest};
use crate::query::Order;
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
                None => page_of_heights(shared, pin, call.query.order("block_num")?, &request)?,
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

/// # Errors
/// 54 when the page is to start above the pin.
fn page_of_heights(shared: &Shared, pin: Pin, order: Order, request: &PageRequest) -> ApiResult<Page<Block>> {
    let start = request.start().map(|text| parse_height(text).filter(|height| *height <= pin.height));
    if start == Some(None) {
        return Err(ErrorKind::PagingInvalid.into());
    }
    let heights: Box<dyn Iterator<Item = u64>> = match (order, start.flatten()) {
        (Order::Usual, from) => Box::new((0..=from.unwrap_or(pin.height)).rev()),
        (Order::Reversed, from) => Box::new(from.unwrap_or(0)..=pin.height),
    };
    Ok(Page::collect(heights.map(|height| block_at(&shared.api.reader, height)), request)?)
}

/// A height as `0x` and up to 16 hex digits.
fn parse_height(text: &str) -> Option<u64> {
    let digits = text.strip_prefix("0x").filter(|digits| !digits.starts_with('+'))?;
    u64::from_str_radix(digits, 16).ok()
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
    Ok(Envelope::data(shape).link(call.link(&[])).ok())
}

#[cfg(test)]
mod tests {
    use super::parse_height;

    #[test]
    fn a_height_is_hex_behind_0x() {
        assert_eq!(parse_height("0x00000000000000ff"), Some(255));
        assert_eq!(parse_height("0xffffffffffffffff"), Some(u64::MAX));
        for bad in ["", "0x", "3", "0x+3", "0x-3", "0x1ffffffffffffffff", "0xg", "0X3"] {
            assert_eq!(parse_height(bad), None, "{bad}");
        }
    }
}
