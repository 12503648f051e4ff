//! The top of the newest committed tree, kept in memory: nearly every update changes most of it. What is in it was written
//! by this process, or read and checked, and is neither read nor checked again.

use std::sync::Arc;

use parking_lot::RwLock;

use super::branch::Branch;
use super::key::NodeKey;
use super::source::Known;
use super::update::TreeUpdate;

/// Levels of nodes from the root down that are kept: at most 69,905 nodes, whatever addresses clients choose.
const LEVELS: usize = 5;
const NODES: usize = (16usize.pow(LEVELS as u32) - 1) / 15;

/// Whether a node stands so near to the root that it is kept.
pub(super) fn holds(key: &NodeKey) -> bool {
    key.depth() < LEVELS
}

/// The kept nodes, by their place.
pub struct Top(RwLock<Vec<Place>>);

/// A node and the version that wrote it, once it is known.
type Place = Option<(u64, Arc<Branch>)>;

impl Default for Top {
    fn default() -> Self {
        Self(RwLock::new(vec![None; NODES]))
    }
}

impl Top {
    /// A node of committed state, if it is the newest one of its place.
    pub(crate) fn get(&self, key: &NodeKey) -> Option<Arc<Branch>> {
        let place = place(key)?;
        let nodes = self.0.read();
        let (version, branch) = nodes[place].as_ref()?;
        (*version == key.version()).then(|| branch.clone())
    }

    /// Takes a node of committed state, unless its place has a newer one.
    pub(crate) fn put(&self, key: &NodeKey, branch: &Arc<Branch>) {
        put(&mut self.0.write(), key, Known::Shared(branch.clone()));
    }

    /// Takes what a committed update wrote.
    pub fn commit(&self, update: &TreeUpdate) {
        let mut nodes = self.0.write();
        // A root that is a leaf, or nothing, is not kept, and nobody must find the branch before it for the newest.
        nodes[0] = None;
        update.top().for_each(|(key, branch)| put(&mut nodes, key, Known::Pending(branch)));
    }
}

fn put(nodes: &mut [Place], key: &NodeKey, branch: Known<'_>) {
    let Some(place) = place(key) else { return };
    match &mut nodes[place] {
        Some((version, _)) if *version >= key.version() => {}
        Some((version, kept)) => {
            *version = key.version();
            match Arc::get_mut(kept) {
                // Where it lies: to free memory all over the heap and to take other costs more than to copy.
                Some(kept) => kept.clone_from(&branch),
                None => *kept = branch.share(),
            }
        }
        empty => *empty = Some((key.version(), branch.share())),
    }
}

/// A place's number: level by level, in the order of paths.
fn place(key: &NodeKey) -> Option<usize> {
    holds(key).then(|| key.nibbles().fold(0, |above, nibble| 16 * above + usize::from(nibble) + 1))
}
