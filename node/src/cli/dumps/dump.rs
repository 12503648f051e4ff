use std::io::Write;
use std::path::PathBuf;

use anyhow::Result;
use clap::Args;
use ledger::backup::{Encoding, dump};

use super::{NewFile, lock_to_read};
use crate::cli::progress::Progress;

/// Arguments of `dgt dump`.
#[derive(Debug, Args)]
pub(in crate::cli) struct Dump {
    /// The LMDB file of a stopped node.
    file: PathBuf,
    /// Where to write [default: standard output]. The file appears when it is whole.
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Compress as gzip does.
    #[arg(long)]
    compress: bool,
}

impl Dump {
    pub(in crate::cli) fn run(self, out: &mut dyn Write) -> Result<()> {
        let _lock = lock_to_read(&self.file)?;
        let encoding = if self.compress { Encoding::Gzip } else { Encoding::Hex };
        let mut progress = Progress::default();
        let mut show = |done, all| progress.show("dump", "records", done, Some(all));
        let mut write = |out: &mut dyn Write| Ok(dump(&self.file, encoding, out, &mut show)?);
        let written = match &self.output {
            None => write(out),
            Some(path) => NewFile::create(path).and_then(|mut file| {
                let records = write(&mut file)?;
                file.finish().map(|()| records)
            }),
        };
        progress.clear();
        let records = written?;
        if let Some(path) = &self.output {
            writeln!(out, "{}: {records} records", path.display())?;
        }
        Ok(())
    }
}
