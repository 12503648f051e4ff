//! A test network as it lies on disk.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use clap::Args;
use ledger_types::ValidatorId;

use super::process;
use crate::cli::client::Connection;
use crate::config::{parse_validator, resolve};
use crate::home::Home;
use crate::wiring::read_network;

/// The network file of a test network.
pub(super) fn network_file(root: &Path) -> PathBuf {
    root.join("network.toml")
}

/// The keys of those who decide on the network's settings.
pub(super) fn keys(root: &Path) -> PathBuf {
    root.join("keys")
}

/// The folder of one node: `dgt_clust/c2/dgt1` for `c2-1`.
pub(super) fn node_folder(root: &Path, validator: ValidatorId) -> PathBuf {
    root.join(node_place(validator))
}

/// The place of that folder in the network's.
pub(super) fn node_place(validator: ValidatorId) -> String {
    let (cluster, node) = (u32::from(validator.cluster) + 1, u32::from(validator.node) + 1);
    format!("dgt_clust/c{cluster}/dgt{node}")
}

/// Which nodes of which test network a command is about.
#[derive(Debug, Args)]
pub(super) struct Selection {
    /// The network's folder.
    #[arg(value_name = "DIR")]
    dir: PathBuf,
    /// Only this node; may be given several times.
    #[arg(long, value_name = "NODE", value_parser = validator)]
    only: Vec<ValidatorId>,
}

fn validator(name: &str) -> Result<ValidatorId, String> {
    parse_validator(name).ok_or_else(|| "it is a node's name, for example c1-2".to_owned())
}

/// A node of a test network.
pub(super) struct Member {
    /// Its place.
    pub(super) validator: ValidatorId,
    /// Its folder.
    pub(super) home: Home,
    /// Its REST interface.
    pub(super) url: String,
}

impl Selection {
    /// Whether all nodes are meant.
    pub(super) fn is_whole(&self) -> bool {
        self.only.is_empty()
    }

    /// The nodes that are meant, in the order of the network.
    ///
    /// # Errors
    /// When the folder holds no test network, or not one with a node that is named.
    pub(super) fn members(&self) -> Result<Vec<Member>> {
        let root = std::path::absolute(&self.dir).with_context(|| format!("{}", self.dir.display()))?;
        let file = network_file(&root);
        if !file.exists() {
            bail!("{} is not there; `dgt testnet create` makes a network", file.display());
        }
        let network = read_network(&file)?;
        let all: Vec<ValidatorId> = network.topology().validators().map(|(place, _)| place).collect();
        if let Some(stranger) = self.only.iter().find(|place| !all.contains(place)) {
            bail!("{stranger} is not in the network of {}", file.display());
        }
        let meant = all.into_iter().filter(|place| self.is_whole() || self.only.contains(place));
        meant.map(|place| Member::read(&root, place)).collect()
    }
}

impl Member {
    fn read(root: &Path, validator: ValidatorId) -> Result<Self> {
        let home = Home::new(&node_folder(root, validator))?;
        // What the environment says is about one node, not about these.
        let own = resolve(Some(&home.settings_file()), [], [])?.settings;
        let scheme = if own.tls_certificate.is_some() { "https" } else { "http" };
        Ok(Self { validator, home, url: format!("{scheme}://{}", own.api) })
    }

    /// The process that runs it, if one does.
    pub(super) fn process(&self) -> Option<process::Pid> {
        process::holder(&self.home.vote_lock())
    }

    /// Its REST interface.
    pub(super) fn connection(&self) -> Connection {
        Connection::new(self.url.clone())
    }

    /// What it says and logs, when it was started by `dgt testnet up`.
    pub(super) fn log_file(&self) -> PathBuf {
        self.home.logs().join("dgt.log")
    }
}
