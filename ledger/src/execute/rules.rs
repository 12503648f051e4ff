//! The network's limits that govern one block, read from settings in its parent's state.

use std::num::NonZeroU64;

use ledger_types::{limits, setting};
use serde::Deserialize;

use super::view::Past;
use crate::store::StoreError;

/// Limits of one block.
#[derive(Clone, Debug)]
pub(super) struct Rules {
    /// Entries at most.
    pub(super) max_entries: usize,
    /// Bytes of encoded entries at most.
    pub(super) max_bytes: usize,
    /// How many versions of state the network keeps; all without.
    pub(super) keep_versions: Option<NonZeroU64>,
    permitted: Option<Vec<PermittedFamily>>,
}

/// One element of `sawtooth.validator.transaction_families`.
#[derive(Clone, Debug, Deserialize)]
struct PermittedFamily {
    family: String,
    version: String,
    #[serde(default)]
    namespaces: Vec<String>,
}

impl Rules {
    pub(super) fn at(past: &Past<'_>) -> Result<Self, StoreError> {
        let read = |key| {
            let value = past.state(&setting::address(key))?;
            Ok::<_, StoreError>(value.and_then(|value| setting::value_of(key, &value)))
        };
        // Zero would halt the chain; the settings family refuses it, and so do we.
        let number = |text: Option<String>| text?.trim().parse().ok().filter(|number| *number > 0);
        let permitted = read(setting::TRANSACTION_FAMILIES)?;
        Ok(Self {
            max_entries: number(read(setting::MAX_BATCHES_PER_BLOCK)?).unwrap_or(usize::MAX),
            max_bytes: number(read(setting::BLOCK_MAX_BYTES)?)
                .map_or(limits::BLOCK_BYTES, |bytes| bytes.min(limits::BLOCK_BYTES)),
            keep_versions: read(setting::KEEP_VERSIONS)?.and_then(|text| text.trim().parse().ok()),
            // A list that does not parse counts as absent, as with the ancestor.
            permitted: permitted.and_then(|json| serde_json::from_str(&json).ok()),
        })
    }

    /// Whether the network permits a family to write under these outputs.
    pub(super) fn permits(&self, family: &str, version: &str, outputs: &[String]) -> bool {
        let Some(permitted) = &self.permitted else { return true };
        // Settings must stay changeable, or a bad list could never be mended.
        if outputs.iter().all(|output| output.starts_with(setting::NAMESPACE))
            && family.ends_with("_settings")
        {
            return true;
        }
        permitted.iter().filter(|rule| rule.family == family && rule.version == version).any(|rule| {
            rule.namespaces.is_empty()
                || outputs.iter().all(|output| rule.namespaces.iter().any(|space| output.starts_with(space)))
        })
    }
}
