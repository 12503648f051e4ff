//! The rollbacks that a block file has been through (FORMAT.md): which id each of its blocks was decided under.

use ledger_types::codec::{CodecError, Reader, Writer};
use ledger_types::{BlockId, Lineage, NetworkId, Rollback};

use super::schema::{self, FileKind};
use super::{File, StoreError};

/// The ids that a block file tells of; `None` when it was never rolled back.
///
/// # Errors
/// When the file cannot be read, or its records do not follow one another.
pub(crate) fn read(file: &File) -> Result<Option<Lineage>, StoreError> {
    let view = file.read()?;
    let mut found: Option<Lineage> = None;
    let mut number = 0;
    while let Some(value) = view.get_copy(&schema::rollback(number))? {
        let damaged = |reason| StoreError::damaged(file.name(), format!("rollback {number}"), reason);
        let (before, rollback, after) = decode(value).map_err(|error| damaged(error.to_string()))?;
        let lineage = found.unwrap_or_else(|| before.into());
        if lineage.current() != before {
            return Err(damaged("it does not follow the one before".to_owned()));
        }
        let lineage = lineage.then(rollback);
        if lineage.current() != after {
            return Err(damaged("its network id is not what the rollback makes".to_owned()));
        }
        found = Some(lineage);
        number += 1;
    }
    Ok(found)
}

/// The records of a lineage's rollbacks.
pub(crate) fn records(lineage: &Lineage) -> impl Iterator<Item = (schema::Key, Vec<u8>)> + '_ {
    let before = std::iter::once(lineage.first()).chain(lineage.rollbacks().iter().map(|(_, id)| *id));
    let rollbacks = (0u32..).zip(before).zip(lineage.rollbacks());
    rollbacks.map(|((number, before), (rollback, after))| {
        let mut value = Writer::new();
        value.raw(&before.0).u64(rollback.height).raw(&rollback.block.0).raw(&after.0);
        (schema::rollback(number), value.finish())
    })
}

/// Makes an empty file a block file of a network, in one transaction.
pub(crate) fn begin(file: &File, lineage: &Lineage) -> Result<(), StoreError> {
    if lineage.rollbacks().is_empty() || !file.read()?.is_empty()? {
        return Ok(());
    }
    let mut writer = file.write()?;
    writer.put(schema::META, &schema::meta(FileKind::Block, lineage.current()))?;
    for (key, value) in records(lineage) {
        writer.put(&key, &value)?;
    }
    writer.commit()
}

fn decode(value: bytes::Bytes) -> Result<(NetworkId, Rollback, NetworkId), CodecError> {
    let mut reader = Reader::new(value);
    let before = NetworkId(reader.array("network id")?);
    let (height, block) = (reader.u64("height")?, BlockId(reader.array("block id")?));
    let after = NetworkId(reader.array("network id")?);
    reader.finish()?;
    Ok((before, Rollback { height, block }, after))
}
