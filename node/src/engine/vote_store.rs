//! The core's vote store on the consensus file, and the start from it.

use std::path::Path;
use std::sync::Arc;

use anyhow::{Context as _, Result};
use consensus::guard::{Incarnation, Standing, Start};
use consensus::record::ARCHIVE_TAG;
use consensus::store::{Loaded, Operator, VoteStore, begin};
use consensus::{Change, Record, RecordKey};
use data_encoding::HEXLOWER;
use ledger::Ledger;
use ledger::store::{ConsensusFile, StoreError};
use ledger_types::NetworkId;
use ledger_types::certificate::Certificate;

use crate::keys::write_line;

/// The records of the consensus file.
pub(super) struct LedgerVotes(pub(super) Arc<Ledger>);

impl VoteStore for LedgerVotes {
    type Error = StoreError;

    fn load(&self) -> Result<Loaded, StoreError> {
        let stored = self.0.consensus().records_below(ARCHIVE_TAG)?;
        let mut loaded = Loaded { records: Vec::new(), damaged: stored.damaged };
        for (key, value) in stored.sound {
            match Record::decode(&key, value) {
                Ok(record) => loaded.records.push(record),
                // Its checksum is right, but nothing that this program writes looks like it.
                Err(_) => loaded.damaged.push(key),
            }
        }
        Ok(loaded)
    }

    fn write(&mut self, changes: &[Change]) -> Result<(), StoreError> {
        let changes: Vec<_> = changes.iter().map(|change| (change.key(), change.value())).collect();
        self.0.consensus().write(&changes)
    }
}

/// Begins a life of this node: its incarnation is durable in the consensus file and in `file`, beside the keys, before
/// anything is signed.
pub(super) fn start(
    votes: &mut LedgerVotes,
    (file, network_id): (&Path, NetworkId),
    operator: Operator,
) -> Result<(Start, Loaded)> {
    let mut nonce = [0; 16];
    getrandom::fill(&mut nonce).map_err(|error| anyhow::anyhow!("no randomness: {error}"))?;
    let (start, loaded) =
        begin(votes, read(file, network_id)?, nonce, operator).context("the consensus file")?;
    let line = format!("{} {network_id}", HEXLOWER.encode(&start.current.to_bytes()));
    write_line(file, &line, 0o644)?;
    Ok((start, loaded))
}

/// Why a node that starts like this does not vote at once, for its operator.
pub(super) fn doubt(start: &Start, loaded: &Loaded) -> Option<String> {
    let is_guarded = |record: &Record| matches!(record, Record::Guard { bound: None, .. });
    match start.standing {
        Standing::Trusted => None,
        Standing::Observer => {
            let damaged: Vec<String> = loaded.damaged.iter().map(|key| HEXLOWER.encode(key)).collect();
            Some(format!(
                "pbft_consensus-01.lmdb is damaged (record {}): this node signs nothing. Start it with --restored to \
                 let it ask its peers, or with --trust-vote-store if no vote can be lost",
                damaged.join(", ")
            ))
        }
        _ if start.standing == Standing::Old || loaded.records.iter().any(is_guarded) => Some(
            "pbft_consensus-01.lmdb is older than this node's last votes: it signs nothing until enough peers have \
             told how far it may have voted. Where they cannot (too many nodes restored at once, or a network of \
             one), --trust-vote-store makes it vote from what it has, if no vote can be lost; else let all nodes go \
             back to a block that they agree on, by `dgt rollback`"
                .to_owned(),
        ),
        Standing::Current | Standing::Unproven | Standing::Old => None,
    }
}

/// The finalization of the block at a height, or of the nearest descendant that had one here.
///
/// # Errors
/// When the file cannot be read or the record is damaged.
pub(crate) fn finalization(file: &ConsensusFile, height: u64) -> Result<Option<Certificate>, StoreError> {
    let key = RecordKey::FinalizedAt { height }.encode();
    let Some(value) = file.get(&key)? else { return Ok(None) };
    let damaged = |reason: &dyn std::fmt::Display| {
        StoreError::damaged(file.file().name(), format!("finalization of height {height}"), reason)
    };
    match Record::decode(&key, value).map_err(|error| damaged(&error))? {
        Record::FinalizedAt { certificate, .. } => Ok(Some(certificate)),
        _ => Err(damaged(&"another record stands in its place")),
    }
}

/// The life that ran last under a network's id. One under another id, before a rollback, says nothing about votes of this
/// network: there are none yet, or the file would tell of them.
fn read(file: &Path, network_id: NetworkId) -> Result<Option<Incarnation>> {
    let text = match std::fs::read_to_string(file) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error).with_context(|| format!("reading {}", file.display())),
    };
    let told = text.trim().split_once(' ').and_then(|(incarnation, of)| {
        let bytes = HEXLOWER.decode(incarnation.as_bytes()).ok()?;
        let of: NetworkId = of.parse().ok()?;
        let incarnation = Incarnation::from_bytes(bytes.into()).ok()?;
        Some((of == network_id).then_some(incarnation))
    });
    told.with_context(|| {
        format!("{} is not what dgt wrote there; remove it and start with --restored", file.display())
    })
}
