//! Pages: what a client asks for, what it gets, and the way to the next one.

use axum::response::Response;
use ledger::reader::ReadError;
use ledger_types::BlockId;
use serde::Serialize;

use crate::call::Call;
use crate::envelope::Envelope;
use crate::limits::ApiLimits;

/// The page that a client asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PageRequest {
    start: Option<String>,
    limit: Option<u64>,
    items: usize,
    bytes: usize,
}

impl PageRequest {
    /// A page from a position on (from the first item when absent or empty) of so many items.
    pub(crate) fn new(start: Option<String>, limit: Option<u64>, limits: &ApiLimits) -> Self {
        let wanted = limit.map_or(limits.page_default, |limit| usize::try_from(limit).unwrap_or(usize::MAX));
        Self { start, limit, items: wanted.min(limits.page_max), bytes: limits.page_bytes }
    }

    /// The position of the first item wanted.
    pub(crate) fn start(&self) -> Option<&str> {
        self.start.as_deref().filter(|start| !start.is_empty())
    }

    /// The most items that the page may have.
    #[cfg(test)]
    pub(crate) fn items(&self) -> usize {
        self.items
    }

    /// The bytes of content after which a page ends.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }
}

/// Something that lists hold.
pub(crate) trait Listed {
    /// What `start` and `next_position` call it.
    fn position(&self) -> String;
    /// Bytes of its content, roughly: what a page's size is measured by.
    fn content_bytes(&self) -> usize;
}

/// Consecutive items of a list.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Page<T> {
    items: Vec<T>,
    /// The position and effective limit that the link names: empty and 0 for an answer that is no page.
    start: String,
    limit: usize,
    next: Option<String>,
}

impl<T: Listed> Page<T> {
    /// The answer when nothing is to be listed.
    pub(crate) fn empty() -> Self {
        Self::whole(Vec::new())
    }

    /// Items that are not paged.
    pub(crate) fn whole(items: Vec<T>) -> Self {
        Self { items, start: String::new(), limit: 0, next: None }
    }

    /// Takes items until the page is full. One item more is read, to know where the next page begins.
    ///
    /// # Errors
    /// The first of the source.
    pub(crate) fn collect(
        source: impl IntoIterator<Item = Result<T, ReadError>>,
        request: &PageRequest,
    ) -> Result<Self, ReadError> {
        let (mut page, mut bytes) = (Self::empty(), 0_usize);
        for item in source {
            let item = item?;
            bytes = bytes.saturating_add(item.content_bytes());
            let full = page.items.len() >= request.items || bytes > request.bytes;
            if full && !page.items.is_empty() {
                page.next = Some(item.position());
                break;
            }
            page.items.push(item);
        }
        if let Some(first) = page.items.first() {
            page.start = first.position();
            page.limit = request.items;
        }
        Ok(page)
    }

    /// The items.
    pub(crate) fn items(&self) -> &[T] {
        &self.items
    }

    /// The response with the items in the shape that clients know.
    pub(crate) fn respond<S: Serialize>(
        &self,
        shapes: Vec<S>,
        call: &Call,
        request: &PageRequest,
        head: BlockId,
    ) -> Response {
        let (head_text, limit) = (head.to_string(), self.limit.to_string());
        let link = call.link(&[("head", &head_text), ("start", &self.start), ("limit", &limit)]);
        let next = self.next.as_deref().map(|next| call.link(&[("head", &head_text), ("start", next)]));
        let paging = Paging {
            limit: request.limit,
            next,
            next_position: self.next.clone(),
            start: request.start.clone(),
        };
        Envelope::data(shapes).head(head).link(link).paging(paging).ok()
    }
}

/// The `paging` object: the request as it was made, and the next page when there is one.
#[derive(Debug, Serialize)]
pub(crate) struct Paging {
    limit: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_position: Option<String>,
    start: Option<String>,
}

#[cfg(test)]
mod tests {
    use ledger::reader::ReadError;

    use super::{Listed, Page, PageRequest};
    use crate::limits::ApiLimits;

    impl Listed for usize {
        fn position(&self) -> String {
            self.to_string()
        }

        fn content_bytes(&self) -> usize {
            *self
        }
    }

    fn request(limit: u64, page_bytes: usize) -> PageRequest {
        PageRequest::new(None, Some(limit), &ApiLimits { page_bytes, ..ApiLimits::default() })
    }

    fn page(sizes: &[usize], limit: u64, page_bytes: usize) -> (Vec<usize>, Option<String>) {
        let page = Page::collect(sizes.iter().copied().map(Ok), &request(limit, page_bytes)).unwrap();
        (page.items, page.next)
    }

    #[test]
    fn a_page_ends_by_count_by_size_or_with_the_list() {
        assert_eq!(page(&[1, 2, 3], 3, 100), (vec![1, 2, 3], None));
        assert_eq!(page(&[1, 2, 3], 2, 100), (vec![1, 2], Some("3".into())));
        assert_eq!(page(&[1, 2, 3], 9, 3), (vec![1, 2], Some("3".into())));
        assert_eq!(page(&[50, 2], 9, 3), (vec![50], Some("2".into())), "the first item is always served");
        assert_eq!(page(&[usize::MAX, usize::MAX], 9, 3), (vec![usize::MAX], Some(usize::MAX.to_string())));
        assert_eq!(page(&[], 9, 3), (vec![], None));
    }

    #[test]
    fn a_page_reads_one_item_beyond_itself() {
        let source = [Ok(1), Ok(2), Err(ReadError::damaged("block", "3", "too far"))];
        assert_eq!(Page::collect(source, &request(1, 100)).unwrap().next.as_deref(), Some("2"));
        let source = [Ok(1), Err(ReadError::damaged("block", "2", "next"))];
        assert!(Page::collect(source, &request(1, 100)).is_err());
    }

    #[test]
    fn an_empty_start_is_none_but_reported() {
        let request = PageRequest::new(Some(String::new()), None, &ApiLimits::default());
        assert_eq!((request.start(), request.items()), (None, 100));
        assert_eq!(request.start.as_deref(), Some(""));
    }
}
