use std::io::Write;

use anyhow::Result;
use serde_json::Value;

use super::Format as Wanted;
use crate::cli::output::{Column, Format, List, Row};

/// Where items go as they come.
pub(super) enum Sink<'a> {
    /// One document a line.
    Lines(&'a mut dyn Write),
    /// One row a line.
    Table(List<'a>),
}

impl<'a> Sink<'a> {
    pub(super) fn new(out: &'a mut dyn Write, format: Wanted, columns: &'static [Column]) -> Self {
        match format {
            Wanted::Jsonl => Self::Lines(out),
            Wanted::Csv => Self::Table(List::new(out, Format::Csv, columns)),
        }
    }

    /// Writes one item.
    pub(super) fn put(&mut self, item: &Value, row: impl FnOnce() -> Result<Row>) -> Result<()> {
        match self {
            Self::Lines(out) => {
                let mut line = serde_json::to_vec(item)?;
                line.push(b'\n');
                Ok(out.write_all(&line)?)
            }
            Self::Table(list) => list.print(&[row()?]),
        }
    }

    /// Ends the output.
    pub(super) fn finish(self) -> Result<()> {
        match self {
            Self::Lines(out) => Ok(out.flush()?),
            Self::Table(list) => list.finish(None),
        }
    }
}
