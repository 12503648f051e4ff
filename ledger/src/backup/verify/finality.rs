//! The consensus file: every record is whole, and each height's finalization is of that height's block.

use bytes::Bytes;
use ledger_types::BlockId;

use crate::store::{ConsensusFile, File, StoreError, schema};

/// What the record of a finalization says, once it is known to be true.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Finalized {
    /// The height under which the record stands.
    pub height: u64,
    /// The height of the block that the certificate is about: the same, or a descendant's.
    pub block_height: u64,
    /// That block.
    pub block: BlockId,
}

/// Tells records of the consensus file apart and whether a certificate is true: the consensus crate's business.
pub trait CertificateCheck {
    /// Checks a record whose checksum holds. Returns what it says when it is the finalization of a height.
    ///
    /// # Errors
    /// Why it is no record, or why its certificate proves nothing.
    fn check(&self, key: &[u8], record: Bytes) -> Result<Option<Finalized>, String>;
}

/// Finalizations found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Finality {
    /// Of blocks in the block file.
    pub(super) committed: u64,
    /// Of blocks that the next start writes.
    pub(super) ahead: u64,
}

/// Checks every record of the consensus file. Without a [`CertificateCheck`] only the checksums.
pub(super) fn check(
    consensus: &ConsensusFile,
    blocks: &File,
    head: u64,
    certificates: Option<&dyn CertificateCheck>,
) -> Result<Finality, StoreError> {
    let (file, blocks) = (consensus.file(), blocks.read()?);
    let mut finality = Finality::default();
    file.read()?.for_each(&[], |key, _| {
        if key == schema::META {
            return Ok(());
        }
        let damaged =
            |reason: String| StoreError::damaged(file.name(), data_encoding::HEXLOWER.encode(key), reason);
        let record = consensus.get(key)?.ok_or_else(|| damaged("missing".to_owned()))?;
        let Some(certificates) = certificates else { return Ok(()) };
        let Some(found) = certificates.check(key, record).map_err(damaged)? else { return Ok(()) };
        if found.block_height < found.height {
            return Err(damaged(format!("it finalizes height {} only", found.block_height)));
        }
        // Above the head there is no block to compare with: the next start writes it.
        if found.block_height <= head {
            let stored = blocks.get(&schema::block_by_height(found.block_height))?;
            if stored.and_then(|stored| stored.first_chunk()) != Some(&found.block.0) {
                return Err(damaged(format!("block {} is not the one it finalizes", found.block_height)));
            }
        }
        match found.height {
            0 => return Err(damaged("block 0 is not voted on".to_owned())),
            height if height <= head => finality.committed += 1,
            _ => finality.ahead += 1,
        }
        Ok::<_, StoreError>(())
    })?;
    Ok(finality)
}
