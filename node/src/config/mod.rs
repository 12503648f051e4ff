//! A node's settings: what its operator decides for this node alone, unlike a network's parameters, which are on the ledger.
//!
//! Every setting is one of [`KEYS`] with a dotted name, `api.limits.body_bytes`. Its value comes from the strongest layer that
//! has one: a flag, then the environment (`DGT_API_LIMITS_BODY_BYTES`), then the TOML file, then the default.
//! [`resolve`] reads the layers once and gives checked [`Settings`], and for each value where it came from. Names that do
//! not exist are refused, so that a misspelt setting is never ignored in silence.

mod error;
mod field;
mod file;
mod keys;
mod layers;
mod peers;
mod settings;
mod source;
mod template;
#[cfg(test)]
mod tests;

pub(crate) use keys::KEYS;
pub(crate) use layers::{Flag, Resolved, resolve, unknown_variables};
pub(crate) use peers::parse_validator;
pub(crate) use settings::{LogFormat, LogSettings, Settings};
pub(crate) use template::template;
