//! What was looked at and what was found.

use std::io::Write;

use anyhow::Result;
use serde::Serialize;

use crate::cli::output::{DocumentFormat, print_document, printable};

/// How bad a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Severity {
    /// The node runs, but not as well as it should, or not for long.
    Warning,
    /// The node does not start, does not take part, or gives away its keys.
    Error,
}

/// Something that is wrong, and what to do about it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Finding {
    /// How bad it is.
    pub(super) severity: Severity,
    /// What is wrong.
    pub(super) what: String,
    /// What mends it.
    pub(super) mend: String,
}

impl Finding {
    /// What keeps the node from taking part.
    pub(super) fn error(what: impl Into<String>, mend: impl Into<String>) -> Self {
        Self { severity: Severity::Error, what: what.into(), mend: mend.into() }
    }

    /// What is not as it should be.
    pub(super) fn warning(what: impl Into<String>, mend: impl Into<String>) -> Self {
        Self { severity: Severity::Warning, what: what.into(), mend: mend.into() }
    }
}

/// One look, whatever it found.
#[derive(Clone, Debug, Serialize)]
struct Check {
    check: &'static str,
    /// What was looked at.
    subject: String,
    findings: Vec<Finding>,
}

/// All looks at one node.
#[derive(Clone, Debug, Default, Serialize)]
pub(super) struct Report {
    checks: Vec<Check>,
    errors: usize,
    warnings: usize,
}

impl Report {
    /// Adds what a look found; nothing is good news.
    pub(super) fn add(&mut self, check: &'static str, subject: impl Into<String>, findings: Vec<Finding>) {
        let errors = findings.iter().filter(|finding| finding.severity == Severity::Error).count();
        self.errors += errors;
        self.warnings += findings.len() - errors;
        self.checks.push(Check { check, subject: subject.into(), findings });
    }

    /// How many findings must be mended.
    pub(super) fn errors(&self) -> usize {
        self.errors
    }

    /// Prints a line for each look without a finding and two for each finding, or a document.
    pub(super) fn print(&self, out: &mut dyn Write, format: DocumentFormat) -> Result<()> {
        if format != DocumentFormat::Default {
            return print_document(out, format, &serde_json::to_value(self)?);
        }
        for Check { check, subject, findings } in &self.checks {
            if findings.is_empty() {
                writeln!(out, "ok       {check:<9}{}", printable(subject))?;
            }
            for Finding { severity, what, mend } in findings {
                let severity = match severity {
                    Severity::Warning => "warning",
                    Severity::Error => "error",
                };
                writeln!(out, "{severity:<9}{check:<9}{}", printable(what))?;
                writeln!(out, "{:18}mend: {}", "", printable(mend))?;
            }
        }
        writeln!(out, "{} to mend, {} to look at", self.errors, self.warnings)?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::{Finding, Report};
    use crate::cli::output::DocumentFormat;

    fn printed(format: DocumentFormat) -> String {
        let mut report = Report::default();
        report.add("folder", "/n", Vec::new());
        let findings = vec![Finding::error("it is \u{1b}[2Jbad", "do it"), Finding::warning("hm", "look")];
        report.add("keys", "/n/keys", findings);
        assert_eq!(report.errors(), 1);
        let mut out = Vec::new();
        report.print(&mut out, format).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn people_see_what_is_wrong_and_its_mend_below() {
        let expected = "\
ok       folder   /n
error    keys     it is \\u{1b}[2Jbad
                  mend: do it
warning  keys     hm
                  mend: look
1 to mend, 1 to look at
";
        assert_eq!(printed(DocumentFormat::Default), expected);
    }

    #[test]
    fn programs_see_the_same() {
        let document: serde_json::Value = serde_json::from_str(&printed(DocumentFormat::Json)).unwrap();
        assert_eq!((&document["errors"], &document["warnings"]), (&1.into(), &1.into()));
        assert_eq!(document["checks"][0]["findings"], serde_json::json!([]));
        assert_eq!(document["checks"][1]["findings"][1]["severity"], "warning");
        assert_eq!(document["checks"][1]["subject"], "/n/keys");
    }
}
