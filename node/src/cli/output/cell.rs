use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde_json::Value;

use super::text::python_bytes;

/// A column of a list.
#[derive(Clone, Copy, Debug)]
pub(in crate::cli) struct Column {
    /// Its name in JSON and YAML.
    pub(in crate::cli) key: &'static str,
    /// Its name in tables and CSV.
    pub(in crate::cli) heading: &'static str,
}

/// A value of a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::cli) enum Cell {
    /// Text.
    Text(String),
    /// A number.
    Number(u64),
    /// Bytes: as Python prints them in tables and CSV, base64 in JSON and YAML.
    Bytes(Vec<u8>),
}

/// The values of one item, in the order of the columns.
pub(in crate::cli) type Row = Vec<Cell>;

impl Cell {
    /// As tables and CSV show it.
    pub(super) fn text(&self) -> String {
        match self {
            Self::Text(text) => text.clone(),
            Self::Number(number) => number.to_string(),
            Self::Bytes(bytes) => python_bytes(bytes),
        }
    }

    /// As JSON and YAML hold it.
    pub(super) fn value(&self) -> Value {
        match self {
            Self::Text(text) => text.as_str().into(),
            Self::Number(number) => (*number).into(),
            Self::Bytes(bytes) => BASE64_STANDARD.encode(bytes).into(),
        }
    }
}
