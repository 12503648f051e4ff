//! Batches that wait to be decided, bounded in number and bytes. A batch is pending until the block that decides it is
//! committed: batches of a block that lost its view are still here.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use ledger_types::{Batch, BatchId, Block, TransactionId, Verified, limits};
use parking_lot::Mutex;
use thiserror::Error;

use crate::execute::Candidate;
use crate::reader::Reader;
use crate::store::StoreError;

/// Why batches were not admitted. Then none of them was.
#[derive(Debug, Error)]
pub enum AdmitError {
    /// No room: in all, or among those that wait for a dependency.
    #[error("the pool is full: {batches} batches of {bytes} bytes")]
    Full {
        /// Batches in the pool.
        batches: usize,
        /// Their bytes.
        bytes: usize,
    },
    /// This node's storage failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Who gave a batch to this node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// One of its clients.
    Client,
    /// Another node, to which a client gave it.
    Peer,
}

impl Source {
    /// Batches that the pool may hold when it takes more from here, and their bytes. The last quarter is for the batches
    /// that clients give to this node: no peer can close its door.
    pub fn limits(self) -> (usize, usize) {
        match self {
            Self::Client => (limits::POOL_BATCHES, limits::POOL_BYTES),
            Self::Peer => (limits::POOL_BATCHES / 4 * 3, limits::POOL_BYTES / 4 * 3),
        }
    }
}

/// Batches that may go into a block, by arrival.
#[derive(Default)]
struct Ready {
    of_clients: BTreeMap<u64, BatchId>,
    of_peers: BTreeMap<u64, BatchId>,
}

impl Ready {
    fn insert(&mut self, source: Source, arrival: u64, id: BatchId) {
        match source {
            Source::Client => self.of_clients.insert(arrival, id),
            Source::Peer => self.of_peers.insert(arrival, id),
        };
    }

    fn remove(&mut self, arrival: u64) {
        self.of_clients.remove(&arrival);
        self.of_peers.remove(&arrival);
    }

    /// The first of each source.
    fn first(&self) -> impl Iterator<Item = &BatchId> {
        self.of_clients.values().take(1).chain(self.of_peers.values().take(1))
    }

    /// One of each source in turn, while both have any.
    fn in_turn(&self) -> impl Iterator<Item = &BatchId> {
        let (mut clients, mut peers) = (self.of_clients.values(), self.of_peers.values());
        let mut is_clients_turn = false;
        std::iter::from_fn(move || {
            is_clients_turn = !is_clients_turn;
            match is_clients_turn {
                true => clients.next().or_else(|| peers.next()),
                false => peers.next().or_else(|| clients.next()),
            }
        })
    }
}

/// The batches of a node that are not decided yet.
#[derive(Default)]
pub struct Pool {
    inner: Mutex<Inner>,
}

#[derive(Default)]
struct Inner {
    batches: HashMap<BatchId, Pooled>,
    ready: Ready,
    /// Batches that wait for a dependency, by arrival.
    waiting: BTreeMap<u64, BatchId>,
    /// Transactions of all batches here.
    transactions: HashSet<TransactionId>,
    /// For each dependency waited for, who waits, by arrival.
    waiting_for: HashMap<String, BTreeSet<u64>>,
    next_arrival: u64,
    bytes: usize,
}

/// When a batch came.
#[derive(Clone, Copy)]
struct Since {
    ms: u64,
    /// The committed height.
    height: u64,
}

struct Pooled {
    batch: Arc<Verified<Batch>>,
    arrival: u64,
    since: Since,
    bytes: usize,
    source: Source,
    /// The dependency it waits for, while it waits.
    missing: Option<String>,
    waited_enough: bool,
}

impl Pool {
    /// An empty pool.
    pub fn new() -> Self {
        Self::default()
    }

