//! `dgt testnet up`.

use std::io::{Read as _, Seek as _, SeekFrom, Write};
use std::path::Path;
use std::process::Child;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use clap::Args;

use super::process;
use super::site::{Member, Selection};
use crate::cli::output::{Cell, Column, List, ListStyle, Row};

const COLUMNS: &[Column] = &[
    Column { key: "node", heading: "NODE" },
    Column { key: "pid", heading: "PID" },
    Column { key: "url", heading: "URL" },
    Column { key: "state", heading: "STATE" },
];

/// How long one question for readiness may take.
const PROBE: Duration = Duration::from_secs(2);
/// What is shown of the log of a node that does not come up.
const TAIL_BYTES: u64 = 8 << 10;
const TAIL_LINES: usize = 12;

/// Arguments of `dgt testnet up`.
#[derive(Debug, Args)]
pub(in crate::cli) struct Up {
    #[command(flatten)]
    selection: Selection,
    /// Seconds that the nodes may take. Nodes named with --only need not find enough others in this time: they must serve.
    #[arg(long, default_value_t = 60, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(1..=3600))]
    timeout: u64,
    #[command(flatten)]
    style: ListStyle,
}

/// A node on its way up.
struct Starting {
    member: Member,
    /// Its process, when this command started it.
    child: Option<Child>,
    /// Why it does not take part yet; `None` once it does.
    missing: Option<String>,
}

impl Up {
    pub(super) fn run(self, out: &mut dyn Write) -> Result<()> {
        let probed = if self.selection.is_whole() { "/readyz" } else { "/healthz" };
        let mut nodes = Vec::new();
        for member in self.selection.members()? {
            let child = match member.process() {
                Some(_) => None,
                None => Some(process::start(&member)?),
            };
            nodes.push(Starting { member, child, missing: Some("it was not asked".to_owned()) });
        }
        let deadline = Instant::now() + Duration::from_secs(self.timeout);
        process::wait_until(deadline, || {
            // All are asked at every look, so that in the end each has its own reason.
            nodes.iter_mut().for_each(|node| node.look(probed));
            Ok(nodes.iter_mut().all(|node| node.missing.is_none() || node.has_ended()))
        })?;
        let mut list = List::new(out, self.style.format, COLUMNS);
        list.print(&nodes.iter().map(Starting::row).collect::<Vec<_>>())?;
        list.finish(None)?;
        let reports: Vec<String> = nodes.iter().filter_map(Starting::report).collect();
        match reports.as_slice() {
            [] => Ok(()),
            reports => bail!("{} of {} nodes are not up\n{}", reports.len(), nodes.len(), reports.join("\n")),
        }
    }
}

impl Starting {
    /// Asks a node that was not ready whether it is.
    fn look(&mut self, probed: &str) {
        if self.missing.is_none() {
            return;
        }
        self.missing = match &mut self.child {
            Some(child) => match child.try_wait() {
                Ok(Some(status)) => Some(format!("it ended: {status}")),
                _ => self.probe(probed),
            },
            None => self.probe(probed),
        };
    }

    fn probe(&self, path: &str) -> Option<String> {
        // Another program may answer where this node wants to listen.
        if self.member.process().is_none() {
            return Some("it does not hold its keys yet".to_owned());
        }
        self.member.connection().probe(path, PROBE).err().map(|error| format!("{error:#}"))
    }

    fn has_ended(&mut self) -> bool {
        self.child.as_mut().is_some_and(|child| matches!(child.try_wait(), Ok(Some(_))))
    }

    fn row(&self) -> Row {
        let pid = self.member.process().map(|pid| pid.as_raw_nonzero().to_string());
        let state = match (&self.missing, &self.child) {
            (Some(_), _) => "not up",
            (None, Some(_)) => "started",
            (None, None) => "was up",
        };
        let texts = [
            self.member.validator.to_string(),
            pid.unwrap_or_default(),
            self.member.url.clone(),
            state.to_owned(),
        ];
        texts.map(Cell::Text).to_vec()
    }

    /// What the operator needs to know of a node that is not up.
    fn report(&self) -> Option<String> {
        let reason = self.missing.as_ref()?;
        let log = self.member.log_file();
        Some(format!("{}: {reason}\n  {}:\n{}", self.member.validator, log.display(), tail(&log)))
    }
}

/// The last lines of a file, as far as it can be read.
fn tail(path: &Path) -> String {
    let read = || -> std::io::Result<Vec<u8>> {
        let mut file = std::fs::File::open(path)?;
        let start = file.metadata()?.len().saturating_sub(TAIL_BYTES);
        file.seek(SeekFrom::Start(start))?;
        let mut bytes = Vec::new();
        file.take(TAIL_BYTES).read_to_end(&mut bytes)?;
        Ok(bytes)
    };
    let text = String::from_utf8_lossy(&read().unwrap_or_default()).into_owned();
    let lines: Vec<&str> = text.lines().collect();
    let last = lines.len().saturating_sub(TAIL_LINES);
    lines.iter().skip(last).map(|line| format!("    {line}")).collect::<Vec<_>>().join("\n")
}
