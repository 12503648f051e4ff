//! Who decides, and which changes the deciders may make.

use ledger_types::family::{ApplyError, Context};
use ledger_types::setting;

use super::entries;
use super::values::{FIXED_AT_GENESIS, authorized_keys, check_value};

/// The authorized keys and how many of them must agree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Electorate {
    /// Public keys in hex, as the setting lists them.
    pub(super) keys: Vec<String>,
    /// How many acceptances apply a proposal, and how many rejections close it.
    pub(super) threshold: usize,
}

impl Electorate {
    /// As the settings have it; with no threshold set it is 1.
    pub(super) fn read(context: &mut dyn Context) -> Result<Self, ApplyError> {
        let keys = entries::read(context, setting::AUTHORIZED_KEYS)?.unwrap_or_default();
        let threshold = match entries::read(context, setting::APPROVAL_THRESHOLD)? {
            None => 1,
            Some(text) => {
                text.parse().map_err(|_| ApplyError::invalid("approval_threshold must be an integer"))?
            }
        };
        Ok(Self { keys: authorized_keys(&keys).map(str::to_owned).collect(), threshold })
    }

    /// Whether a key may propose and vote. Without any keys everybody may.
    pub(super) fn admits(&self, key: &str) -> bool {
        self.keys.is_empty() || self.is_member(key)
    }

    /// Whether a key is one of the authorized ones.
    pub(super) fn is_member(&self, key: &str) -> bool {
        self.keys.iter().any(|known| known == key)
    }

    /// Whether a setting may change to a value now.
    pub(super) fn check_change(
        &self,
        context: &mut dyn Context,
        key: &str,
        value: &str,
    ) -> Result<(), ApplyError> {
        if self.keys.is_empty() && key != setting::AUTHORIZED_KEYS {
            return Err(ApplyError::invalid(format!("Cannot set \"{key}\" until authorized_keys is set.")));
        }
        check_value(key, value).map_err(ApplyError::Invalid)?;
        if FIXED_AT_GENESIS.contains(&key) && entries::read(context, key)?.is_some() {
            return Err(ApplyError::invalid(format!("Setting {key} is fixed at genesis")));
        }
        if key == setting::AUTHORIZED_KEYS && authorized_keys(value).count() < self.threshold {
            return Err(ApplyError::invalid(format!(
                "authorized_keys must be at least as many as the approval_threshold of {}",
                self.threshold
            )));
        }
        let is_beyond = |threshold: usize| threshold > self.keys.len();
        if key == setting::APPROVAL_THRESHOLD && value.parse().is_ok_and(is_beyond) {
            return Err(ApplyError::invalid(
                "approval_threshold must be less than or equal to number of authorized_keys",
            ));
        }
        Ok(())
    }
}
