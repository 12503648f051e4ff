//! `dgt status` and `dgt healthcheck`.

use std::io::Write;
use std::time::Duration;

use anyhow::Result;
use clap::Args;

use super::client::Connection;
use super::output::{DocumentStyle, print_document};

/// Arguments of `dgt status`.
#[derive(Debug, Args)]
pub(super) struct Status {
    #[command(flatten)]
    connection: Connection,
    #[command(flatten)]
    style: DocumentStyle,
}

impl Status {
    pub(super) fn run(self, out: &mut dyn Write) -> Result<()> {
        let found = self.connection.get("/status", &[])?;
        print_document(out, self.style.format, &found["data"])
    }
}

/// Arguments of `dgt healthcheck`.
#[derive(Debug, Args)]
pub(super) struct Healthcheck {
    #[command(flatten)]
    connection: Connection,
    /// Seconds that the node may take to answer.
    #[arg(long, default_value_t = 5, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(1..=600))]
    timeout: u64,
}

impl Healthcheck {
    /// Fails unless the node takes part and accepts batches.
    pub(super) fn run(self, out: &mut dyn Write) -> Result<()> {
        self.connection.probe("/readyz", Duration::from_secs(self.timeout))?;
        writeln!(out, "ready")?;
        Ok(())
    }
}
