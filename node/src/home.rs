//! A node's folder: `<home>/{etc,keys,data,logs,backup}`.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};

/// Where a node keeps what it needs.
#[derive(Clone, Debug)]
pub(crate) struct Home {
    root: PathBuf,
}

impl Home {
    /// A node's folder, by its absolute path.
    pub(crate) fn new(root: &Path) -> Result<Self> {
        let root = std::path::absolute(root).with_context(|| format!("{}", root.display()))?;
        Ok(Self { root })
    }

    /// The folder itself.
    pub(crate) fn path(&self) -> &Path {
        &self.root
    }

    /// Makes the folders that are not there.
    pub(crate) fn create(&self) -> Result<()> {
        for folder in ["etc", "keys", "data", "logs", "backup"] {
            let path = self.root.join(folder);
            std::fs::create_dir_all(&path).with_context(|| format!("making {}", path.display()))?;
        }
        Ok(())
    }

    /// The four LMDB files.
    pub(crate) fn data(&self) -> PathBuf {
        self.root.join("data")
    }

    /// The node's keys.
    pub(crate) fn keys(&self) -> PathBuf {
        self.root.join("keys")
    }

    /// Which life of this node runs or ran last: never part of a backup, so that a restored vote store is known as one.
    pub(crate) fn vote_generation_file(&self) -> PathBuf {
        self.keys().join("vote-generation")
    }

    /// The lock that a running node holds on its keys.
    pub(crate) fn vote_lock(&self) -> PathBuf {
        self.keys().join("vote.lock")
    }

    /// Where the log may go.
    pub(crate) fn logs(&self) -> PathBuf {
        self.root.join("logs")
    }

    /// The settings file.
    pub(crate) fn settings_file(&self) -> PathBuf {
        self.root.join("etc").join("dgt.toml")
    }

    /// The network file.
    pub(crate) fn network_file(&self) -> PathBuf {
        self.root.join("etc").join("network.toml")
    }
}
