//! Virtual time: what happens when, in an order that only the seed decides.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use bytes::Bytes;
use consensus::Input;

/// Something that happens to a node or to the world.
#[derive(Clone, Debug)]
pub(super) enum Event {
    /// A message arrives.
    Deliver { from: usize, to: usize, bytes: Bytes },
    /// A batch arrives from a client or a peer's pool.
    Batch { to: usize, batch: u64, is_forwarded: bool },
    /// A node's executor or block file answers, in the life that asked.
    Answer { node: usize, life: u64, order: Option<u64>, input: Box<Input> },
    /// A node's vote store has synced what was handed to it.
    Synced { node: usize, life: u64 },
    /// A node's block file is due for a sync.
    SyncChain { node: usize, life: u64 },
    /// A node's replica wants to know that time has passed.
    Tick { node: usize, life: u64 },
    /// A liar's turn.
    LiarTick { node: usize },
    /// Something goes wrong as the scenario says; its place in the list.
    Mishap { index: usize },
    /// A stopped node starts.
    Start { node: usize, life: u64 },
    /// An operator restarts a node that only observes.
    Operator { node: usize, life: u64 },
    /// A node begins to lie; its place in the cast.
    Turn { index: usize },
    /// A client submits the next batch.
    Submit,
    /// A client looks for batches that got lost, and submits them again.
    Resubmit,
    /// From now on everything works.
    Heal,
}

struct Entry {
    at_ms: u64,
    sequence: u64,
    event: Event,
}

impl PartialEq for Entry {
    fn eq(&self, other: &Self) -> bool {
        (self.at_ms, self.sequence) == (other.at_ms, other.sequence)
    }
}

impl Eq for Entry {}

impl PartialOrd for Entry {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Entry {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (self.at_ms, self.sequence).cmp(&(other.at_ms, other.sequence))
    }
}

/// All that will happen, by time, then in the order it was planned.
#[derive(Default)]
pub(super) struct Queue {
    heap: BinaryHeap<Reverse<Entry>>,
    sequence: u64,
}

impl Queue {
    /// Plans an event for a time in milliseconds.
    pub(super) fn plan(&mut self, at_ms: u64, event: Event) {
        self.sequence += 1;
        self.heap.push(Reverse(Entry { at_ms, sequence: self.sequence, event }));
    }

    /// The next event with its time.
    pub(super) fn next(&mut self) -> Option<(u64, Event)> {
        self.heap.pop().map(|Reverse(entry)| (entry.at_ms, entry.event))
    }
}
