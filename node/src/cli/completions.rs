//! `dgt completions` and `dgt man`.

use std::io::Write;
use std::path::PathBuf;

use anyhow::{Context as _, Result};
use clap::{Args, Command};
use clap_complete::Shell;

/// Arguments of `dgt completions`.
#[derive(Debug, Args)]
pub(super) struct Completions {
    /// The shell.
    #[arg(value_enum)]
    shell: Shell,
}

impl Completions {
    pub(super) fn run(self, out: &mut dyn Write, mut program: Command) -> Result<()> {
        // The generator ends the process when it cannot write, so it writes to memory.
        let mut script = Vec::new();
        clap_complete::generate(self.shell, &mut program, "dgt", &mut script);
        out.write_all(&script)?;
        Ok(())
    }
}

/// Arguments of `dgt man`.
#[derive(Debug, Args)]
pub(super) struct Man {
    /// The folder for the pages, one for each command; those of the same names are replaced.
    directory: PathBuf,
}

impl Man {
    pub(super) fn run(self, out: &mut dyn Write, program: Command) -> Result<()> {
        let context = || format!("writing to {}", self.directory.display());
        std::fs::create_dir_all(&self.directory).with_context(context)?;
        clap_mangen::generate_to(program, &self.directory).with_context(context)?;
        writeln!(out, "wrote the manual to {}", self.directory.display())?;
        Ok(())
    }
}
