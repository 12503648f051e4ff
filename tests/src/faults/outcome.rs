//! Whether a node can go on from what a power loss left: opened through the ledger, as a start does it.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use consensus::guard::{Incarnation, Standing, Start};
use consensus::record::ARCHIVE_TAG;
use consensus::{Committee, Ed25519Verifier, Record, certificates};
use data_encoding::HEXLOWER;
use genesis::{Genesis, NetworkFile};
use ledger::backup::{CertificateCheck, Finalized, VerifyOptions, verify};
use ledger::{GenesisBlock, Ledger, OpenOptions};
use ledger_types::certificate::{Certified, VoteKind};
use ledger_types::{BatchId, Block, BlockId};

/// A map is large enough for what a test writes.
const MAP_BYTES: usize = 1 << 30;

/// The network of a node.
pub struct Network {
    genesis: Genesis,
    committee: Certificates,
}

impl Network {
    /// Reads a node's network file.
    pub fn of(home: &Path) -> Self {
        let path = home.join("etc/network.toml");
        let text =
            std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let genesis = NetworkFile::parse(&text).and_then(|file| file.genesis());
        let genesis = genesis.unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let committee = Committee::new(genesis.lineage.clone(), 0, genesis.topology.clone(), &BlockId::ZERO);
        Self { genesis, committee: Certificates(committee) }
    }

    fn genesis_block(&self) -> GenesisBlock {
        let Genesis { lineage, cfg_hash, time_ms, batches, .. } = &self.genesis;
        let (lineage, batches) = (lineage.clone(), batches.clone());
        GenesisBlock { lineage, cfg_hash: *cfg_hash, time_ms: *time_ms, batches }
    }

    /// Checks what is in a data directory after a power loss: it opens without help, no vote is forgotten, what was decided
    /// is finished, nothing told as committed is missing, and the whole verifies. Returns the height reached.
    ///
    /// # Errors
    /// What is wrong.
    pub fn check(&self, data: &Path, generation: &[u8], committed: &[BatchId]) -> Result<u64, String> {
        let ledger = Ledger::open(&OpenOptions {
            directory: data.to_owned(),
            map_bytes: MAP_BYTES,
            check_bytes: u64::MAX,
            rebuild: false,
            genesis: self.genesis_block(),
            registry: Arc::new(txfamilies::registry()),
        });
        let ledger = ledger.map_err(|error| format!("it does not open: {error}"))?;
        let records = votes(&ledger, generation)?;
        finish(&ledger, &records)?;
        let reader = ledger.reader();
        for (number, batch) in committed.iter().enumerate() {
            if reader.batch_place(batch).map_err(|error| error.to_string())?.is_none() {
                let all = committed.len();
                return Err(format!("batch {batch}, number {number} of {all} told as committed, is lost"));
            }
        }
        let height = ledger.sync().map_err(|error| error.to_string())?;
        drop((ledger, reader));
        let verified = verify(
            &VerifyOptions {
                directory: data.to_owned(),
                genesis: Some(&self.genesis_block()),
                certificates: Some(&self.committee),
                registry: None,
            },
            &mut |_, _, _| {},
        );
        verified.map_err(|error| format!("it does not verify: {error}"))?;
        Ok(height)
    }
}

/// The live records of the consensus file, none of which may be damaged or older than the vote generation says.
fn votes(ledger: &Ledger, generation: &[u8]) -> Result<Vec<Record>, String> {
    let stored = ledger.consensus().records_below(ARCHIVE_TAG).map_err(|error| error.to_string())?;
    if let Some(key) = stored.damaged.first() {
        return Err(format!("record {} of the consensus file is damaged", HEXLOWER.encode(key)));
    }
    let decoded = stored.sound.into_iter().map(|(key, value)| Record::decode(&key, value));
    let records: Vec<Record> = decoded.collect::<Result<_, _>>().map_err(|error| error.to_string())?;
    // The life and, behind a space, the network that it was under.
    let life = generation.split(|byte| *byte == b' ').next().unwrap_or_default();
    let generation = HEXLOWER.decode(life).map_err(|error| error.to_string())?;
    let file = Incarnation::from_bytes(generation.into()).map_err(|error| error.to_string())?;
    let stored = records.iter().find_map(|record| match record {
        Record::Incarnation(incarnation) => Some(*incarnation),
        _ => None,
    });
    match Start::new(stored, Some(file), [0; 16]).standing {
        Standing::Current | Standing::Unproven => Ok(records),
        doubtful => Err(format!("the votes are {doubtful:?}: {stored:?} beside {file:?}")),
    }
}

/// Commits what is finalized in the consensus file and not in the block file, as a restart does.
fn finish(ledger: &Ledger, records: &[Record]) -> Result<(), String> {
    let mut bodies = BTreeMap::new();
    let mut finalized: Vec<BlockId> = Vec::new();
    for record in records {
        match record {
            Record::Body { propose, body } => _ = bodies.insert(propose.header.id(), (&propose.header, body)),
            Record::Certificate(certificate) if certificate.certified().kind() == VoteKind::Finalize => {
                finalized.extend(certificate.certified().candidate().map(|candidate| candidate.block));
            }
            _ => {}
        }
    }
    let head = ledger.head();
    let chain_to = |block: &BlockId| {
        let mut chain = Vec::new();
        let mut next = *block;
        while next != head.id {
            let (header, body) = bodies.get(&next)?;
            chain.push((*body).clone());
            next = header.parent;
        }
        chain.reverse();
        Some(chain)
    };
    let chain: Vec<Bytes> = finalized.iter().filter_map(chain_to).max_by_key(Vec::len).unwrap_or_default();
    for body in chain {
        let block = Block::decode(body).map_err(|error| format!("a finalized body: {error}"))?;
        let executed = ledger.replay(&block).map_err(|error| error.to_string())?;
        ledger.commit(&[executed]).map_err(|error| error.to_string())?;
    }
    Ok(())
}

/// Certificates by the rules of consensus.
struct Certificates(Committee);

impl CertificateCheck for Certificates {
    fn check(&self, key: &[u8], record: Bytes) -> Result<Option<Finalized>, String> {
        let record = Record::decode(key, record).map_err(|error| error.to_string())?;
        let Record::FinalizedAt { height, certificate } = record else { return Ok(None) };
        certificates::check(&certificate, &self.0, &Ed25519Verifier).map_err(|error| error.to_string())?;
        let Certified::Finalization(candidate) = certificate.certified() else {
            return Err("the certificate finalizes nothing".to_owned());
        };
        Ok(Some(Finalized { height, block_height: candidate.height, block: candidate.block }))
    }
}
