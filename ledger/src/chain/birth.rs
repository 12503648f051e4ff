//! How a ledger begins: its files are made in a folder of their own and take their places only when they are whole, so
//! that a first start that was cut short is begun again, and never taken for a ledger that lost a file.

use std::fs::File;
use std::io;
use std::path::Path;

use super::LedgerError;
use crate::store::FileKind;

/// Where the files of a new ledger are made. What is in it when a start begins is of no worth.
const MAKING: &str = "making";
/// Its name when all of them are durable: from here they move to their places.
const MADE: &str = "made";

/// Sees to it that a data directory without files gets them. `make` makes all four in the folder that it is told, durable
/// and closed.
pub(super) fn complete(
    directory: &Path,
    make: impl FnOnce(&Path) -> Result<(), LedgerError>,
) -> Result<(), LedgerError> {
    let (making, made) = (directory.join(MAKING), directory.join(MADE));
    let failed = |source| LedgerError::Directory { path: directory.to_owned(), source };
    if !made.exists() {
        if FileKind::ALL.iter().any(|kind| directory.join(kind.file_name()).exists()) {
            return Ok(());
        }
        begin(&making).map_err(failed)?;
        make(&making)?;
        sync(&making).and_then(|()| std::fs::rename(&making, &made)).map_err(failed)?;
        sync(directory).map_err(failed)?;
    }
    settle(&made, directory).map_err(failed)
}

fn begin(making: &Path) -> io::Result<()> {
    if making.exists() {
        std::fs::remove_dir_all(making)?;
    }
    std::fs::create_dir(making)
}

/// Moves what is not in its place yet.
fn settle(made: &Path, directory: &Path) -> io::Result<()> {
    for name in FileKind::ALL.map(FileKind::file_name) {
        let file = made.join(name);
        if file.exists() {
            std::fs::rename(file, directory.join(name))?;
        }
    }
    sync(directory)?;
    std::fs::remove_dir_all(made)?;
    sync(directory)
}

/// Makes the names in a folder durable.
fn sync(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}
