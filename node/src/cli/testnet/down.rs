//! `dgt testnet down`.

use std::io::Write;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use clap::Args;
use rustix::process::Signal;

use super::process::{self, Pid};
use super::site::{Member, Selection};
use crate::cli::output::{Cell, Column, List, ListStyle};

const COLUMNS: &[Column] =
    &[Column { key: "node", heading: "NODE" }, Column { key: "state", heading: "STATE" }];

/// How long a killed process may take to be gone.
const KILLED: Duration = Duration::from_secs(10);

/// Arguments of `dgt testnet down`.
#[derive(Debug, Args)]
pub(in crate::cli) struct Down {
    #[command(flatten)]
    selection: Selection,
    /// Seconds that the nodes may take to stop; those that take longer are killed.
    #[arg(long, default_value_t = 30, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(0..=3600))]
    timeout: u64,
    #[command(flatten)]
    style: ListStyle,
}

impl Down {
    pub(super) fn run(self, out: &mut dyn Write) -> Result<()> {
        let members = self.selection.members()?;
        let running: Vec<(&Member, Pid)> =
            members.iter().filter_map(|member| Some((member, member.process()?))).collect();
        for (_, pid) in &running {
            process::send(*pid, Signal::TERM)?;
        }
        wait(&running, Duration::from_secs(self.timeout))?;
        let slow = still(&running);
        for (member, pid) in &slow {
            eprintln!(
                "dgt: {} did not stop in {} s: KILLING process {}",
                member.validator,
                self.timeout,
                pid.as_raw_nonzero()
            );
            process::send(*pid, Signal::KILL)?;
        }
        wait(&slow, KILLED)?;
        if let Some((member, pid)) = still(&slow).first() {
            bail!("{}: process {} does not end", member.validator, pid.as_raw_nonzero());
        }
        let is_among = |nodes: &[(&Member, Pid)], member: &Member| {
            nodes.iter().any(|(other, _)| other.validator == member.validator)
        };
        let row = |member: &Member| {
            let state = match (is_among(&running, member), is_among(&slow, member)) {
                (_, true) => "killed",
                (true, _) => "stopped",
                _ => "was down",
            };
            vec![Cell::Text(member.validator.to_string()), Cell::Text(state.to_owned())]
        };
        let mut list = List::new(out, self.style.format, COLUMNS);
        list.print(&members.iter().map(row).collect::<Vec<_>>())?;
        list.finish(None)
    }
}

/// The nodes that still run in the same process.
fn still<'a>(nodes: &[(&'a Member, Pid)]) -> Vec<(&'a Member, Pid)> {
    nodes.iter().copied().filter(|(member, pid)| member.process() == Some(*pid)).collect()
}

fn wait(nodes: &[(&Member, Pid)], longest: Duration) -> Result<()> {
    process::wait_until(Instant::now() + longest, || Ok(still(nodes).is_empty())).map(drop)
}
