use std::fs::File;
use std::io::Write;

use anyhow::{Context as _, Result};
use ledger::backup::{Encoding, dump};

use super::{NO_NAMED, NO_PREVIOUS, Options, Tool};
use crate::cli::dumps::lock_to_read;

pub(super) const TOOL: Tool = Tool {
    name: "mdb_dump",
    usage: "[-V] -n [-f output] [-p] dbpath",
    flags: "Vnp",
    valued: "f",
    refused: &[('a', NO_NAMED), ('l', NO_NAMED), ('s', NO_NAMED), ('v', NO_PREVIOUS)],
    operands: (1, 1),
};

pub(super) fn run(options: &Options, out: &mut dyn Write) -> Result<()> {
    let _lock = lock_to_read(options.file())?;
    let encoding = if options.has('p') { Encoding::Print } else { Encoding::Hex };
    let write = |out: &mut dyn Write| dump(options.file(), encoding, out, &mut |_, _| {});
    match options.value('f') {
        None => write(out)?,
        // As the stock tool, into the file itself, which may be a pipe.
        Some(path) => {
            let mut file = File::create(path).with_context(|| path.display().to_string())?;
            write(&mut file)?
        }
    };
    Ok(())
}
