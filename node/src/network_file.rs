//! The network file in a node's folder: where the ids, the committee and block 0 come from.

use std::path::Path;

use anyhow::{Context as _, Result, bail};
use genesis::NetworkFile;
use ledger::store::FileKind;

use crate::home::Home;
use crate::wiring::lone_network;

/// The network file in the node's folder; on the first start the given one is copied there, or that of a network of one
/// is made.
pub(crate) fn network_file(home: &Home, given: Option<&Path>) -> Result<NetworkFile> {
    let path = home.network_file();
    let given = given.map(read_network).transpose()?;
    if path.exists() {
        let stored = read_network(&path)?;
        let (new, old) = (given.as_ref().map(NetworkFile::lineage), stored.lineage());
        match new {
            Some(new) if !(old.is_begin_of(&new) || new.is_begin_of(&old)) => {
                let (given, stored) = (new.current(), old.current());
                bail!("{} is of network {stored}, the one given is of {given}", path.display());
            }
            Some(new) if new != old && old.is_begin_of(&new) => {
                // Without blocks there is nothing to roll back: the file of a node that was is enough.
                if home.data().join(FileKind::Block.file_name()).exists() {
                    bail!("the network file given tells of a rollback: run `dgt rollback` on this node, too");
                }
            }
            _ => return Ok(stored),
        }
    }
    let network = match given {
        Some(given) => given,
        None => lone_network(home, Vec::new(), 1)?,
    };
    write_whole(&path, &network.to_toml())?;
    Ok(network)
}

/// Reads and checks a network file.
pub(crate) fn read_network(path: &Path) -> Result<NetworkFile> {
    let text = std::fs::read_to_string(path).with_context(|| format!("reading {}", path.display()))?;
    NetworkFile::parse(&text).with_context(|| format!("{}", path.display()))
}

/// Writes a file whole or not at all.
pub(crate) fn write_whole(path: &Path, text: &str) -> Result<()> {
    let new = path.with_extension("new");
    let write = || {
        std::fs::write(&new, text)?;
        std::fs::File::open(&new)?.sync_all()?;
        std::fs::rename(&new, path)?;
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
        std::fs::File::open(folder.unwrap_or(Path::new(".")))?.sync_all()
    };
    write().with_context(|| format!("writing {}", path.display()))
}
