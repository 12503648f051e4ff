//! Lists of the REST interface, page by page.

use anyhow::{Context as _, Result, bail};
use clap::Args;
use serde_json::Value;

use super::client::Connection;

/// Items asked for at a time.
const PAGE: u64 = 100;

/// Which part of a list.
#[derive(Clone, Debug, Default, Args)]
pub(super) struct Window {
    /// The id, address or block number (0x...) of the first item.
    #[arg(short, long, value_name = "POSITION")]
    start: Option<String>,
    /// The most items [default: all].
    #[arg(short, long, visible_short_alias = 'n', visible_alias = "count", value_name = "ITEMS")]
    limit: Option<u64>,
    /// Last things first, or for blocks the first ones.
    #[arg(short, long)]
    reverse: bool,
    /// Read as of this block instead of the newest one.
    #[arg(long, value_name = "BLOCK_ID")]
    head: Option<String>,
}

impl Window {
    /// So many items at most from a position on, last things first or for blocks the first ones, as of a block.
    pub(super) fn reversed(start: Option<String>, limit: Option<u64>, head: String) -> Self {
        Self { start, limit, reverse: true, head: Some(head) }
    }

    /// All items as of a block.
    pub(super) fn at(head: String) -> Self {
        Self { head: Some(head), ..Self::default() }
    }
}

/// Where a list ended.
pub(super) struct End {
    /// The block that it was read at.
    pub(super) head: Option<String>,
    /// What `--start` would go on with.
    next: Option<String>,
}

impl End {
    /// Says on standard error how to go on, if there is more.
    pub(super) fn hint(&self) {
        if let Some(next) = &self.next {
            eprintln!("there is more: --start {next}");
        }
    }
}

/// Reads a list and gives each page's items to `take`. All pages are read at the head of the first one.
pub(super) fn read_list(
    connection: &Connection,
    path: &str,
    query: &[(&str, &str)],
    window: &Window,
    take: &mut dyn FnMut(&[Value]) -> Result<()>,
) -> Result<End> {
    let mut end = End { head: window.head.clone(), next: window.start.clone() };
    let mut left = window.limit.unwrap_or(u64::MAX);
    loop {
        let limit = left.clamp(1, PAGE).to_string();
        let mut query = query.to_vec();
        query.push(("limit", &limit));
        query.extend(window.reverse.then_some(("reverse", "")));
        query.extend(end.head.as_deref().map(|head| ("head", head)));
        query.extend(end.next.as_deref().map(|start| ("start", start)));
        let page = connection.get(path, &query)?;
        let items = page["data"].as_array().with_context(|| format!("{path}: the answer has no list"))?;
        // With a limit of 0 only the head is of interest.
        take(if left == 0 { &[] } else { items })?;
        left = left.saturating_sub(items.len() as u64);
        let start = end.next;
        end = End { head: text(&page["head"]), next: text(&page["paging"]["next_position"]) };
        if left == 0 || end.next.is_none() {
            return Ok(end);
        }
        if items.is_empty() || end.next == start {
            bail!("{path}: the pages lead nowhere");
        }
    }
}

/// The path of one thing. What a person gave as its id stays one segment.
pub(super) fn path_of(resource: &str, id: &str) -> Result<String> {
    match !id.is_empty() && id.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
        true => Ok(format!("/{resource}/{id}")),
        false => bail!("{id:?} is no id"),
    }
}

/// The text of a value, if it is text.
pub(super) fn text(value: &Value) -> Option<String> {
    value.as_str().map(str::to_owned)
}
