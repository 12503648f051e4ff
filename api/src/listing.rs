//! Lists of what blocks hold: batches and transactions, newest block first and in block order inside a block; the
//! reverse of a list is the reverse in every respect.

use std::fmt::Display;
use std::str::FromStr;
use std::sync::Arc;

use ledger::Reader;
use ledger::reader::ReadError;
use ledger_types::{Batch, BatchId, Block, Transaction, TransactionId};

use crate::error::{ApiResult, ErrorKind};
use crate::paging::{Listed, Page, PageRequest};
use crate::query::Order;
use crate::shared::Pin;

/// Something that stands in a block and has an id.
pub(crate) trait InBlock: Listed + Sized {
    /// Its id.
    type Id: Copy + PartialEq + Display + FromStr;

    /// Its id.
    fn id(&self) -> Self::Id;
    /// All of a block, in block order.
    fn all_of(block: Block) -> Vec<Self>;
    /// The height of the block that holds the id.
    fn height_of(reader: &Reader, id: &Self::Id) -> Result<Option<u64>, ReadError>;
    /// The one with the id.
    fn find(reader: &Reader, id: &Self::Id) -> Result<Option<Self>, ReadError>;
}

/// A page of everything in the blocks up to the pin.
///
/// # Errors
/// 54 when nothing in those blocks has the id that the page is to start with.
pub(crate) fn page_of_chain<T: InBlock>(
    reader: &Reader,
    pin: Pin,
    order: Order,
    request: &PageRequest,
) -> ApiResult<Page<T>> {
    let start = match request.start() {
        None => None,
        Some(text) => Some(place_of_start::<T>(reader, pin, text)?),
    };
    let heights: Box<dyn Iterator<Item = u64>> = match (order, start.map(|(_, height)| height)) {
        (Order::Usual, from) => Box::new((0..=from.unwrap_or(pin.height)).rev()),
        (Order::Reversed, from) => Box::new(from.unwrap_or(0)..=pin.height),
    };
    let items = heights.flat_map(|height| items_at::<T>(reader, height, order));
    let start = start.map(|(id, _)| id);
    let from_start =
        items.skip_while(|item| matches!((item, start), (Ok(item), Some(start)) if item.id() != start));
    Ok(Page::collect(from_start, request)?)
}

fn place_of_start<T: InBlock>(reader: &Reader, pin: Pin, text: &str) -> ApiResult<(T::Id, u64)> {
    let id: T::Id = text.parse().map_err(|_| ErrorKind::PagingInvalid)?;
    let height = T::height_of(reader, &id)?.filter(|height| *height <= pin.height);
    Ok((id, height.ok_or(ErrorKind::PagingInvalid)?))
}

fn items_at<T: InBlock>(reader: &Reader, height: u64, order: Order) -> Vec<Result<T, ReadError>> {
    match block_at(reader, height) {
        Ok(block) => {
            let mut items: Vec<_> = T::all_of(block).into_iter().map(Ok).collect();
            if order == Order::Reversed {
                items.reverse();
            }
            items
        }
        Err(error) => vec![Err(error)],
    }
}

/// A page of those with the ids, in the client's order; what is unknown or above the pin is left out.
///
/// # Errors
/// 54 when the page is to start with an id that is not among them.
pub(crate) fn page_of_ids<T: InBlock>(
    reader: &Reader,
    ids: &[T::Id],
    pin: Pin,
    order: Order,
    request: &PageRequest,
) -> ApiResult<Page<T>> {
    let mut present = Vec::with_capacity(ids.len());
    for id in ids {
        if T::height_of(reader, id)?.is_some_and(|height| height <= pin.height) {
            present.push(*id);
        }
    }
    if present.is_empty() {
        return Ok(Page::empty());
    }
    if order == Order::Reversed {
        present.reverse();
    }
    let from = match request.start() {
        None => 0,
        Some(start) => {
            present.iter().position(|id| id.to_string() == start).ok_or(ErrorKind::PagingInvalid)?
        }
    };
    let items = present.into_iter().skip(from).map(|id| T::find(reader, &id)?.ok_or_else(|| missing(&id)));
    Ok(Page::collect(items, request)?)
}

/// The block at a height that is not above the head.
///
/// # Errors
/// When it cannot be read.
pub(crate) fn block_at(reader: &Reader, height: u64) -> Result<Block, ReadError> {
    reader.block(height)?.ok_or_else(|| missing(&format_args!("block {height}")))
}

/// What an index names must be there: committed data is never taken away.
fn missing(what: &dyn Display) -> ReadError {
    ReadError::damaged("block", what.to_string(), "missing although it is committed")
}

impl Listed for Batch {
    fn position(&self) -> String {
        self.id.to_string()
    }

    fn content_bytes(&self) -> usize {
        self.encoded_len()
    }
}

impl InBlock for Batch {
    type Id = BatchId;

    fn id(&self) -> BatchId {
        self.id
    }

    fn all_of(block: Block) -> Vec<Self> {
        block
            .entries
            .into_iter()
            .filter_map(|entry| match entry {
                ledger_types::Entry::Batch(batch) => Some(Arc::unwrap_or_clone(batch)),
                ledger_types::Entry::Rejection(_) => None,
            })
            .collect()
    }

    fn height_of(reader: &Reader, id: &BatchId) -> Result<Option<u64>, ReadError> {
        Ok(reader.batch_place(id)?.map(|place| place.height))
    }

    fn find(reader: &Reader, id: &BatchId) -> Result<Option<Self>, ReadError> {
        reader.batch(id)
    }
}

impl Listed for Transaction {
    fn position(&self) -> String {
        self.id.to_string()
    }

    fn content_bytes(&self) -> usize {
        self.header_bytes.len() + self.payload.len()
    }
}

impl InBlock for Transaction {
    type Id = TransactionId;

    fn id(&self) -> TransactionId {
        self.id
    }

    fn all_of(block: Block) -> Vec<Self> {
        Batch::all_of(block).into_iter().flat_map(|batch| batch.transactions).collect()
    }

    fn height_of(reader: &Reader, id: &TransactionId) -> Result<Option<u64>, ReadError> {
        Ok(reader.transaction_place(id)?.map(|place| place.batch.height))
    }

    fn find(reader: &Reader, id: &TransactionId) -> Result<Option<Self>, ReadError> {
        reader.transaction(id)
    }
}
