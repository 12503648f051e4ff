//! A network whose folder and nodes' folders are volumes of containers: `dgt testnet create --volumes`.

use std::io::Write;
use std::os::unix::fs::lchown;
use std::path::Path;

use anyhow::{Context as _, Result};

use super::create::make_keys;
use super::plan::Plan;
use super::site;
use crate::home::Home;
use crate::wiring::write_whole;

/// Fills the volumes with keys and the network file, unless that was done before. Settings are the containers' business.
///
/// The network's own file comes last and says that all else is there: when this is cut short, it is done again, with the
/// keys that were made.
pub(super) fn fill(out: &mut dyn Write, root: &Path, name: &str, plan: Plan, user: u32) -> Result<()> {
    let done = site::network_file(root);
    if done.exists() {
        writeln!(out, "{} is there: nothing to do", done.display())?;
        return Ok(());
    }
    let network = make_keys(root, name, plan)?;
    let text = network.to_toml();
    network.genesis()?;
    for validator in plan.validators() {
        let folder = site::node_folder(root, validator);
        write_whole(&Home::new(&folder)?.network_file(), &text)?;
    }
    give(root, user)?;
    write_whole(&done, &text)?;
    writeln!(out, "network   {} {}", network.name(), network.network_id())?;
    Ok(())
}

/// Makes a user and the group of the same number own a folder and all that is in it.
fn give(path: &Path, user: u32) -> Result<()> {
    let context = || format!("giving {} to user {user}", path.display());
    lchown(path, Some(user), Some(user)).with_context(context)?;
    if path.symlink_metadata().with_context(context)?.is_dir() {
        for entry in path.read_dir().with_context(context)? {
            give(&entry.with_context(context)?.path(), user)?;
        }
    }
    Ok(())
}
