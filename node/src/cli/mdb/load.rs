use std::io::Write;
use std::path::Path;

use anyhow::Result;
use ledger::backup::{Existing, merge, open_dump};

use super::{NO_NAMED, Options, Tool};
use crate::cli::dumps::lock_to_write;

pub(super) const TOOL: Tool = Tool {
    name: "mdb_load",
    usage: "[-V] [-a] [-f input] -n [-N] [-Q] dbpath",
    // Dumps are in order, so -a changes nothing; -Q would only risk what it saves.
    flags: "aVnNQ",
    valued: "f",
    refused: &[('s', NO_NAMED), ('T', "plain text says nothing of where it ends")],
    operands: (1, 1),
};

pub(super) fn run(options: &Options, _out: &mut dyn Write) -> Result<()> {
    let _lock = lock_to_write(options.file())?;
    let dump = open_dump(options.value('f').map(Path::new))?;
    let existing = if options.has('N') { Existing::Keep } else { Existing::Overwrite };
    merge(dump, options.file(), existing, &mut |_| {})?;
    Ok(())
}
