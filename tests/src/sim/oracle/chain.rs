//! One history: what honest nodes commit, with what proof, and that none of it is ever taken back.

use ledger_types::certificate::Certificate;
use ledger_types::{BlockHeader, BlockId, Signature};

use super::Oracle;
use super::wire::{self, Said};
use crate::sim::disk::Disk;
use crate::sim::execution;

impl Oracle {
    /// A node starts from its files: what it committed before must be in them, unless an old copy was put there.
    pub(in crate::sim) fn on_start(&mut self, node: usize, disk: &Disk, is_old: bool) {
        let tip = disk.chain.len() - 1;
        self.pasts[node].has_forgotten |= is_old;
        let before = std::mem::replace(&mut self.heads[node], tip);
        let lost = (tip + 1..=before).find(|height| {
            let Some(block) = self.chain.get(*height) else { return false };
            !self.fetched[node].contains(height) && disk.store.get(&body_key(block)).is_none()
        });
        if let Some(height) = lost.filter(|_| !is_old && !self.is_beyond) {
            self.violate(format!("{} lost the committed block {height} in a crash", self.name(node)));
        }
    }

    /// A node commits a block that it executed from a body.
    pub(in crate::sim) fn on_commit(
        &mut self,
        node: usize,
        id: BlockId,
        header: &BlockHeader,
        certificate: &Certificate,
        disk: &Disk,
    ) {
        let name = self.name(node);
        let height = self.heads[node] + 1;
        if header.height != height as u64 || header.parent != disk.head().id || header.id() != id {
            return self.violate(format!("{name} commits {} after {}", header.height, height - 1));
        }
        self.heads[node] = height;
        let read = wire::Header {
            view: header.view,
            height: header.height,
            parent: header.parent,
            proposer: (header.proposer.cluster, header.proposer.node),
        };
        self.headers.entry(id).or_insert(read);
        let archived = [&[0x20][..], &header.height.to_be_bytes()].concat();
        if disk.store.get(&archived).is_none() {
            self.violate(format!("{name} commits {height} before its finalization is durable"));
        }
        if disk.store.get(&body_key(&id)).is_none() {
            self.fetched[node].insert(height);
        }
        if let Err(reason) = self.check_certificate(id, header.height, &certificate.to_bytes()) {
            self.violate(format!("{name} commits {height}: {reason}"));
        }
        match self.chain.get(height) {
            Some(first) if *first == id => {}
            Some(_) if self.is_beyond => self.forks += 1,
            Some(_) => self.violate(format!("fork: {name} commits another block {height}")),
            // After a fork a node may be ahead on its own branch.
            None if self.is_beyond && self.chain.last() != Some(&header.parent) => self.forks += 1,
            None => self.chain.push(id),
        }
    }

    /// What a node committed must be what its executor made of the entries.
    pub(in crate::sim) fn check_execution(
        &mut self,
        node: usize,
        parent: &BlockHeader,
        header: &BlockHeader,
        body: &[u8],
    ) {
        if !execution::is_body_of(header, body) || !execution::is_executed_right(header, parent, body) {
            self.violate(format!("{} committed block {} with wrong roots", self.name(node), header.height));
        }
    }

    /// Enough distinct signers, each of whom said it, about this block or one built on it.
    fn check_certificate(&self, id: BlockId, height: u64, bytes: &[u8]) -> Result<(), String> {
        let (about, signers) = wire::read_certificate(bytes).ok_or("an unreadable certificate")?;
        if about.kind != 2 {
            return Err(format!("a certificate of kind {}", about.kind));
        }
        let mut ancestor = about.block;
        for _ in height..about.height {
            match self.headers.get(&ancestor) {
                Some(header) => ancestor = header.parent,
                // Too many liars may finalize what they showed nobody.
                None if self.is_beyond => break,
                None => return Err("a certificate of an unknown block".to_owned()),
            }
        }
        // Where history has split, the nearest finalization above may be the other branch's.
        if (ancestor != id && !self.is_beyond) || about.height < height {
            return Err("a certificate of another block".to_owned());
        }
        let mut set = 0u64;
        for signer in &signers {
            let node = self.places.iter().position(|place| *place == signer.place);
            let node = node.ok_or("a certificate with an unknown signer")?;
            set |= 1 << node;
            let said = Said { from_view: signer.from_view, ..about };
            if self.liars >> node & 1 == 1 {
                let signed = wire::signed_bytes(&self.network, &self.cfg_hash, &said);
                let signature = Signature(signer.signature);
                if !self.verifier.verify(&self.keys[node], &signed, &signature) {
                    return Err(format!("{} did not sign the certificate", self.name(node)));
                }
            } else if self.pasts[node].signature(&said) != Some(signer.signature) {
                return Err(format!("{} never said what the certificate says", self.name(node)));
            }
        }
        match self.arithmetic.is_quorum(set) {
            true => Ok(()),
            false => Err("a certificate without a quorum".to_owned()),
        }
    }
}

fn body_key(block: &BlockId) -> Vec<u8> {
    [&[0x05][..], &block.0].concat()
}
