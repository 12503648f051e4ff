//! Reading parts of what the REST interface answers.

use anyhow::{Context as _, Result, bail};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde_json::Value;

use super::output::Cell;

/// The text at a path such as `/header/signer_public_key`.
pub(super) fn text_at<'a>(item: &'a Value, path: &str) -> Result<&'a str> {
    item.pointer(path).and_then(Value::as_str).with_context(|| format!("the answer has no text at {path}"))
}

/// The text at a path as a cell.
pub(super) fn cell_at(item: &Value, path: &str) -> Result<Cell> {
    Ok(Cell::Text(text_at(item, path)?.to_owned()))
}

/// The bytes in base64 at a path.
pub(super) fn bytes_at(item: &Value, path: &str) -> Result<Vec<u8>> {
    let text = text_at(item, path)?;
    BASE64_STANDARD.decode(text).with_context(|| format!("the answer has no base64 at {path}"))
}

/// How many items the list of a name has; none when it is absent.
pub(super) fn count_of(item: &Value, name: &str) -> u64 {
    item[name].as_array().map_or(0, |items| items.len() as u64)
}

/// What a document holds under a key, or its header.
pub(super) fn part(document: &Value, key: Option<&str>) -> Result<Value> {
    let Some(key) = key else { return Ok(document.clone()) };
    match document.get(key).or_else(|| document["header"].get(key)) {
        Some(value) => Ok(value.clone()),
        None => bail!("there is no key {key:?}, also not in the header"),
    }
}
