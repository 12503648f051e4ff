//! What commands print: lists as a table, CSV, JSON or YAML, and single documents as YAML or JSON.
//!
//! Columns and layouts are those of the `sawtooth` command, so that scripts written for it go on working.

mod cell;
mod document;
mod format;
mod list;
mod stdout;
mod table;
mod text;
mod yaml;

pub(super) use cell::{Cell, Column, Row};
pub(super) use document::print_document;
pub(super) use format::{DocumentFormat, DocumentStyle, Format, ListStyle};
pub(super) use list::List;
pub(super) use stdout::Stdout;
pub(super) use text::{printable, python_bytes};
