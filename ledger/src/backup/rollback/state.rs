//! The state file: versions above a height go.

use ledger_types::{BlockHeader, NetworkId};

use super::finish;
use crate::reader::Head;
use crate::state::{compare_with_previous, flat};
use crate::state_file::{NodeView, store_error};
use crate::store::{File, FileKind, StoreError, View, Writer, schema};

/// Checks that the state at a block, unless the file ends below it, is the one in its header.
pub(super) fn check_root(file: &File, header: &BlockHeader) -> Result<(), crate::chain::LedgerError> {
    let height = header.height;
    if Head::of(file)?.is_none_or(|head| head.height < height) {
        return Ok(());
    }
    let view = file.read()?;
    let tree =
        compare_with_previous(&NodeView(&view), height).map_err(|error| store_error(file.name(), &error))?;
    let stored = view.get(&schema::state_root(height))?;
    if tree.root != header.state_root || stored != Some(&header.state_root.0[..]) {
        let record = format!("state root of height {height}");
        return Err(StoreError::damaged(file.name(), record, "not the root in the block's header").into());
    }
    Ok(())
}

/// Takes away every version above a block.
pub(super) fn truncate(file: &File, to: &Head, network_id: NetworkId) -> Result<(), StoreError> {
    let (view, mut writer) = (file.read()?, file.write()?);
    let first = to.height.saturating_add(1);
    // Roots, stale nodes and nodes stand by version, values by address.
    for from in
        [schema::state_root(first), schema::state_stale(first, &[]), schema::state_node(&first.to_be_bytes())]
    {
        delete_table_from(&view, &mut writer, from)?;
    }
    view.for_each(&[schema::STATE_VALUE], |key, _| {
        let (_, version) = flat::parse_key(&key[1..]).map_err(|error| store_error(file.name(), &error))?;
        if version > to.height { writer.delete(key) } else { Ok(()) }
    })?;
    drop(view);
    finish(writer, (file, FileKind::Merkle), to, network_id)
}

/// Deletes the rest of a table from a key on.
fn delete_table_from(view: &View<'_>, writer: &mut Writer<'_>, from: Vec<u8>) -> Result<(), StoreError> {
    let tag = from[0];
    let mut next = from;
    while let Some((key, _)) = view.at_or_after(&next)?.filter(|(key, _)| key[0] == tag) {
        writer.delete(key)?;
        next = [key, &[0]].concat();
    }
    Ok(())
}