    /// Admits all batches or none. Batches that are committed or here already are passed over: the same batch sent twice
    /// commits once. What a client gives counts as a client's, whoever gave it before. `now_ms` is any clock, the same at
    /// every call.
    ///
    /// # Errors
    /// When there is no room for all of them, or storage fails.
    pub fn admit(
        &self,
        batches: Vec<Verified<Batch>>,
        source: Source,
        reader: &Reader,
        now_ms: u64,
    ) -> Result<(), AdmitError> {
        // A batch may have many dependencies: they are looked up while nobody waits for the pool.
        let batches = batches.into_iter().map(|batch| {
            let missing = missing_dependency(&batch, reader)?;
            Ok((batch, missing))
        });
        let batches = batches.collect::<Result<Vec<_>, StoreError>>()?;
        let mut inner = self.inner.lock();
        let mut seen = BTreeSet::new();
        let mut new = Vec::new();
        for (batch, missing) in batches {
            let is_here = inner.batches.contains_key(&batch.id);
            if is_here && source == Source::Client {
                inner.set_clients(&batch.id);
            }
            let known = is_here || reader.batch_place(&batch.id)?.is_some();
            if !known && seen.insert(batch.id) {
                new.push((batch, missing));
            }
        }
        let bytes: usize = new.iter().map(|(batch, _)| batch.encoded_len()).sum();
        let mut admitted = Vec::with_capacity(new.len());
        for (batch, missing) in new {
            let missing = match missing.as_deref().map(str::parse::<TransactionId>) {
                // What is here may come before it in the next block; what was committed meanwhile has.
                Some(Ok(id))
                    if inner.transactions.contains(&id) || reader.transaction_place(&id)?.is_some() =>
                {
                    None
                }
                _ => missing,
            };
            admitted.push((batch, missing));
        }
        let waiting = admitted.iter().filter(|(_, missing)| missing.is_some()).count();
        let (most, most_bytes) = source.limits();
        if inner.batches.len() + admitted.len() > most
            || inner.bytes + bytes > most_bytes
            || inner.waiting.len() + waiting > limits::POOL_WAITING_BATCHES
        {
            return Err(AdmitError::Full { batches: inner.batches.len(), bytes: inner.bytes });
        }
        let since = Since { ms: now_ms, height: reader.head().height };
        admitted.into_iter().for_each(|(batch, missing)| inner.insert(batch, source, missing, since));
        Ok(())
    }

    /// Whether the batch is here.
    pub fn contains(&self, id: &BatchId) -> bool {
        self.inner.lock().batches.contains_key(id)
    }

    /// A batch that is here.
    pub fn get(&self, id: &BatchId) -> Option<Arc<Verified<Batch>>> {
        self.inner.lock().batches.get(id).map(|pooled| pooled.batch.clone())
    }

    /// Batches that may go into a block, at most `limit`: of clients and of peers in turn, each in the order of their
    /// arrival. However many batches one peer sends, those of this node's clients need not wait behind them.
    pub fn candidates(&self, limit: usize) -> Vec<Candidate> {
        let inner = self.inner.lock();
        let ready = inner.ready.in_turn().take(limit).map(|id| &inner.batches[id]);
        ready
            .map(|pooled| Candidate {
                batch: pooled.batch.clone(),
                waited_enough: pooled.waited_enough,
                since_height: pooled.since.height,
            })
            .collect()
    }

    /// Since when the oldest batch that may go into a block is here; `None` when there is none.
    pub fn pending_since_ms(&self) -> Option<u64> {
        let inner = self.inner.lock();
        inner.ready.first().map(|id| inner.batches[id].since.ms).min()
    }

    /// Batches here, and their bytes.
    pub fn size(&self) -> (usize, usize) {
        let inner = self.inner.lock();
        (inner.batches.len(), inner.bytes)
    }

    /// Lets batches wait whose dependencies turned out not to be committed.
    ///
    /// # Errors
    /// When storage fails.
    pub fn defer(&self, ids: &[BatchId], reader: &Reader) -> Result<(), StoreError> {
        let mut inner = self.inner.lock();
        for id in ids {
            let Some(pooled) = inner.batches.get(id) else { continue };
            let missing = missing_dependency(&pooled.batch, reader)?;
            inner.set_missing(id, missing);
        }
        Ok(())
    }

    /// How long the batches of a block wait that are here, milliseconds of the clock of `now_ms`.
    pub fn waited_ms(&self, block: &Block, now_ms: u64) -> Vec<u64> {
        let inner = self.inner.lock();
        let here = block.entries.iter().filter_map(|entry| inner.batches.get(&entry.batch_id()));
        here.map(|pooled| now_ms.saturating_sub(pooled.since.ms)).collect()
    }

