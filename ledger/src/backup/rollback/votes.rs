//! The consensus file: votes are void under the new id, what proves the blocks that stay is kept.

use ledger_types::BlockHeader;

use super::Votes;
use crate::store::{Change, ConsensusFile, StoreError, schema};

/// What to delete and what to begin with. A damaged record goes: it proves nothing, and a vote in it is void.
pub(super) fn changes(
    file: &ConsensusFile,
    last: &BlockHeader,
    votes: &dyn Votes,
) -> Result<Vec<Change>, StoreError> {
    let mut changes = Vec::new();
    file.file().read()?.for_each_stored(&[], |key, _| {
        let outlives = || match file.get(key) {
            Ok(record) => Ok(record.is_some_and(|record| votes.outlives(key, record, last.height))),
            Err(StoreError::Damaged { .. }) => Ok(false),
            Err(error) => Err(error),
        };
        if key != schema::META && !outlives()? {
            changes.push((key.to_vec(), None));
        }
        Ok::<_, StoreError>(())
    })?;
    changes.extend(votes.fresh(last).into_iter().map(|(key, record)| (key, Some(record))));
    Ok(changes)
}
