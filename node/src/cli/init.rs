//! `dgt init`.

use std::io::Write;
use std::path::PathBuf;

use anyhow::{Result, bail};
use clap::Args;
use ledger_types::signature::Curve;

use crate::config::template;
use crate::home::Home;
use crate::keys::KeyFiles;
use crate::wiring;

/// Arguments of `dgt init`.
#[derive(Debug, Args)]
pub(super) struct Init {
    /// The node's folder.
    #[arg(long, env = "DGT_HOME", default_value = "dgt_clust/c1/dgt1", value_name = "DIR")]
    home: PathBuf,
    /// Replace an existing settings file. Keys are never replaced.
    #[arg(long)]
    force: bool,
}

impl Init {
    pub(super) fn run(self, out: &mut dyn Write) -> Result<()> {
        let home = Home::new(&self.home)?;
        let settings = home.settings_file();
        if settings.exists() && !self.force {
            bail!("{} exists; --force replaces it", settings.display());
        }
        home.create()?;
        wiring::write_whole(&settings, &template())?;
        writeln!(out, "settings  {}", settings.display())?;
        writeln!(out, "keys      {}", home.keys().display())?;
        for name in ["vote", "net", "admin"] {
            let (key, is_new) = KeyFiles::new(&home.keys(), name).read_or_make(Curve::Ed25519)?;
            let kept = if is_new { "" } else { " (kept)" };
            writeln!(out, "{name:<9} {}{kept}", key.public_key())?;
        }
        writeln!(out, "start it with: dgt start --home {}", self.home.display())?;
        Ok(())
    }
}
