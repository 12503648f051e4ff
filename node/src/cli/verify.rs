//! `dgt verify`.

use anyhow::Result;
use clap::Args;

/// Arguments of `dgt verify`.
#[derive(Debug, Args)]
pub(super) struct Verify {}

impl Verify {
    pub(super) fn run(self) -> Result<()> {
        anyhow::bail!("placeholder")
    }
}
