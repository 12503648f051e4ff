use std::path::PathBuf;

use thiserror::Error;

use super::source::Source;

/// Why there are no settings.
#[derive(Debug, Error)]
pub(crate) enum ConfigError {
    /// The file cannot be read.
    #[error("reading {}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The file is no TOML.
    #[error("{}: {message}", path.display())]
    Syntax {
        /// The file.
        path: PathBuf,
        /// Where and why.
        message: String,
    },
    /// There is no such setting.
    #[error("{place}: there is no setting {key:?}{}", suggestion(*nearest))]
    UnknownKey {
        /// Where it was found.
        place: Source,
        /// The name.
        key: String,
        /// A setting with a similar name.
        nearest: Option<&'static str>,
    },
    /// The value is of another type than the setting.
    #[error("{place}: {key}: expected {expected}, found {found}")]
    Type {
        /// Where it was found.
        place: Source,
        /// The setting.
        key: &'static str,
        /// What a value looks like.
        expected: &'static str,
        /// What stands there.
        found: &'static str,
    },
    /// The setting cannot have this value.
    #[error("{place}: {key} = {value:?}: {reason}")]
    Value {
        /// Where it was found.
        place: Source,
        /// The setting.
        key: &'static str,
        /// The value.
        value: String,
        /// Why not.
        reason: String,
    },
    /// Two settings contradict each other.
    #[error("{low} ({low_value}) is above {high} ({high_value})")]
    Order {
        /// The setting that must not be above the other.
        low: &'static str,
        /// Its value.
        low_value: String,
        /// The other setting.
        high: &'static str,
        /// Its value.
        high_value: String,
    },
}

fn suggestion(nearest: Option<&str>) -> String {
    nearest.map(|nearest| format!("; do you mean {nearest}?")).unwrap_or_default()
}
