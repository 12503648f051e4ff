//! Flags for a node's settings, of every command that has to do with them.

use std::net::SocketAddr;
use std::path::PathBuf;

use anyhow::{Result, bail};
use clap::Args;

use crate::config::{Flag, LogFormat, Resolved, resolve};
use crate::home::Home;

/// Where a node's folder is, and settings that are stronger than those of its file.
#[derive(Clone, Debug, Args)]
pub(super) struct NodeFlags {
    /// The node's folder, with etc, keys, data, logs and backup.
    #[arg(long, env = "DGT_HOME", default_value = "dgt_clust/c1/dgt1", value_name = "DIR")]
    pub(super) home: PathBuf,
    /// The settings file [default: etc/dgt.toml in the node's folder, if it is there].
    #[arg(long, env = "DGT_CONFIG", value_name = "FILE")]
    config: Option<PathBuf>,
    /// Where the REST interface listens [setting api.address].
    #[arg(long, value_name = "ADDRESS")]
    api: Option<SocketAddr>,
    /// Where the operator's routes listen [setting admin.address].
    #[arg(long, value_name = "ADDRESS")]
    admin: Option<SocketAddr>,
    /// The largest size of each LMDB file, GiB [setting store.map_gib]. Files grow only as needed.
    #[arg(long, value_parser = clap::value_parser!(u16).range(1..=4096))]
    map_gib: Option<u16>,
    /// How a line of the log looks [setting log.format].
    #[arg(long, value_enum, value_name = "FORMAT")]
    log_format: Option<LogFormat>,
    /// What is logged: a level, or levels by target such as info,consensus=debug [setting log.level].
    #[arg(long, value_name = "LEVEL")]
    log_level: Option<String>,
    /// Any setting by its name; may be given several times.
    #[arg(long, value_name = "KEY=VALUE")]
    set: Vec<String>,
}

impl NodeFlags {
    /// Reads the settings of all layers.
    pub(super) fn resolve(&self) -> Result<Resolved> {
        let file = match &self.config {
            Some(file) => Some(file.clone()),
            None => Some(Home::new(&self.home)?.settings_file()).filter(|file| file.exists()),
        };
        Ok(resolve(file.as_deref(), environment(), self.flags()?)?)
    }

    fn flags(&self) -> Result<Vec<Flag>> {
        let flag = |flag, key: &str, value: Option<String>| {
            value.map(|value| Flag { flag, key: key.to_owned(), value })
        };
        let named = [
            flag("--api", "api.address", self.api.map(|api| api.to_string())),
            flag("--admin", "admin.address", self.admin.map(|admin| admin.to_string())),
            flag("--map-gib", "store.map_gib", self.map_gib.map(|gib| gib.to_string())),
            flag("--log-format", "log.format", self.log_format.map(|format| format.to_string())),
            flag("--log-level", "log.level", self.log_level.clone()),
        ];
        let mut flags = Vec::new();
        for text in &self.set {
            let Some((key, value)) = text.split_once('=') else { bail!("--set {text}: expected KEY=VALUE") };
            flags.push(Flag { flag: "--set", key: key.to_owned(), value: value.to_owned() });
        }
        // A setting's own flag says it last.
        flags.extend(named.into_iter().flatten());
        Ok(flags)
    }
}

/// The variables of the environment. What is no Unicode is no setting's value, and is refused with the others.
pub(super) fn environment() -> Vec<(String, String)> {
    let text = |text: std::ffi::OsString| text.to_string_lossy().into_owned();
    std::env::vars_os().map(|(name, value)| (text(name), text(value))).collect()
}
