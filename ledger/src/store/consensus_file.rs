//! The consensus file: records of this node's votes, each with a checksum, since LMDB pages have none and a vote that
//! is misread is a vote that may be cast twice. What the records mean is the consensus crate's business.

use bytes::Bytes;
use ledger_types::NetworkId;
use ledger_types::hash::sha256;

use super::schema::{self, FileKind};
use super::{File, StoreError};

const CHECKSUM_LEN: usize = 8;

/// A change of one record: a new value, or `None` to delete it.
pub type Change = (Vec<u8>, Option<Vec<u8>>);

/// Records of the consensus file.
#[derive(Clone, Debug, Default)]
pub struct Records {
    /// Keys and values of those whose checksum matches.
    pub sound: Vec<(Vec<u8>, Bytes)>,
    /// The keys of the others.
    pub damaged: Vec<Vec<u8>>,
}

/// The consensus file.
pub struct ConsensusFile {
    file: File,
}

impl ConsensusFile {
    /// Takes an open file as the consensus file of a network. Returns whether it was empty.
    ///
    /// # Errors
    /// When it is another file, or of another network or version.
    pub fn new(file: File, network_id: NetworkId) -> Result<(Self, bool), StoreError> {
        let was_empty = schema::check_meta(&file, FileKind::Consensus, network_id)?;
        Ok((Self { file }, was_empty))
    }

    /// Writes changes in one synced transaction: when this returns they are on the disk.
    ///
    /// # Errors
    /// When the write or the sync fails; the process must then not vote on.
    pub fn write(&self, changes: &[Change]) -> Result<(), StoreError> {
        if changes.is_empty() {
            return Ok(());
        }
        let mut writer = self.file.write()?;
        for (key, value) in changes {
            match value {
                None => writer.delete(key)?,
                Some(value) => writer.put(key, &[&checksum(key, value)[..], value].concat())?,
            }
        }
        writer.commit()
    }

    /// All records with a tag (the key's first byte) below the given one, in key order.
    ///
    /// # Errors
    /// When the file cannot be read. A record whose checksum does not match is no error here.
    pub fn records_below(&self, tag: u8) -> Result<Records, StoreError> {
        let view = self.file.read()?;
        let mut records = Records::default();
        let mut next = vec![schema::META[0] + 1];
        while let Some((key, stored)) = view.at_or_after(&next)?.filter(|(key, _)| key[0] < tag) {
            match self.check(key, stored) {
                Ok(value) => records.sound.push((key.to_vec(), value)),
                Err(_) => records.damaged.push(key.to_vec()),
            }
            next = [key, &[0]].concat();
        }
        Ok(records)
    }

    /// One record.
    ///
    /// # Errors
    /// When its checksum does not match, naming its key.
    pub fn get(&self, key: &[u8]) -> Result<Option<Bytes>, StoreError> {
        let view = self.file.read()?;
        view.get(key)?.map(|stored| self.check(key, stored)).transpose()
    }

    /// The file itself.
    pub fn file(&self) -> &File {
        &self.file
    }

    fn check(&self, key: &[u8], stored: &[u8]) -> Result<Bytes, StoreError> {
        match stored.split_at_checked(CHECKSUM_LEN) {
            Some((sum, value)) if sum == checksum(key, value) => Ok(Bytes::copy_from_slice(value)),
            _ => {
                let record = data_encoding::HEXLOWER.encode(key);
                Err(StoreError::damaged(self.file.name(), record, "its checksum does not match"))
            }
        }
    }
}

fn checksum(key: &[u8], value: &[u8]) -> [u8; CHECKSUM_LEN] {
    let key_len = u32::try_from(key.len()).expect("invariant: keys have at most 511 bytes").to_be_bytes();
    let digest = sha256(&[b"dgt-record", &key_len, key, value]);
    *digest.0.first_chunk().expect("invariant: a digest has 32 bytes")
}
