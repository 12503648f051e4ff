//! `dgt digest`.

use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::{Result, bail};
use clap::Args;
use ledger::backup::digest;
use ledger::store::{FileKind, FileLock};

use super::dumps::lock_to_read;

/// Arguments of `dgt digest`.
#[derive(Debug, Args)]
pub(super) struct Digest {
    /// Data directories of stopped nodes, or single LMDB files [default: ./dgt_clust/c1/dgt1/data].
    paths: Vec<PathBuf>,
}

impl Digest {
    pub(super) fn run(self, out: &mut dyn Write) -> Result<()> {
        let paths = match self.paths.is_empty() {
            true => vec![PathBuf::from("dgt_clust/c1/dgt1/data")],
            false => self.paths,
        };
        for path in paths {
            if path.is_file() {
                let _lock = lock_to_read(&path)?;
                print(out, &path)?;
                continue;
            }
            if !path.is_dir() {
                bail!("{}: neither a data directory nor a file", path.display());
            }
            let _lock = FileLock::take(&path.join("node.lock"))?;
            let files: Vec<PathBuf> = FileKind::ALL
                .into_iter()
                .map(|kind| path.join(kind.file_name()))
                .filter(|file| file.is_file())
                .collect();
            if files.is_empty() {
                bail!("{}: there is no ledger in this directory", path.display());
            }
            files.iter().try_for_each(|file| print(out, file))?;
        }
        Ok(())
    }
}

/// One line, as `sha256sum` prints it, with the number of records behind it.
fn print(out: &mut dyn Write, file: &Path) -> Result<()> {
    let found = digest(file)?;
    writeln!(out, "{}  {}  {} records", found.sha256, file.display(), found.records)?;
    Ok(())
}
