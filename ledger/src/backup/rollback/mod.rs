//! An agreed return to a block: what was decided above it goes, and the network goes on under another id, so that every
//! old vote is void.
//!
//! Each file changes in one transaction, which writes the new id into its meta record too; the block file is the last.
//! The network file was changed before them all. So a process that dies in between leaves files that no start takes,
//! since the block file lags behind the network file; and whoever goes on later sees by the ids what is still to do.

mod blocks;
mod receipts;
mod state;
#[cfg(test)]
mod tests;
mod votes;

use std::path::Path;

use bytes::Bytes;
use ledger_types::{BlockHeader, Lineage, NetworkId, Rollback};

use crate::chain::LedgerError;
use crate::reader::{Head, read_block};
use crate::store::{
    ConsensusFile, Durability, File, FileKind, FileLock, FileOptions, StoreError, Writer, lineage, pages,
    schema,
};

/// What becomes of the consensus file's records: the consensus crate's business.
pub trait Votes {
    /// Whether a record, whose checksum holds, outlives a rollback to a height.
    fn outlives(&self, key: &[u8], record: Bytes, height: u64) -> bool;

    /// The first records under the new id, for a chain that ends with this block.
    fn fresh(&self, last: &BlockHeader) -> Vec<(Vec<u8>, Vec<u8>)>;
}

/// The files of a stopped node, held to be rolled back.
pub struct Rollbacks {
    block: File,
    merkle: File,
    receipts: File,
    consensus: ConsensusFile,
    /// What the block file has been through.
    stored: Lineage,
    head: Head,
    _lock: FileLock,
}

/// What a rollback undoes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Undone {
    /// The block that becomes the head.
    pub to: BlockHeader,
    /// Blocks above it.
    pub blocks: u64,
    /// Batches in these that took effect.
    pub batches: u64,
    /// Their transactions.
    pub transactions: u64,
}

impl Rollbacks {
    /// Takes the files of a data directory, with memory maps of so many bytes. `network` is what the network file tells.
    ///
    /// # Errors
    /// When a process has the files, one is missing, foreign or damaged, or of another network.
    pub fn open(directory: &Path, map_bytes: usize, network: &Lineage) -> Result<Self, LedgerError> {
        let lock = FileLock::take(&directory.join("node.lock"))?;
        let open = |kind: FileKind| {
            let options = FileOptions { durability: Durability::EveryCommit, map_bytes, must_exist: true };
            let path = directory.join(kind.file_name());
            // LMDB would follow a bad page anywhere.
            pages::check_structure(&path)?;
            let file = File::open(&path, options)?;
            Ok::<_, StoreError>((schema::network_of(&file, kind)?, file))
        };
        let (of_blocks, block) = open(FileKind::Block)?;
        let stored = lineage::read(&block)?.unwrap_or_else(|| network.first().into());
        if of_blocks != stored.current() || !(stored.is_begin_of(network) || network.is_begin_of(&stored)) {
            let (found, expected) = (of_blocks, network.current());
            return Err(StoreError::OtherNetwork { file: block.name().to_owned(), found, expected }.into());
        }
        let head = Head::of(&block)?;
        let head =
            head.ok_or_else(|| StoreError::damaged(block.name(), "head", "missing: it has no block"))?;
        let ((_, merkle), (_, receipts)) = (open(FileKind::Merkle)?, open(FileKind::Receipts)?);
        let (of_votes, consensus) = open(FileKind::Consensus)?;
        let (consensus, _) = ConsensusFile::new(consensus, of_votes)?;
        Ok(Self { block, merkle, receipts, consensus, stored, head, _lock: lock })
    }

    /// The rollbacks that are done, and the ids they made.
    pub fn stored(&self) -> &Lineage {
        &self.stored
    }

    /// The newest block.
    pub fn head(&self) -> Head {
        self.head
    }

    /// What a rollback would undo. Writes nothing.
    ///
    /// # Errors
    /// When the block is not the one at its height or lies above the head, the state there is not the one in its header,
    /// or a file is neither of the network before nor of the one after.
    pub fn check(&self, rollback: &Rollback) -> Result<Undone, LedgerError> {
        let Rollback { height, block } = *rollback;
        if height > self.head.height {
            return Err(LedgerError::Rollback(format!(
                "this node's newest block is {}, below height {height}. A start adds what it knows to be final; if that \
                 is not enough, let all nodes go back to a lower block, or empty this node's data folder and start it \
                 with the network file of a node that was rolled back",
                self.head.height
            )));
        }
        let to = read_block(&self.block, height)?;
        if to.id() != block {
            return Err(LedgerError::Rollback(format!(
                "the block at height {height} is {}, not {block}: is it the same chain?",
                to.id()
            )));
        }
        state::check_root(&self.merkle, &to.header)?;
        let after = self.stored.clone().then(*rollback);
        for (file, kind) in [
            (self.consensus.file(), FileKind::Consensus),
            (&self.merkle, FileKind::Merkle),
            (&self.receipts, FileKind::Receipts),
        ] {
            self.is_done(file, kind, &after)?;
        }
        let mut undone =
            Undone { to: to.header, blocks: self.head.height - height, batches: 0, transactions: 0 };
        for height in height + 1..=self.head.height {
            let block = read_block(&self.block, height)?;
            undone.batches += block.batches().count() as u64;
            undone.transactions += u64::from(block.header.receipt_count);
        }
        Ok(undone)
    }

    /// Does it. After an error, or when the process dies, the same call on the files as they are goes on.
    ///
    /// # Errors
    /// As [`Rollbacks::check`], or when storage fails.
    pub fn run(self, rollback: &Rollback, votes: &dyn Votes) -> Result<(), LedgerError> {
        let to = self.check(rollback)?.to;
        let head = Head { height: to.height, id: rollback.block, state_root: to.state_root };
        let after = self.stored.clone().then(*rollback);
        let network_id = after.current();
        if !self.is_done(self.consensus.file(), FileKind::Consensus, &after)? {
            let changes = votes::changes(&self.consensus, &to, votes)?;
            self.consensus.begin_anew(network_id, &changes)?;
        }
        if !self.is_done(&self.merkle, FileKind::Merkle, &after)? {
            state::truncate(&self.merkle, &head, network_id)?;
        }
        if !self.is_done(&self.receipts, FileKind::Receipts, &after)? {
            receipts::truncate(&self.receipts, &self.block, (&head, self.head.height), network_id)?;
        }
        blocks::truncate(&self.block, (&head, self.head.height), &after)?;
        // What was checked before must be so after it, too.
        state::check_root(&self.merkle, &to)
    }

    /// Whether a file is of the network after the rollback already.
    fn is_done(&self, file: &File, kind: FileKind, after: &Lineage) -> Result<bool, StoreError> {
        match schema::network_of(file, kind)? {
            found if found == after.current() => Ok(true),
            found if found == self.stored.current() => Ok(false),
            found => {
                let expected = self.stored.current();
                Err(StoreError::OtherNetwork { file: file.name().to_owned(), found, expected })
            }
        }
    }
}

/// Makes a file one of the network after the rollback, as part of a write; its head becomes the block that stays, unless it
/// is below that.
fn finish(
    mut writer: Writer<'_>,
    (file, kind): (&File, FileKind),
    to: &Head,
    network_id: NetworkId,
) -> Result<(), StoreError> {
    if Head::of(file)?.is_some_and(|head| head.height > to.height) {
        writer.put(schema::HEAD, &to.encode())?;
    }
    writer.put(schema::META, &schema::meta(kind, network_id))?;
    writer.commit()
}
