//! What is true of a network by its network file alone, and which blocks are final by that.

use std::path::Path;

use anyhow::{Context as _, Result, bail, ensure};
use consensus::{Committee, Ed25519Verifier, certificates};
use genesis::Genesis;
use ledger_types::certificate::{Certificate, Certified};
use ledger_types::{BlockHeader, BlockId};

use super::super::genesis::execute_block_0;
use crate::wiring;

/// A network as its file describes it.
pub(super) struct Anchor {
    genesis: Genesis,
    committee: Committee,
}

/// A block that is final.
#[derive(Debug)]
pub(super) struct Final {
    /// Its header.
    pub(super) header: BlockHeader,
    /// Names of those who made it, or a descendant of it, final. Nobody votes on block 0.
    pub(super) signers: Vec<String>,
}

impl Anchor {
    /// Reads the network file.
    pub(super) fn read(path: &Path) -> Result<Self> {
        let genesis = wiring::read_network(path)?.genesis().with_context(|| format!("{}", path.display()))?;
        Ok(Self::of(genesis))
    }

    pub(super) fn of(genesis: Genesis) -> Self {
        // The first block orders the leaders, and a certificate does not depend on who led.
        let committee = Committee::new(genesis.lineage.clone(), 0, genesis.topology.clone(), &BlockId::ZERO);
        Self { genesis, committee }
    }

    /// Checks that the block of the first header is final: a certificate for the block of the last one, and each header
    /// in between the parent of the next. Block 0 needs no certificate, it follows from the network file.
    pub(super) fn check(&self, certificate: Option<Vec<u8>>, headers: &[Vec<u8>]) -> Result<Final> {
        let headers = headers.iter().map(|bytes| BlockHeader::decode(bytes.clone().into()));
        let headers: Vec<BlockHeader> = headers.collect::<Result<_, _>>().context("a block's header")?;
        for header in &headers {
            let lineage = &self.genesis.lineage;
            let network_id = lineage.of_height(header.height);
            ensure!(header.network_id == network_id, "the block is of another network, or was rolled back");
            let agreed = lineage.agreed(header.height);
            ensure!(
                agreed.is_none_or(|agreed| agreed == header.id()),
                "the block is not that of the rollback"
            );
            ensure!(header.cfg_hash == self.genesis.cfg_hash, "the block is of another committee");
        }
        for pair in headers.windows(2) {
            let follows =
                pair[1].parent == pair[0].id() && pair[0].height.checked_add(1) == Some(pair[1].height);
            ensure!(follows, "the headers do not follow one another");
        }
        let (Some(first), Some(last)) = (headers.first(), headers.last()) else {
            bail!("there is no header")
        };
        let signers = match certificate {
            Some(certificate) => self.check_certificate(certificate, last)?,
            None => self.check_block_0(last)?,
        };
        Ok(Final { header: first.clone(), signers })
    }

    fn check_certificate(&self, bytes: Vec<u8>, header: &BlockHeader) -> Result<Vec<String>> {
        let certificate = Certificate::from_bytes(bytes.into()).context("the certificate")?;
        certificates::check_history(&certificate, &self.committee, &Ed25519Verifier)
            .context("the certificate")?;
        let Certified::Finalization(candidate) = certificate.certified() else {
            bail!("the certificate finalizes nothing");
        };
        let is_of_header = (candidate.block, candidate.height) == (header.id(), header.height);
        ensure!(is_of_header, "the certificate is of another block");
        let name = |id| self.genesis.topology.validator(id).map_or_else(String::new, |it| it.name.clone());
        Ok(certificate.signers().map(name).collect())
    }

    fn check_block_0(&self, header: &BlockHeader) -> Result<Vec<String>> {
        ensure!(header.height == 0, "there is no certificate");
        let block_0 = execute_block_0(&self.genesis)?;
        ensure!(block_0.id == header.id(), "it is not the block 0 that the network file makes");
        Ok(Vec::new())
    }
}