    /// Drops what a committed block decided, and wakes those that waited for a transaction of it.
    pub fn remove_decided(&self, block: &Block) {
        let mut inner = self.inner.lock();
        block.entries.iter().for_each(|entry| inner.remove(&entry.batch_id()));
        block.batches().for_each(|batch| inner.wake(batch));
    }

    /// Drops batches that are committed already.
    pub fn remove(&self, ids: &[BatchId]) {
        let mut inner = self.inner.lock();
        ids.iter().for_each(|id| inner.remove(id));
    }

    /// Ends the waiting of batches that waited longer than [`limits::DEPENDENCY_WAIT_MS`]: they become candidates, to be
    /// rejected. Returns whether there were any.
    pub fn expire(&self, now_ms: u64) -> bool {
        let mut inner = self.inner.lock();
        let expired: Vec<BatchId> = inner
            .waiting
            .values()
            .take_while(|id| now_ms.saturating_sub(inner.batches[*id].since.ms) >= limits::DEPENDENCY_WAIT_MS)
            .copied()
            .collect();
        for id in &expired {
            inner.set_missing(id, None);
            if let Some(pooled) = inner.batches.get_mut(id) {
                pooled.waited_enough = true;
            }
        }
        !expired.is_empty()
    }
}

impl Inner {
    fn insert(&mut self, batch: Verified<Batch>, source: Source, missing: Option<String>, since: Since) {
        let (id, bytes) = (batch.id, batch.encoded_len());
        let arrival = self.next_arrival;
        self.next_arrival += 1;
        self.bytes += bytes;
        self.ready.insert(source, arrival, id);
        self.transactions.extend(batch.transactions.iter().map(|transaction| transaction.id));
        self.wake(&batch);
        let batch = Arc::new(batch);
        let pooled = Pooled { batch, arrival, since, bytes, source, missing: None, waited_enough: false };
        self.batches.insert(id, pooled);
        self.set_missing(&id, missing);
    }

    /// A client gave what a peer had sent.
    fn set_clients(&mut self, id: &BatchId) {
        let Some(pooled) = self.batches.get_mut(id) else { return };
        pooled.source = Source::Client;
        if pooled.missing.is_none() {
            let arrival = pooled.arrival;
            self.ready.remove(arrival);
            self.ready.insert(Source::Client, arrival, *id);
        }
    }

    /// Moves a batch between ready and waiting.
    fn set_missing(&mut self, id: &BatchId, missing: Option<String>) {
        let Some(pooled) = self.batches.get_mut(id) else { return };
        let (arrival, source) = (pooled.arrival, pooled.source);
        if let Some(before) = std::mem::replace(&mut pooled.missing, missing.clone())
            && let Some(who) = self.waiting_for.get_mut(&before)
        {
            who.remove(&arrival);
            if who.is_empty() {
                self.waiting_for.remove(&before);
            }
        }
        match missing {
            Some(dependency) => {
                self.ready.remove(arrival);
                self.waiting.insert(arrival, *id);
                self.waiting_for.entry(dependency).or_default().insert(arrival);
            }
            None => {
                self.waiting.remove(&arrival);
                self.ready.insert(source, arrival, *id);
            }
        }
    }

    fn remove(&mut self, id: &BatchId) {
        self.set_missing(id, None);
        let Some(pooled) = self.batches.remove(id) else { return };
        self.ready.remove(pooled.arrival);
        self.bytes -= pooled.bytes;
        for transaction in &pooled.batch.transactions {
            self.transactions.remove(&transaction.id);
        }
    }

    /// Makes batches candidates again that waited for this one; whether all their dependencies are there, the next block
    /// finds out.
    fn wake(&mut self, dependency: &Batch) {
        for transaction in &dependency.transactions {
            let Some(arrivals) = self.waiting_for.get(&transaction.id.to_string()) else { continue };
            let woken: Vec<BatchId> =
                arrivals.iter().filter_map(|arrival| self.waiting.get(arrival).copied()).collect();
            woken.iter().for_each(|id| self.set_missing(id, None));
        }
    }
}

