//! Lists with one item for each block, paged by height.

use ledger::reader::ReadError;

use crate::error::{ApiResult, ErrorKind};
use crate::paging::{Listed, Page, PageRequest};
use crate::query::Order;
use crate::shared::Pin;

/// A page of what `read` gives for each height up to the pin.
///
/// # Errors
/// 54 when the page is to start above the pin.
pub(crate) fn page_of_heights<T: Listed>(
    pin: Pin,
    order: Order,
    request: &PageRequest,
    read: impl Fn(u64) -> Result<T, ReadError>,
) -> ApiResult<Page<T>> {
    let start = request.start().map(|text| parse_height(text).filter(|height| *height <= pin.height));
    if start == Some(None) {
        return Err(ErrorKind::PagingInvalid.into());
    }
    let heights: Box<dyn Iterator<Item = u64>> = match (order, start.flatten()) {
        (Order::Usual, from) => Box::new((0..=from.unwrap_or(pin.height)).rev()),
        (Order::Reversed, from) => Box::new(from.unwrap_or(0)..=pin.height),
    };
    Ok(Page::collect(heights.map(read), request)?)
}

/// A height as `0x` and up to 16 hex digits.
fn parse_height(text: &str) -> Option<u64> {
    let digits = text.strip_prefix("0x").filter(|digits| !digits.starts_with('+'))?;
    u64::from_str_radix(digits, 16).ok()
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
