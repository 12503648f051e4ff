use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use ledger::backup::{Manifest, SetError};

/// Characters of a network's id that tell it apart.
const SHORT: usize = 12;

/// Prints a line for each set; what is no set in a folder of sets is passed over.
pub(super) fn run(out: &mut dyn Write, folders: &[PathBuf]) -> Result<()> {
    writeln!(out, "{:<20}  {:<SHORT$}  {:>8}  {:>10}  SET", "MADE", "NETWORK", "HEIGHT", "BYTES")?;
    for folder in folders {
        match Manifest::read(folder) {
            Ok(manifest) => print(out, folder, &manifest)?,
            Err(SetError::NoSet { .. }) if folder.is_dir() => {
                for set in folders_in(folder)? {
                    match Manifest::read(&set) {
                        Ok(manifest) => print(out, &set, &manifest)?,
                        Err(SetError::NoSet { .. }) => {}
                        Err(error) => eprintln!("dgt: {error}"),
                    }
                }
            }
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

fn folders_in(folder: &Path) -> Result<Vec<PathBuf>> {
    let context = || folder.display().to_string();
    let mut folders = Vec::new();
    for entry in std::fs::read_dir(folder).with_context(context)? {
        let path = entry.with_context(context)?.path();
        if path.is_dir() {
            folders.push(path);
        }
    }
    folders.sort();
    Ok(folders)
}

fn print(out: &mut dyn Write, folder: &Path, manifest: &Manifest) -> Result<()> {
    let sizes = manifest.files.iter().map(|file| std::fs::metadata(folder.join(&file.dump)));
    let bytes: u64 = sizes.map(|size| size.map_or(0, |size| size.len())).sum();
    let network = manifest.network_id.to_string();
    writeln!(
        out,
        "{:<20}  {}  {:>8}  {bytes:>10}  {}",
        manifest.time,
        &network[..SHORT],
        manifest.height,
        folder.display()
    )?;
    Ok(())
}
