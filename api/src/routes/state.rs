//! `/state`: values by prefix, and one.

use std::sync::Arc;

use axum::extract::State;
use bytes::Bytes;
use ledger::reader::{ReadError, StateQuery};
use ledger_types::{Address, AddressPrefix};

use crate::call::Call;
use crate::envelope::Envelope;
use crate::error::{ApiResult, ErrorKind};
use crate::paging::{Listed, Page, PageRequest};
use crate::query::Order;
use crate::routes::proofs;
use crate::shapes::{Base64, StateShape};
use crate::shared::Shared;

/// Values read from the ledger at a time: a value may have 1 MiB, and a page may end early.
const CHUNK: usize = 16;

type Value = (Address, Bytes);

/// `GET /state`.
pub(crate) async fn list(State(shared): State<Arc<Shared>>, call: Call) -> ApiResult {
    shared
        .heavy(move |shared| {
            let request = call.query.page(&shared.limits)?;
            let pin = shared.pin(call.query.head()?, ErrorKind::BlockNotFound)?;
            let prefix = call.query.get("address").unwrap_or_default().parse();
            let prefix: AddressPrefix = prefix.map_err(|_| ErrorKind::InvalidStateAddress)?;
            let reverse = call.query.order("default")? == Order::Reversed;
            let all = StateQuery { prefix, height: pin.height, start: None, reverse, limit: CHUNK + 1 };
            let page = page_of_values(shared, &all, &request)?;
            let shape =
                |(address, value): &Value| StateShape { address: *address, data: Base64(value.clone()) };
            let shapes = page.items().iter().map(shape).collect();
            Ok(page.respond(shapes, &call, &request, pin.id))
        })
        .await
}

/// # Errors
/// 54 when the page is to start with an address that the list does not have.
fn page_of_values(shared: &Shared, all: &StateQuery, request: &PageRequest) -> ApiResult<Page<Value>> {
    let Some(text) = request.start() else {
        return Ok(Page::collect(Values::of(shared, all.clone()), request)?);
    };
    let start = text.parse::<Address>().ok().filter(|start| all.prefix.covers(start));
    if let Some(start) = start {
        let mut values = Values::of(shared, StateQuery { start: Some(start), ..all.clone() }).peekable();
        if matches!(values.peek(), Some(Ok((address, _))) if *address == start) {
            return Ok(Page::collect(values, request)?);
        }
    }
    // As upstream, an empty list has no wrong start.
    match Values::of(shared, all.clone()).next().transpose()? {
        None => Ok(Page::empty()),
        Some(_) => Err(ErrorKind::PagingInvalid.into()),
    }
}

/// `GET /state/{address}`, with `proof=true` [`proofs::of_state`].
pub(crate) async fn fetch(State(shared): State<Arc<Shared>>, call: Call) -> ApiResult {
    let pin = shared.pin(call.query.head()?, ErrorKind::BlockNotFound)?;
    let prefix: AddressPrefix = call.last_segment().parse().map_err(|_| ErrorKind::InvalidStateAddress)?;
    // A prefix that is no whole address is well-formed, and nothing is there.
    let address = Address(prefix.as_bytes().try_into().map_err(|_| ErrorKind::StateNotFound)?);
    if call.query.asks_for("proof") {
        return proofs::of_state(shared, call, address, pin).await;
    }
    let value = shared.api.reader.proven_state(&address, pin.height)?.ok_or(ErrorKind::StateNotFound)?;
    let link = call.link(&[("head", &pin.id.to_string())]);
    Ok(Envelope::data(Base64(value)).head(pin.id).link(link).ok())
}

impl Listed for Value {
    fn position(&self) -> String {
        self.0.to_string()
    }

    fn content_bytes(&self) -> usize {
        Address::LEN + self.1.len()
    }
}

/// All values of a query in order, read chunk by chunk. Empty after an error.
struct Values<'a> {
    shared: &'a Shared,
    /// The next chunk to read; its limit is one more than a chunk, and the last value read begins the next.
    next: Option<StateQuery>,
    read: std::vec::IntoIter<Value>,
}

impl<'a> Values<'a> {
    fn of(shared: &'a Shared, query: StateQuery) -> Self {
        Self { shared, next: Some(query), read: Vec::new().into_iter() }
    }
}

impl Iterator for Values<'_> {
    type Item = Result<Value, ReadError>;

    fn next(&mut self) -> Option<Self::Item> {
        if let Some(value) = self.read.next() {
            return Some(Ok(value));
        }
        let query = self.next.take()?;
        let mut values = match self.shared.api.reader.state_range(&query) {
            Ok(values) => values,
            Err(error) => return Some(Err(error)),
        };
        if values.len() > CHUNK {
            let start = values.pop().map(|(address, _)| address);
            self.next = Some(StateQuery { start, ..query });
        }
        self.read = values.into_iter();
        self.read.next().map(Ok)
    }
}
