//! The state file: versions above a height go. When the state of that height is no longer kept, everything goes, and the
//! next start makes it again from the blocks.

use ledger_types::{BlockHeader, NetworkId};

use super::finish;
use crate::reader::Head;
use crate::state::{presence, tree};
use crate::state_file::{self, StateView};
use crate::store::{File, FileKind, StoreError, View, Writer, schema};

/// Checks that the state at a block, unless the file ends below it or no longer has it, is the one in its header.
pub(super) fn check_root(file: &File, header: &BlockHeader) -> Result<(), crate::chain::LedgerError> {
    let height = header.height;
    if Head::of(file)?.is_none_or(|head| head.height < height) {
        return Ok(());
    }
    let view = file.read()?;
    if height < state_file::oldest(&view)? {
        return Ok(());
    }
    let root = tree::root(&StateView::new(&view), height);
    let root = root.map_err(|error| state_file::store_error(file.name(), &error))?;
    let stored = view.get(&schema::state_root(height))?;
    if root != header.state_root || stored != Some(&header.state_root.0[..]) {
        let record = format!("state root of height {height}");
        return Err(StoreError::damaged(file.name(), record, "not the root in the block's header").into());
    }
    Ok(())
}

/// Takes away every version above a block.
pub(super) fn truncate(file: &File, to: &Head, network_id: NetworkId) -> Result<(), StoreError> {
    let (view, mut writer) = (file.read()?, file.write()?);
    if to.height < state_file::oldest(&view)? {
        writer.clear()?;
        writer.put(schema::META, &schema::meta(FileKind::Merkle, network_id))?;
        return writer.commit();
    }
    delete_table_from(&view, &mut writer, &schema::state_version(to.height.saturating_add(1)))?;
    view.for_each(&[schema::STATE_PRESENCE], |key, _| {
        let parsed = presence::parse_key(&key[1..]);
        let (_, version) = parsed.map_err(|error| state_file::store_error(file.name(), &error))?;
        if version > to.height { writer.delete(key).map(drop) } else { Ok(()) }
    })?;
    drop(view);
    finish(writer, (file, FileKind::Merkle), to, network_id)
}

/// Deletes the rest of a table from a key on.
fn delete_table_from(view: &View<'_>, writer: &mut Writer<'_>, from: &[u8]) -> Result<(), StoreError> {
    let tag = from[0];
    let mut next = from.to_vec();
    while let Some((key, _)) = view.at_or_after(&next)?.filter(|(key, _)| key[0] == tag) {
        writer.delete(key)?;
        next = [key, &[0]].concat();
    }
    Ok(())
}
