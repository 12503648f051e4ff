//! `dgt rollback`.

use std::io::Write;
use std::path::Path;

use anyhow::{Context as _, Result, bail};
use bytes::Bytes;
use clap::Args;
use consensus::Record;
use genesis::NetworkFile;
use ledger::backup::{Rollbacks, Undone, Votes};
use ledger_types::{BlockHeader, BlockId, Lineage, NetworkId};

use super::node_flags::NodeFlags;
use crate::home::Home;
use crate::wiring::{read_network, write_whole};

/// Arguments of `dgt rollback`.
#[derive(Debug, Args)]
pub(super) struct Rollback {
    #[command(flatten)]
    node: NodeFlags,
    /// The height of the last block that stays.
    #[arg(long, value_name = "HEIGHT")]
    to_height: u64,
    /// The id of that block: what all members agreed on.
    #[arg(long, value_name = "ID")]
    to_block: BlockId,
    /// The id of the network that is left; needed only to go back to the same block once more.
    #[arg(long, value_name = "ID")]
    from_network: Option<NetworkId>,
    /// Say what would happen and change nothing.
    #[arg(long)]
    dry_run: bool,
}

/// What there is to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    /// Nothing: it was done before.
    None,
    /// All of it.
    Whole,
    /// What an earlier run that did not come to its end left.
    Rest,
}

impl Rollback {
    pub(super) fn run(self, out: &mut dyn Write) -> Result<()> {
        let home = Home::new(&self.node.home)?;
        let map_bytes = self.node.resolve()?.settings.map_gib << 30;
        let network = home.network_file();
        let told = read_network(&network)?.lineage();
        let files = Rollbacks::open(&home.data(), map_bytes, &told)?;
        let rollback = ledger_types::Rollback { height: self.to_height, block: self.to_block };
        let step = step(files.stored(), &told, &rollback, self.from_network)?;
        if step == Step::None {
            return report_done(out, files.stored(), &rollback, files.head().height);
        }
        let (before, after) = (files.stored().current(), files.stored().clone().then(rollback).current());
        let undone = files.check(&rollback)?;
        if self.dry_run {
            return report(out, "would go", &undone, [before, after]);
        }
        // First of all: from here on no start takes the files before all of them are done.
        if step == Step::Whole {
            tell(&network, &rollback)?;
        }
        files.run(&rollback, &VoidVotes)?;
        report(out, "went", &undone, [before, after])?;
        writeln!(out, "Run the same on every other node. All must print this network; then start them.")?;
        Ok(())
    }
}

/// Compares what was done with what is wanted.
fn step(
    stored: &Lineage,
    told: &Lineage,
    wanted: &ledger_types::Rollback,
    from: Option<NetworkId>,
) -> Result<Step> {
    let done = stored.rollbacks();
    if let Some((next, _)) = told.rollbacks().get(done.len()) {
        if next != wanted {
            let ledger_types::Rollback { height, block } = next;
            bail!(
                "the network file tells of another rollback that was not finished here; finish that first: \
                 dgt rollback --to-height {height} --to-block {block}"
            );
        }
        return Ok(Step::Rest);
    }
    if stored != told {
        bail!(
            "block-01.lmdb was rolled back and the network file does not tell of it: take that of another node"
        );
    }
    let is_last = done.last().is_some_and(|(last, _)| last == wanted);
    let before_last = stored.up_to(done.len().saturating_sub(1)).current();
    match from {
        None if is_last => Ok(Step::None),
        Some(from) if is_last && from == before_last => Ok(Step::None),
        Some(from) if from != stored.current() => {
            bail!("this node is of network {}, not {from}", stored.current())
        }
        _ => Ok(Step::Whole),
    }
}

/// Adds the rollback to the network file, whose other lines stay as they are.
fn tell(path: &Path, rollback: &ledger_types::Rollback) -> Result<()> {
    let text = std::fs::read_to_string(path).with_context(|| format!("reading {}", path.display()))?;
    let text = format!("{}\n{}", text.trim_end(), NetworkFile::rollback_toml(rollback));
    NetworkFile::parse(&text).with_context(|| format!("{} with the rollback added", path.display()))?;
    write_whole(path, &text)
}

fn report(out: &mut dyn Write, went: &str, undone: &Undone, [before, after]: [NetworkId; 2]) -> Result<()> {
    let Undone { to, blocks, batches, transactions } = undone;
    writeln!(out, "{went} back to height {}, block {}", to.height, to.id())?;
    writeln!(out, "undone          {blocks} blocks, {batches} batches, {transactions} transactions")?;
    writeln!(out, "network before  {before}")?;
    writeln!(out, "network         {after}")?;
    Ok(())
}

fn report_done(
    out: &mut dyn Write,
    stored: &Lineage,
    rollback: &ledger_types::Rollback,
    head: u64,
) -> Result<()> {
    let network = stored.current();
    writeln!(
        out,
        "went back to height {}, block {} before; nothing is changed",
        rollback.height, rollback.block
    )?;
    writeln!(out, "network         {network}")?;
    writeln!(out, "newest block    {head}")?;
    writeln!(out, "To go back there once more, add --from-network {network}")?;
    Ok(())
}

/// Under a new id every vote is void; what proves that blocks are final, or that somebody lied, is kept.
struct VoidVotes;

impl Votes for VoidVotes {
    fn outlives(&self, key: &[u8], record: Bytes, height: u64) -> bool {
        match Record::decode(key, record) {
            Ok(Record::FinalizedAt { certificate, .. }) => {
                certificate.certified().candidate().is_some_and(|block| block.height <= height)
            }
            Ok(Record::Evidence { .. }) => true,
            _ => false,
        }
    }

    fn fresh(&self, last: &BlockHeader) -> Vec<(Vec<u8>, Vec<u8>)> {
        // The views up to that of the last block are over, or the first start would take its absence for lost votes.
        let floor = Record::Floor { epoch: last.epoch, view: last.view };
        vec![(floor.key().encode(), floor.value())]
    }
}

#[cfg(test)]
mod tests {
    use ledger_types::{BlockId, Lineage, NetworkId, Rollback};

    use super::{Step, step};

    #[test]
    fn what_is_done_is_not_done_again_and_what_is_not_is_finished_first() {
        let to = |height| Rollback { height, block: BlockId([1; 64]) };
        let never: Lineage = NetworkId([0; 32]).into();
        let (once, twice) = (never.clone().then(to(5)), never.clone().then(to(5)).then(to(5)));
        assert_eq!(step(&never, &never, &to(5), None).unwrap(), Step::Whole);
        assert_eq!(step(&never, &never, &to(5), Some(never.current())).unwrap(), Step::Whole);
        assert!(step(&never, &never, &to(5), Some(once.current())).is_err(), "another network");
        assert_eq!(step(&never, &once, &to(5), None).unwrap(), Step::Rest);
        assert!(step(&never, &once, &to(4), None).unwrap_err().to_string().contains("--to-height 5"));
        assert!(step(&once, &never, &to(5), None).is_err(), "the network file is behind");
        assert_eq!(step(&once, &once, &to(5), None).unwrap(), Step::None);
        assert_eq!(step(&once, &once, &to(5), Some(never.current())).unwrap(), Step::None);
        assert_eq!(step(&once, &once, &to(5), Some(once.current())).unwrap(), Step::Whole);
        assert_eq!(step(&once, &once, &to(4), None).unwrap(), Step::Whole);
        assert_eq!(step(&once, &twice, &to(5), None).unwrap(), Step::Rest);
        assert_eq!(step(&never, &twice, &to(5), None).unwrap(), Step::Rest, "one after the other");
    }
}
