//! `dgt doctor`: looks for what keeps nodes from running well, and names the mend.
//!
//! It changes nothing, needs no running node, and may run beside one. What it cannot see it does not judge.

mod folder;
mod machine;
mod network;
mod report;
mod running;

use std::io::Write;

use anyhow::{Result, bail};
use clap::Args;
use genesis::Genesis;
use ledger::store::FileKind;
use ledger_types::ValidatorId;

use self::report::{Finding, Report};
use super::node_flags::{NodeFlags, environment};
use super::output::DocumentStyle;
use super::testnet::process::{Pid, holder};
use crate::config::{Settings, unknown_variables};
use crate::home::Home;
use crate::wiring::tls_of;

/// Arguments of `dgt doctor`.
#[derive(Debug, Args)]
pub(super) struct Doctor {
    #[command(flatten)]
    node: NodeFlags,
    /// The REST interface of another node, to compare network, version and clock with; may be given several times.
    #[arg(long, value_name = "URL")]
    other: Vec<String>,
    /// Warn when less is free on the disk, GiB.
    #[arg(long, default_value_t = 1, value_name = "GIB", value_parser = clap::value_parser!(u64).range(0..=1_000_000))]
    free_gib: u64,
    #[command(flatten)]
    style: DocumentStyle,
}

impl Doctor {
    /// Fails when something must be mended.
    pub(super) fn run(self, out: &mut dyn Write) -> Result<()> {
        let report = self.examine()?;
        report.print(out, self.style.format)?;
        match report.errors() {
            0 => Ok(()),
            1 => bail!("one thing must be mended"),
            errors => bail!("{errors} things must be mended"),
        }
    }

    fn examine(&self) -> Result<Report> {
        let home = Home::new(&self.node.home)?;
        let mut report = Report::default();
        report.add("folder", home.path().display().to_string(), folder::folder(&home));
        if !home.path().is_dir() {
            return Ok(report);
        }
        let keys = folder::keys(&home);
        report.add("keys", home.keys().display().to_string(), keys.findings);
        // Without settings nobody knows where to look.
        let settings = match self.node.resolve() {
            Ok(resolved) => resolved.settings,
            Err(error) => {
                let mend = "correct it; `dgt config show` tells what counts and where it came from";
                report.add("settings", "", vec![Finding::error(format!("{error:#}"), mend)]);
                return Ok(report);
            }
        };
        report.add("settings", home.settings_file().display().to_string(), of_settings(&settings));

        let process = holder(&home.vote_lock());
        let disk = machine::disk(&home, &settings, self.free_gib);
        report.add("disk", home.data().display().to_string(), disk);
        report.add("limits", "open files", machine::open_files(&settings, process));
        if process.is_none() {
            report.add("ports", format!("{} and others", settings.api), machine::ports(&settings));
        }

        let (genesis, findings) = network::file(&home, &settings);
        let Some(genesis) = genesis else {
            report.add("network", "none yet", findings);
            return Ok(report);
        };
        let keys = (keys.vote.as_ref(), keys.net.as_ref());
        let (own, findings) = network::membership(&genesis, &settings, keys);
        report.add("network", genesis.lineage.current().to_string(), findings);
        let clock = machine::is_past(genesis.time_ms, "the network").into_iter().collect();
        report.add("clock", "against the network's age", clock);
        match process {
            Some(pid) => examine_running(&mut report, &settings, &genesis, pid),
            None => examine_stopped(&mut report, &home, &settings, &genesis, own),
        }
        for url in &self.other {
            report.add("other", url.clone(), running::other(url, &genesis));
        }
        Ok(report)
    }
}

/// What a node says that runs.
fn examine_running(report: &mut Report, settings: &Settings, genesis: &Genesis, process: Pid) {
    if settings.tls_certificate.is_some() {
        let subject =
            format!("process {} runs and speaks https, which dgt does not", process.as_raw_nonzero());
        return report.add("node", subject, Vec::new());
    }
    let url = running::url(settings);
    let findings = running::own(&url, genesis);
    report.add("node", url, findings);
}

/// What a node will find when it starts.
fn examine_stopped(
    report: &mut Report,
    home: &Home,
    settings: &Settings,
    genesis: &Genesis,
    own: Option<ValidatorId>,
) {
    let has_begun = home.data().join(FileKind::Block.file_name()).exists();
    report.add("files", home.data().display().to_string(), machine::files(home, genesis));
    if let Some(own) = own {
        report.add("peers", "network.peers", network::reach(genesis, settings, own, has_begun));
    }
}

/// What contradicts itself in settings that can be read.
fn of_settings(settings: &Settings) -> Vec<Finding> {
    let unknown = unknown_variables(environment()).into_iter().map(|variable| {
        Finding::warning(
            format!("{variable} in the environment sets nothing"),
            "correct its name, or remove it",
        )
    });
    let tls = tls_of(settings).err().map(|error| {
        Finding::error(
            format!("{error:#}"),
            "set api.tls_certificate and api.tls_key to a PEM chain and its key",
        )
    });
    unknown.chain(tls).collect()
}