/// The first dependency that is neither committed nor earlier in the batch.
fn missing_dependency(batch: &Batch, reader: &Reader) -> Result<Option<String>, StoreError> {
    for (index, transaction) in batch.transactions.iter().enumerate() {
        for dependency in &transaction.header.dependencies {
            let here = match dependency.parse::<TransactionId>() {
                Err(_) => false,
                Ok(id) => {
                    batch.transactions[..index].iter().any(|earlier| earlier.id == id)
                        || reader.transaction_place(&id)?.is_some()
                }
            };
            if !here {
                return Ok(Some(dependency.clone()));
            }
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use ledger_types::{Batch, Verified, limits};

    use super::{AdmitError, Pool, Source};
    use crate::Ledger;
    use crate::testing::{address, batch, build_of, build_on, commit, options, put};

    fn ledger() -> (tempfile::TempDir, Ledger) {
        let directory = tempfile::tempdir().unwrap();
        let ledger = Ledger::open(&options(directory.path())).unwrap();
        (directory, ledger)
    }

    fn candidate_ids(pool: &Pool) -> Vec<String> {
        pool.candidates(usize::MAX).iter().map(|candidate| candidate.batch.id.to_string()).collect()
    }

    fn ids(batches: &[&Verified<Batch>]) -> Vec<String> {
        batches.iter().map(|batch| batch.id.to_string()).collect()
    }

    #[test]
    fn a_peer_that_sends_much_does_not_put_off_clients() {
        let (_directory, ledger) = ledger();
        let pool = Pool::new();
        let [a, b, c, d, e] = [1, 2, 3, 4, 5].map(|number| put(number, b"x"));
        let of_peers = vec![a.clone(), b.clone(), c.clone()];
        pool.admit(of_peers, Source::Peer, &ledger.reader(), 1).unwrap();
        pool.admit(vec![d.clone(), e.clone()], Source::Client, &ledger.reader(), 2).unwrap();
        assert_eq!(candidate_ids(&pool), ids(&[&d, &a, &e, &b, &c]));
        assert_eq!(pool.pending_since_ms(), Some(1));
        // A client that gives a batch here which it gave elsewhere before.
        pool.admit(vec![c.clone()], Source::Client, &ledger.reader(), 3).unwrap();
        assert_eq!(candidate_ids(&pool), ids(&[&c, &a, &d, &b, &e]));
        pool.remove(&[c.id, a.id]);
        assert_eq!(candidate_ids(&pool), ids(&[&d, &b, &e]));
    }

    #[test]
    fn batches_come_out_in_the_order_of_their_arrival_and_once() {
        let (_directory, ledger) = ledger();
        let pool = Pool::new();
        let (a, b) = (put(1, b"a"), put(2, b"b"));
        pool.admit(vec![b.clone(), a.clone(), b.clone()], Source::Client, &ledger.reader(), 5).unwrap();
        pool.admit(vec![a.clone()], Source::Client, &ledger.reader(), 9).unwrap();
        assert_eq!(candidate_ids(&pool), ids(&[&b, &a]));
        assert_eq!(pool.pending_since_ms(), Some(5));
        assert_eq!(pool.size(), (2, a.encoded_len() + b.encoded_len()));
    }

    #[test]
    fn what_is_committed_is_passed_over_and_what_a_block_decides_is_dropped() {
        let (_directory, ledger) = ledger();
        let pool = Pool::new();
        let (good, bad) = (put(1, b"a"), put(2, b"refuse"));
        pool.admit(vec![good.clone(), bad.clone()], Source::Client, &ledger.reader(), 0).unwrap();
        let executed = commit(&ledger, &[good.clone(), bad.clone()]);
        assert_eq!(pool.waited_ms(executed.block(), 70), [70, 70]);
        pool.remove_decided(executed.block());
        assert!(pool.waited_ms(executed.block(), 70).is_empty(), "they wait no more");
        assert_eq!((pool.size(), pool.pending_since_ms()), ((0, 0), None));
        // The committed one is not taken again; the rejected one may be tried again.
        pool.admit(vec![good, bad.clone()], Source::Client, &ledger.reader(), 0).unwrap();
        assert_eq!(candidate_ids(&pool), ids(&[&bad]));
    }

    #[test]
    fn a_batch_waits_for_its_dependency_and_wakes_with_it() {
        let (_directory, ledger) = ledger();
        let pool = Pool::new();
        let first = put(1, b"a");
        let needed = [first.transactions[0].id.to_string()];
        let second = batch(&[(address(2), b"b", &needed)]);
        pool.admit(vec![second.clone()], Source::Client, &ledger.reader(), 0).unwrap();
        assert_eq!(candidate_ids(&pool), ids(&[]));
        pool.admit(vec![first.clone()], Source::Client, &ledger.reader(), 1).unwrap();
        assert_eq!(candidate_ids(&pool), ids(&[&second, &first]), "a block finds out about the order");
        pool.defer(&[second.id], &ledger.reader()).unwrap();
        assert_eq!(candidate_ids(&pool), ids(&[&first]));
        let executed = commit(&ledger, &[first]);
        pool.remove_decided(executed.block());
        assert_eq!(candidate_ids(&pool), ids(&[&second]));
    }

    #[test]
    fn waiting_ends_after_its_time_in_a_rejection() {
        let (_directory, ledger) = ledger();
        let pool = Pool::new();
        let orphan = batch(&[(address(2), b"b", &["abc".to_owned()])]);
        pool.admit(vec![orphan.clone()], Source::Client, &ledger.reader(), 100).unwrap();
        assert!(!pool.expire(100 + limits::DEPENDENCY_WAIT_MS - 1));
        assert!(pool.expire(100 + limits::DEPENDENCY_WAIT_MS));
        let candidates = pool.candidates(10);
        assert_eq!(candidates.len(), 1);
        assert!(candidates[0].waited_enough);
        let executed = commit(&ledger, std::slice::from_ref(&orphan));
        let rejection = executed.block().rejections().next().unwrap();
        assert_eq!(rejection.message, "The dependency abc is not committed");
    }

    #[test]
    fn a_full_pool_takes_all_of_a_list_or_nothing() {
        let (_directory, ledger) = ledger();
        let pool = Pool::new();
        let large = |number: u32| put(number, &vec![b'x'; limits::PAYLOAD_BYTES - 100]);
        let fits = u32::try_from(limits::POOL_BYTES / limits::PAYLOAD_BYTES).unwrap() - 1;
        pool.admit((0..fits).map(large).collect(), Source::Client, &ledger.reader(), 0).unwrap();
        let before = pool.size();
        let refused = pool.admit(
            vec![put(1, b"small"), large(1_000), large(1_001)],
            Source::Client,
            &ledger.reader(),
            0,
        );
        assert!(matches!(refused, Err(AdmitError::Full { .. })));
        assert_eq!(pool.size(), before);
        pool.admit(vec![put(1, b"small")], Source::Client, &ledger.reader(), 0).unwrap();
    }

    #[test]
    fn the_last_quarter_is_for_clients() {
        let (_directory, ledger) = ledger();
        let pool = Pool::new();
        let large = |number: u32| put(number, &vec![b'x'; limits::PAYLOAD_BYTES - 100]);
        let give = |number: u32, source| pool.admit(vec![large(number)], source, &ledger.reader(), 0);
        let of_peers = (0..).take_while(|number| give(*number, Source::Peer).is_ok()).count();
        let (_, bytes) = pool.size();
        let (_, most) = Source::Peer.limits();
        assert!(bytes <= most && bytes + limits::PAYLOAD_BYTES > most, "{of_peers} of peers, {bytes} bytes");
        let before = u32::try_from(of_peers).unwrap();
        let of_clients = (before..).take_while(|number| give(*number, Source::Client).is_ok()).count();
        assert!(of_clients >= of_peers / 4 && of_clients > 0, "{of_clients} beside {of_peers}");
    }

    #[test]
    fn a_rejected_batch_is_rejected_once_and_may_come_again() {
        let (_directory, ledger) = ledger();
        let pool = Pool::new();
        let bad = put(2, b"refuse");
        pool.admit(vec![bad.clone()], Source::Client, &ledger.reader(), 0).unwrap();
        let stale = pool.candidates(10);
        let first = build_of(&ledger, &stale);
        assert_eq!(first.block().rejections().count(), 1);
        // On top of it, whether it is committed already or not, the same arrival is not decided again.
        assert_eq!(build_on(&ledger, &first, &stale).block().entries.len(), 0);
        ledger.commit(std::slice::from_ref(&first)).unwrap();
        assert_eq!(build_of(&ledger, &stale).block().entries.len(), 0);
        pool.remove_decided(first.block());
        pool.admit(vec![bad], Source::Client, &ledger.reader(), 0).unwrap();
        assert_eq!(build_of(&ledger, &pool.candidates(10)).block().rejections().count(), 1);
    }
}
