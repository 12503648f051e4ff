//! A network of two clusters of four, whose keys the tests have.

use std::sync::LazyLock;

use consensus::Committee;
use genesis::{Genesis, NetworkFile};
use ledger_types::certificate::{Certificate, CertificateVote, Certified, Statement};
use ledger_types::hash::sha256;
use ledger_types::signature::Curve;
use ledger_types::{BlockHeader, BlockId, Hash, PrivateKey, ValidatorId};

use super::super::anchor::Anchor;

/// Validators whose votes decide: six, and three of each cluster.
pub(super) const QUORUM: [usize; 6] = [0, 1, 2, 4, 5, 6];

/// The network.
pub(super) static GENESIS: LazyLock<Genesis> = LazyLock::new(genesis);
/// What its file says is true.
pub(super) static ANCHOR: LazyLock<Anchor> = LazyLock::new(|| Anchor::of(genesis()));

fn genesis() -> Genesis {
    let text = include_str!("../../../../../genesis/networks/example-2x4.toml");
    NetworkFile::parse(text).unwrap().genesis().unwrap()
}

/// A header of the network on top of another block.
pub(super) fn header(height: u64, parent: BlockId) -> BlockHeader {
    BlockHeader {
        network_id: GENESIS.lineage.current(),
        epoch: 0,
        view: height,
        height,
        parent,
        proposer: ValidatorId { cluster: 0, node: 0 },
        time_ms: 1,
        entry_count: 0,
        receipt_count: 0,
        entries_root: Hash([0; 32]),
        state_root: Hash([1; 32]),
        receipts_root: Hash([0; 32]),
        cfg_hash: GENESIS.cfg_hash,
        next_cfg_hash: None,
    }
}

/// A certificate with the votes of some validators, numbered through both clusters.
pub(super) fn certificate(certified: Certified, signers: &[usize]) -> Vec<u8> {
    let committee = Committee::new(GENESIS.lineage.clone(), 0, GENESIS.topology.clone(), &BlockId::ZERO);
    let all: Vec<_> = GENESIS.topology.validators().collect();
    let votes = signers.iter().map(|at| {
        let (id, validator) = all[*at];
        let secret = sha256(&[b"dgt example key: ", format!("{} vote", validator.name).as_bytes()]);
        let key = PrivateKey::from_bytes(Curve::Ed25519, secret.0).unwrap();
        let statement: Statement = certified.statement(certified.view()).unwrap();
        let signature = key.sign(&committee.statement_bytes(&statement));
        (id, CertificateVote { from_view: certified.view(), signature })
    });
    Certificate::new(0, certified, votes).unwrap().to_bytes()
}
