//! `dgt verify-certificate`.

use std::io::Write;

use anyhow::Result;
use clap::Args;
use serde_json::json;

use super::super::output::{DocumentStyle, print_document};
use super::anchor::Anchor;
use super::source::{Source, certificate_of, headers_of};

/// Arguments of `dgt verify-certificate`.
#[derive(Debug, Args)]
pub(in crate::cli) struct VerifyCertificate {
    #[command(flatten)]
    source: Source,
    #[command(flatten)]
    style: DocumentStyle,
}

impl VerifyCertificate {
    /// Prints the block that is final.
    pub(in crate::cli) fn run(self, out: &mut dyn Write) -> Result<()> {
        let answer = self.source.read()?;
        let anchor = Anchor::read(&self.source.network)?;
        let found = anchor.check(certificate_of(&answer)?, &headers_of(&answer)?)?;
        let document = json!({
            "block_id": found.header.id().to_string(),
            "block_num": found.header.height,
            "signers": found.signers,
            "state_root": found.header.state_root.to_string(),
            "valid": true,
        });
        print_document(out, self.style.format, &document)
    }
}
