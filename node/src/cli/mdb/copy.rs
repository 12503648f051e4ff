use std::fs::{File, OpenOptions};
use std::io::Write;
use std::os::fd::AsFd as _;
use std::path::Path;

use anyhow::{Context as _, Result};
use ledger::store::{self, Copying, FileOptions, pages};

use super::{NO_PREVIOUS, Options, Tool};
use crate::cli::dumps::lock_to_read;

pub(super) const TOOL: Tool = Tool {
    name: "mdb_copy",
    usage: "[-V] [-c] -n srcpath [dstpath]",
    flags: "Vcn",
    valued: "",
    refused: &[('v', NO_PREVIOUS)],
    operands: (1, 2),
};

pub(super) fn run(options: &Options, _out: &mut dyn Write) -> Result<()> {
    let _lock = lock_to_read(options.file())?;
    // A compacting copy follows page numbers, wherever a bad one leads.
    let copying = if options.has('c') {
        pages::check_structure(options.file())?;
        Copying::Compacting
    } else {
        Copying::AsIs
    };
    let source = store::File::open(options.file(), FileOptions::EXISTING)?;
    match options.operand(1) {
        // LMDB writes to the descriptor itself.
        None => source.copy_to(&mut File::from(std::io::stdout().as_fd().try_clone_to_owned()?), copying)?,
        Some(path) => copy(&source, path, copying)?,
    }
    Ok(())
}

fn copy(source: &store::File, path: &Path, copying: Copying) -> Result<()> {
    let context = || path.display().to_string();
    let mut target = OpenOptions::new().write(true).create_new(true).open(path).with_context(context)?;
    let copied = source.copy_to(&mut target, copying).map_err(anyhow::Error::from);
    let synced = copied.and_then(|()| target.sync_all().with_context(context));
    if synced.is_err() {
        let _ = std::fs::remove_file(path);
    }
    synced
}
