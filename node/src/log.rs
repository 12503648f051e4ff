//! The log: lines on standard error, as text or JSON, at a level that may change while the node runs.

use std::io::IsTerminal as _;

use anyhow::{Context as _, Result};
use tracing::level_filters::LevelFilter;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{EnvFilter, Layer as _, Registry, fmt, reload};

use crate::config::{LogFormat, LogSettings};

/// The longest text of a level, bytes.
const LEVEL_BYTES: usize = 1024;

/// Reads a level, or levels by target: `warn`, `info,consensus=debug`.
///
/// # Errors
/// The reason, for people.
pub(crate) fn parse_filter(text: &str) -> Result<EnvFilter, String> {
    let wrong =
        || "it is error, warn, info, debug, trace or off, or a list such as info,api=debug".to_owned();
    // The filter's own parser takes a misspelt level for the name of a target.
    let is_level = |part: &str| part.contains('=') || part.parse::<LevelFilter>().is_ok();
    if text.len() > LEVEL_BYTES || !text.split(',').all(|part| !part.is_empty() && is_level(part)) {
        return Err(wrong());
    }
    EnvFilter::try_new(text).map_err(|_| wrong())
}

/// Changes what is logged while the node runs. Cheap to clone.
#[derive(Clone)]
pub(crate) struct LogLevel {
    handle: reload::Handle<EnvFilter, Registry>,
}

impl LogLevel {
    /// What is logged now.
    pub(crate) fn get(&self) -> String {
        self.handle.with_current(ToString::to_string).unwrap_or_default()
    }

    /// Changes what is logged from now on.
    ///
    /// # Errors
    /// The reason, for people; then nothing changed.
    pub(crate) fn set(&self, level: &str) -> Result<(), String> {
        let filter = parse_filter(level)?;
        self.handle.reload(filter).map_err(|error| error.to_string())?;
        tracing::info!(level, "log level changed");
        Ok(())
    }
}

/// Begins to log. Once in a process.
///
/// # Errors
/// When the settings are not checked ones, or the process logs already.
pub(crate) fn start(settings: &LogSettings) -> Result<LogLevel> {
    let filter = parse_filter(&settings.level).map_err(anyhow::Error::msg)?;
    let (filter, handle) = reload::Layer::new(filter);
    let lines = fmt::layer().with_writer(std::io::stderr);
    let lines = match settings.format {
        LogFormat::Text => lines.with_ansi(std::io::stderr().is_terminal()).boxed(),
        LogFormat::Json => lines.json().flatten_event(true).boxed(),
    };
    tracing_subscriber::registry().with(filter).with(lines).try_init().context("starting the log")?;
    Ok(LogLevel { handle })
}
