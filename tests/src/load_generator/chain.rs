//! What the chain itself says of a run.

use std::collections::BTreeSet;

use anyhow::{Result, bail, ensure};
use ledger_types::{BlockId, TransactionId};

use super::node::{Block, Node};

/// The blocks of a run, newest first.
pub(super) struct Walk(Vec<Counted>);

/// One block.
struct Counted {
    id: BlockId,
    /// Transactions of this run.
    own: u64,
    /// Transactions of anybody else.
    foreign: u64,
}

/// Blocks and what is in them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Count {
    pub(super) blocks: u64,
    pub(super) own: u64,
    pub(super) foreign: u64,
}

/// Reads the blocks behind `from` up to `to`, and checks that each names the one before it.
///
/// # Errors
/// When a node does not answer, or the blocks are no chain from the one to the other, or a transaction stands twice.
pub(super) async fn walk(
    node: &Node,
    from: &BlockId,
    to: &BlockId,
    mut own: BTreeSet<TransactionId>,
) -> Result<Walk> {
    let (mut counted, mut expected, mut start) = (Vec::new(), to.to_string(), None);
    loop {
        let page = node.blocks(to, start.as_deref()).await?;
        for block in &page.blocks {
            if block.id == *from {
                return Ok(Walk(counted));
            }
            ensure!(block.id.to_string() == expected, "block {} where {expected} must be", block.id);
            expected.clone_from(&block.header.previous_block_id);
            counted.push(count(block, &mut own));
        }
        start = page.next();
        if start.is_none() {
            bail!("block {from} is no ancestor of block {to}");
        }
    }
}

/// A transaction is struck off when it is met: one that stood twice would count as somebody else's.
fn count(block: &Block, own: &mut BTreeSet<TransactionId>) -> Counted {
    let mut counted = Counted { id: block.id, own: 0, foreign: 0 };
    for id in block.batches.iter().flat_map(|batch| &batch.header.transaction_ids) {
        if own.remove(id) {
            counted.own += 1;
        } else {
            counted.foreign += 1;
        }
    }
    counted
}

impl Walk {
    /// All blocks.
    pub(super) fn whole(&self) -> Count {
        sum(&self.0)
    }

    /// The blocks behind `from` up to `to`, both of the walk or the block before it.
    pub(super) fn between(&self, from: &BlockId, to: &BlockId) -> Count {
        let older_than = |id: &BlockId| self.0.iter().position(|it| it.id == *id).unwrap_or(self.0.len());
        sum(self.0.get(older_than(to)..older_than(from)).unwrap_or_default())
    }
}

fn sum(blocks: &[Counted]) -> Count {
    blocks.iter().fold(Count::default(), |sum, block| Count {
        blocks: sum.blocks + 1,
        own: sum.own + block.own,
        foreign: sum.foreign + block.foreign,
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use ledger_types::{BlockId, TransactionId};

    use super::{Count, Counted, Walk, count};
    use crate::load_generator::node::Block;

    #[test]
    fn a_range_is_without_its_first_block() {
        let block = |number: u8| Counted { id: BlockId([number; 64]), own: number.into(), foreign: 1 };
        let walk = Walk([4, 3, 2, 1].map(block).into());
        let between = |from, to| walk.between(&BlockId([from; 64]), &BlockId([to; 64]));
        assert_eq!(between(0, 4), walk.whole());
        assert_eq!(walk.whole(), Count { blocks: 4, own: 10, foreign: 4 });
        assert_eq!(between(1, 3), Count { blocks: 2, own: 5, foreign: 2 });
        assert_eq!(between(2, 2), Count::default());
    }

    #[test]
    fn a_transaction_counts_once() {
        let id = |byte| TransactionId([byte; 64]);
        let json = serde_json::json!({
            "header_signature": BlockId([9; 64]),
            "header": {"previous_block_id": "", "block_num": "1"},
            "batches": [{"header": {"transaction_ids": [id(1), id(2), id(1)]}}],
        });
        let block: Block = serde_json::from_value(json).unwrap();
        let counted = count(&block, &mut BTreeSet::from([id(1), id(3)]));
        assert_eq!((counted.own, counted.foreign), (1, 2));
    }
}
