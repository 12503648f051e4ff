use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::Result;
use clap::Args;
use ledger::backup::{Loaded, Replace, load, open_dump};

use super::lock_to_write;
use crate::cli::progress::Progress;

/// Arguments of `dgt load`.
#[derive(Debug, Args)]
pub(in crate::cli) struct Load {
    /// The LMDB file to make. It is untouched unless all of the dump is right.
    file: PathBuf,
    /// The dump, compressed or not [default: standard input].
    #[arg(short = 'f', long = "from", value_name = "DUMP")]
    dump: Option<PathBuf>,
    /// Put the dump in the place of a file that is there.
    #[arg(long)]
    replace: bool,
}

impl Load {
    pub(in crate::cli) fn run(self, out: &mut dyn Write) -> Result<()> {
        let _lock = lock_to_write(&self.file)?;
        let dump = open_dump(self.dump.as_deref())?;
        for line in dump.ignored() {
            eprintln!("dgt: ignored in the head of the dump: {line}");
        }
        let replace = if self.replace { Replace::Yes } else { Replace::No };
        let mut progress = Progress::default();
        let loaded =
            load(dump, &self.file, replace, &mut |done| progress.show("load", "records", done, None));
        progress.clear();
        tell_loaded(out, &self.file, &loaded?)
    }
}

/// Says what was loaded.
fn tell_loaded(out: &mut dyn Write, file: &Path, loaded: &Loaded) -> Result<()> {
    writeln!(out, "{}: {} records", file.display(), loaded.records)?;
    if let Some(asked) = loaded.asked_map_bytes {
        eprintln!(
            "dgt: {}: the map has {} bytes; the {asked} that the dump asks for do not do",
            file.display(),
            loaded.map_bytes
        );
    }
    Ok(())
}
