//! `dgt verify`.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use bytes::Bytes;
use clap::Args;
use consensus::{Committee, Ed25519Verifier, Record, certificates};
use genesis::NetworkFile;
use ledger::GenesisBlock;
use ledger::backup::{CertificateCheck, Finalized, Step, Summary, VerifyOptions, verify};
use ledger::store::FileKind;
use ledger_types::BlockId;
use ledger_types::certificate::Certified;

use super::progress::Progress;
use crate::home::Home;

/// Arguments of `dgt verify`.
#[derive(Debug, Args)]
pub(super) struct Verify {
    /// A data directory [default: that of --home]; its network file is looked for in ../etc.
    #[arg(value_name = "DATA_DIR", conflicts_with = "home")]
    directory: Option<PathBuf>,
    /// The stopped node's folder.
    #[arg(long, default_value = "dgt_clust/c1/dgt1", value_name = "DIR")]
    home: PathBuf,
    /// Check hashes, certificates, receipts, state and indexes, but do not execute all blocks again.
    #[arg(long)]
    quick: bool,
    /// The network file, where it is not beside the data.
    #[arg(skip)]
    network_file: Option<PathBuf>,
}

impl Verify {
    /// A check of everything in a folder of files, by a network file.
    pub(super) fn of(directory: PathBuf, network_file: Option<PathBuf>) -> Self {
        Self { directory: Some(directory), home: PathBuf::new(), quick: false, network_file }
    }

    pub(super) fn run(self, out: &mut dyn Write) -> Result<()> {
        let started = Instant::now();
        let (directory, network_file) = self.places()?;
        if !directory.is_dir() {
            bail!("{}: not a data directory", directory.display());
        }
        let network = match network_file.exists() {
            true => Some(Network::read(&network_file)?),
            false if self.directory.is_some() => None,
            false => bail!("{} is missing; name the data directory to do without", network_file.display()),
        };
        let options = VerifyOptions {
            directory: directory.clone(),
            genesis: network.as_ref().map(|network| &network.genesis),
            certificates: network.as_ref().map(|network| &network.committee as &dyn CertificateCheck),
            registry: (!self.quick).then(|| Arc::new(txfamilies::registry()) as Arc<_>),
        };
        let mut progress = Progress::default();
        let checked = verify(&options, &mut |step, done, all| match step {
            Step::Pages => progress.show("pages", "MiB", done >> 20, Some(all >> 20)),
            Step::Records => progress.show("records", "blocks", done, Some(all)),
            Step::Execution => progress.show("execution", "blocks", done, Some(all)),
        });
        progress.clear();
        print(out, &directory, &checked?, self.quick, started.elapsed())
    }

    /// The data directory and the network file.
    fn places(&self) -> Result<(PathBuf, PathBuf)> {
        let Some(directory) = &self.directory else {
            let home = Home::new(&self.home)?;
            return Ok((home.data(), home.network_file()));
        };
        let directory = std::path::absolute(directory)?;
        let home = Home::new(directory.parent().unwrap_or(&directory))?;
        let beside = || home.network_file();
        Ok((directory, self.network_file.clone().unwrap_or_else(beside)))
    }
}

/// What the files are measured by.
struct Network {
    genesis: GenesisBlock,
    committee: Certificates,
}

impl Network {
    fn read(path: &Path) -> Result<Self> {
        let context = || format!("{}", path.display());
        let text = std::fs::read_to_string(path).with_context(context)?;
        let genesis = NetworkFile::parse(&text).and_then(|file| file.genesis()).with_context(context)?;
        // The first block orders the leaders, and a certificate does not depend on who led.
        let committee = Committee::new(genesis.lineage.clone(), 0, genesis.topology, &BlockId::ZERO);
        let genesis = GenesisBlock {
            lineage: genesis.lineage,
            cfg_hash: genesis.cfg_hash,
            time_ms: genesis.time_ms,
            batches: genesis.batches,
        };
        Ok(Self { genesis, committee: Certificates(committee) })
    }
}

/// Certificates by the rules of consensus.
struct Certificates(Committee);

impl CertificateCheck for Certificates {
    fn check(&self, key: &[u8], record: Bytes) -> Result<Option<Finalized>, String> {
        let record = Record::decode(key, record).map_err(|error| error.to_string())?;
        let Record::FinalizedAt { height, certificate } = record else { return Ok(None) };
        certificates::check_history(&certificate, &self.0, &Ed25519Verifier)
            .map_err(|error| error.to_string())?;
        let Certified::Finalization(candidate) = certificate.certified() else {
            return Err("the certificate finalizes nothing".to_owned());
        };
        Ok(Some(Finalized { height, block_height: candidate.height, block: candidate.block }))
    }
}

fn print(
    out: &mut dyn Write,
    directory: &Path,
    summary: &Summary,
    quick: bool,
    elapsed: Duration,
) -> Result<()> {
    let head = &summary.head;
    writeln!(out, "{}: clean", directory.display())?;
    writeln!(out, "  pages          {}, each in use once or free", summary.pages)?;
    writeln!(out, "  head           {} {}", head.height, head.id)?;
    writeln!(out, "  batches        {}", summary.batches)?;
    writeln!(out, "  transactions   {}", summary.transactions)?;
    writeln!(out, "  rejections     {}", summary.rejections)?;
    writeln!(out, "  state values   {}", summary.state_values)?;
    writeln!(out, "  finalizations  {}", finalizations(summary))?;
    writeln!(out, "  executed again {}", executed(summary, quick))?;
    writeln!(out, "  time           {:.1} s", elapsed.as_secs_f64())?;
    for (kind, height) in
        [(FileKind::Receipts, summary.receipts_height), (FileKind::Merkle, summary.state_height)]
    {
        let missing = (head.height + 1).saturating_sub(height.map_or(0, |height| height + 1));
        if missing > 0 {
            writeln!(
                out,
                "{}: the next start adds what belongs to the last {missing} blocks",
                kind.file_name()
            )?;
        }
    }
    if summary.finalized_ahead > 0 {
        writeln!(
            out,
            "{}: the next start adds {} finalized blocks",
            FileKind::Block.file_name(),
            summary.finalized_ahead
        )?;
    }
    Ok(())
}

fn executed(summary: &Summary, quick: bool) -> String {
    match summary.executed_height {
        _ if quick => "no (--quick)".to_owned(),
        Some(height) if height == summary.head.height && summary.state_oldest > 0 => format!(
            "from height {} on; the network no longer keeps the state to execute older blocks on",
            summary.state_oldest + 1
        ),
        Some(height) if height == summary.head.height => "yes".to_owned(),
        height => {
            format!("{} blocks; the next start executes the others", height.map_or(0, |height| height + 1))
        }
    }
}

fn finalizations(summary: &Summary) -> String {
    let Some(found) = summary.finalizations else {
        return "not checked: there is no network file".to_owned();
    };
    match summary.head.height.saturating_sub(found) {
        0 => found.to_string(),
        missing => format!("{found}; missing for {missing} heights, which is no damage"),
    }
}
