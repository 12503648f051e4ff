use std::io::Write;

use anyhow::Result;
use serde_json::Value;

use super::format::DocumentFormat;
use super::yaml;

/// Prints one document.
pub(in crate::cli) fn print_document(
    out: &mut dyn Write,
    format: DocumentFormat,
    document: &Value,
) -> Result<()> {
    match format {
        DocumentFormat::Default | DocumentFormat::Yaml => {
            out.write_all(yaml::to_text(document).as_bytes())?;
        }
        // Two spaces of indentation, the keys in order.
        DocumentFormat::Json => writeln!(out, "{}", serde_json::to_string_pretty(document)?)?,
    }
    Ok(())
}
