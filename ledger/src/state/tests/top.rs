//! The top in memory: updates with it are those without it, and nobody's copy changes under them.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use proptest::prelude::*;

use super::{any_history, trees};
use crate::state::branch::Branch;
use crate::state::key::NodeKey;
use crate::state::source::{Known, NodeSource};
use crate::state::{StateError, Top};

/// What is stored, below a top.
struct WithTop<'a> {
    nodes: &'a BTreeMap<Vec<u8>, Bytes>,
    top: &'a Top,
}

impl NodeSource for WithTop<'_> {
    fn record(&self, key: &NodeKey) -> Result<Option<&[u8]>, StateError> {
        self.nodes.record(key)
    }

    fn known(&self, key: &NodeKey) -> Option<Known<'_>> {
        self.top.get(key).map(Known::Shared)
    }

    fn learn(&self, key: &NodeKey, branch: &Arc<Branch>) {
        self.top.put(key, branch);
    }
}

proptest! {
    #[test]
    fn updates_are_the_same_with_the_top_in_memory(history in any_history(), lost in any::<u16>()) {
        let mut top = Top::default();
        let (mut nodes, mut held, mut numbers) = (BTreeMap::new(), Vec::new(), (0..16u32).cycle());
        for (version, changes) in (0u64..).zip(&history.changes) {
            let update = trees::update(&WithTop { nodes: &nodes, top: &top }, version, changes).unwrap();
            prop_assert_eq!(&update, &history.updates[version as usize]);
            nodes.extend(update.records());
            top.commit(&update);
            for (key, branch) in update.top() {
                let kept = top.get(key).expect("it is in the top");
                prop_assert_eq!(&*kept, branch);
                // Some are held by somebody while the next versions come, and some are the top's alone.
                if numbers.next().is_some_and(|number| lost >> number & 1 == 0) {
                    held.push((kept, Branch::clone(branch)));
                }
            }
            // As after a start: the top knows nothing and learns.
            if lost >> (version % 16) & 1 == 1 {
                top = Top::default();
            }
        }
        for (kept, then) in held {
            prop_assert_eq!(&*kept, &then);
        }
    }
}
