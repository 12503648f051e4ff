//! The consensus file: records of this node's votes. A vote that is misread is a vote that may be cast twice, so damaged
//! records are listed, not only refused. What the records mean is the consensus crate's business.

use bytes::Bytes;
use ledger_types::NetworkId;

use super::schema::{self, FileKind};
use super::{File, StoreError, Writer, seal};

/// A change of one record: a new value, or `None` to delete it.
pub type Change = (Vec<u8>, Option<Vec<u8>>);

/// Records of the consensus file.
#[derive(Clone, Debug, Default)]
pub struct Records {
    /// Keys and values of those whose seal matches.
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
        change(&mut writer, changes)?;
        writer.commit()
    }

    /// Makes it the consensus file of another network, with these changes, in one synced transaction.
    ///
    /// # Errors
    /// When the write or the sync fails.
    pub(crate) fn begin_anew(&self, network_id: NetworkId, changes: &[Change]) -> Result<(), StoreError> {
        let mut writer = self.file.write()?;
        writer.put(schema::META, &schema::meta(FileKind::Consensus, network_id))?;
        change(&mut writer, changes)?;
        writer.commit()
    }

    /// All records with a tag (the key's first byte) below the given one, in key order; damaged records of any tag,
    /// since the tag of a damaged key may be another than it was.
    ///
    /// # Errors
    /// When the file cannot be read. A record whose seal does not match is no error here.
    pub fn records_below(&self, tag: u8) -> Result<Records, StoreError> {
        let mut records = Records::default();
        self.file.read()?.for_each_stored(&[], |key, stored| {
            match seal::open(key, stored) {
                None => records.damaged.push(key.to_vec()),
                Some(value) if key != schema::META && key[0] < tag => {
                    records.sound.push((key.to_vec(), Bytes::copy_from_slice(value)));
                }
                Some(_) => {}
            }
            Ok::<_, StoreError>(())
        })?;
        Ok(records)
    }

    /// One record.
    ///
    /// # Errors
    /// When it is damaged, naming its key.
    pub fn get(&self, key: &[u8]) -> Result<Option<Bytes>, StoreError> {
        self.file.read()?.get_copy(key)
    }

    /// The file itself.
    pub fn file(&self) -> &File {
        &self.file
    }
}

fn change(writer: &mut Writer<'_>, changes: &[Change]) -> Result<(), StoreError> {
    changes.iter().try_for_each(|(key, value)| match value {
        None => writer.delete(key).map(drop),
        Some(value) => writer.put(key, value),
    })
}
