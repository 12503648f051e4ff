//! Which node's files a command is about.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use clap::Args;
use genesis::{Genesis, NetworkFile};

use crate::home::Home;

/// Which node's files.
#[derive(Debug, Args)]
pub(super) struct Place {
    /// A data directory [default: that of --home]; its network file is looked for in ../etc.
    #[arg(value_name = "DATA_DIR", conflicts_with = "home")]
    directory: Option<PathBuf>,
    /// The stopped node's folder.
    #[arg(long, default_value = "dgt_clust/c1/dgt1", value_name = "DIR")]
    home: PathBuf,
}

impl Place {
    /// The data directory.
    pub(super) fn data(&self) -> Result<PathBuf> {
        match &self.directory {
            Some(directory) => Ok(std::path::absolute(directory)?),
            None => Ok(Home::new(&self.home)?.data()),
        }
    }

    /// The node's network file, if it is there.
    pub(super) fn network_file(&self) -> Result<Option<PathBuf>> {
        let data = self.data()?;
        let file = Home::new(data.parent().unwrap_or(&data))?.network_file();
        Ok(file.exists().then_some(file))
    }
}

/// What a network file describes.
pub(super) fn read_network(file: &Path) -> Result<Genesis> {
    let context = || file.display().to_string();
    let text = std::fs::read_to_string(file).with_context(context)?;
    NetworkFile::parse(&text).and_then(|file| file.genesis()).with_context(context)
}
