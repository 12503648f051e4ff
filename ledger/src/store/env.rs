//! One LMDB file: opening, short reads, one writer. The only place of the workspace with `unsafe`.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use bytes::Bytes;
use heed::types::Bytes as Raw;
use heed::{
    Database, Env, EnvFlags, EnvOpenOptions, MdbError, PutFlags, ReservedSpace, RoTxn, RwTxn, WithoutTls,
};
use parking_lot::{Condvar, Mutex};

use super::lock::ReaderTable;
use super::{StoreError, room, seal};

/// How long opening waits for a stock tool to let go of a file.
const STOCK_TOOL_PATIENCE: Duration = Duration::from_secs(5);
/// Reads at once; below LMDB's table of 126 readers, so that a read never fails for want of a slot.
const READS_AT_ONCE: usize = 100;

/// When a commit is on the disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Durability {
    /// Before the commit returns.
    EveryCommit,
    /// Integrity at every commit; a power loss may undo the last ones until [`File::sync`].
    UntilSync,
    /// Nothing before [`File::sync`], not even integrity: for a file that nobody relies on before that.
    OnlySync,
}

/// How to open a file.
#[derive(Clone, Copy, Debug)]
pub struct FileOptions {
    /// When commits are durable.
    pub durability: Durability,
    /// The size of the memory map, a multiple of 4,096, or 0 for the size that the file records; the file itself grows
    /// only as needed.
    pub map_bytes: usize,
    /// Whether to refuse a file that is not there yet.
    pub must_exist: bool,
}

impl FileOptions {
    /// A file that is there, as it is.
    pub const EXISTING: Self = Self { durability: Durability::EveryCommit, map_bytes: 0, must_exist: true };
}

/// An open LMDB file. Dropping it closes it and removes its `-lock` file, unless another process has it open.
pub struct File {
    pub(super) env: Env<WithoutTls>,
    pub(super) records: Database<'static, Raw, Raw>,
    name: String,
    path: PathBuf,
    map_bytes: usize,
    reads: ReadSlots,
    // Declared after the environment, so that it is closed before the table goes.
    _reader_table: ReaderTable,
}

impl File {
    /// Opens or creates a file. Waits a few seconds for a stock LMDB tool that has it open.
    ///
    /// # Errors
    /// When the file cannot be opened, or is missing and `must_exist`.
    pub fn open(path: &Path, options: FileOptions) -> Result<Self, StoreError> {
        let name = file_name(path);
        let failed = |operation| {
            let file = name.clone();
            move |source: heed::Error| StoreError::Failed { file, operation, source }
        };
        // heed resolves the parent of a bare relative name to nothing.
        let path = std::path::absolute(path).map_err(|e| failed("resolving the path")(e.into()))?;
        if options.must_exist && !path.exists() {
            let missing = std::io::Error::from(std::io::ErrorKind::NotFound);
            return Err(failed("opening")(missing.into()));
        }
        let reader_table = ReaderTable::of(&path);
        let env = open_patiently(&path, options, &name)?;
        let transaction = env.read_txn().map_err(failed("reading"))?;
        let records = env
            .open_databases_and_commit(transaction, |opener, transaction| {
                let records = opener.open_database::<Raw, Raw>(transaction, None)?;
                Ok::<_, heed::Error>(heed::CommitOrAbort::<_, ()>::Commit(records))
            })
            .map_err(failed("opening the main database of"))?
            .unwrap_commit()
            .expect("invariant: the unnamed database always exists");
        env.clear_stale_readers().map_err(failed("clearing stale readers of"))?;
        let map_bytes = env.info().map_size;
        let reads = ReadSlots::default();
        Ok(Self { env, records, name, path, map_bytes, reads, _reader_table: reader_table })
    }

    /// The file's name, without folders.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Where the file is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The size of the memory map, bytes.
    pub fn map_bytes(&self) -> usize {
        self.map_bytes
    }

    /// Begins a read of one consistent state of the file. Keep it short: it holds old pages alive.
    ///
    /// # Errors
    /// When LMDB cannot begin one.
    pub fn read(&self) -> Result<View<'_>, StoreError> {
        let slot = self.reads.take();
        let transaction = self.env.read_txn().map_err(|source| self.error("reading", source))?;
        Ok(View { file: self, transaction, _slot: slot })
    }

    /// Begins the file's only write; waits for another one in progress.
    ///
    /// # Errors
    /// When the disk is nearly full, or LMDB cannot begin one.
    pub fn write(&self) -> Result<Writer<'_>, StoreError> {
        room::check(&self.path, &self.name)?;
        let transaction = self.env.write_txn().map_err(|source| self.error("writing", source))?;
        Ok(Writer { file: self, transaction, sealed: Vec::new() })
    }

    /// Makes every commit so far durable.
    ///
    /// # Errors
    /// When the disk reports a failure: what it holds is then unknown, and the process must stop.
    pub fn sync(&self) -> Result<(), StoreError> {
        self.env.force_sync().map_err(|source| self.error("syncing", source))
    }

    /// The value of a stored record.
    fn unsealed<'v>(&self, key: &[u8], stored: &'v [u8]) -> Result<&'v [u8], StoreError> {
        seal::open(key, stored).ok_or_else(|| {
            let record = data_encoding::HEXLOWER.encode(key);
            StoreError::damaged(&self.name, record, seal::BROKEN)
        })
    }

    pub(super) fn error(&self, operation: &'static str, source: heed::Error) -> StoreError {
        match source {
            heed::Error::Mdb(MdbError::MapFull) => {
                StoreError::MapFull { file: self.name.clone(), map_bytes: self.map_bytes }
            }
            source => StoreError::Failed { file: self.name.clone(), operation, source },
        }
    }
}

pub(super) fn file_name(path: &Path) -> String {
    path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned()
}

fn open_patiently(path: &Path, options: FileOptions, name: &str) -> Result<Env<WithoutTls>, StoreError> {
    let give_up = Instant::now() + STOCK_TOOL_PATIENCE;
    loop {
        match open_env(path, options) {
            Ok(env) => return Ok(env),
            Err(heed::Error::Mdb(MdbError::VersionMismatch)) if Instant::now() < give_up => {
                tracing::warn!(file = name, "waiting for another LMDB version to let go of the file");
                // There is no event to wait for: the holder is a foreign process.
                std::thread::sleep(Duration::from_millis(100));
            }
            Err(heed::Error::Mdb(MdbError::VersionMismatch)) => {
                return Err(StoreError::HeldByStockTool { file: name.to_owned() });
            }
            Err(source) => {
                return Err(StoreError::Failed { file: name.to_owned(), operation: "opening", source });
            }
        }
    }
}

#[allow(unsafe_code)]
fn open_env(path: &Path, options: FileOptions) -> heed::Result<Env<WithoutTls>> {
    let mut flags = EnvFlags::NO_SUB_DIR;
    match options.durability {
        Durability::EveryCommit => {}
        Durability::UntilSync => flags |= EnvFlags::NO_META_SYNC,
        Durability::OnlySync => flags |= EnvFlags::NO_SYNC,
    }
    let mut open = EnvOpenOptions::new().read_txn_without_tls();
    if options.map_bytes > 0 {
        open.map_size(options.map_bytes);
    }
    // SAFETY: a memory map is sound only while nobody else changes the file. The data directory is held by
    // `node.lock` (one dgt process), LMDB's own lock file orders other LMDB processes, and no flag used here writes past
    // them (no WRITE_MAP or NO_LOCK). NO_SYNC is for new files alone, which are synced before anybody sees them.
    unsafe {
        open.flags(flags);
        open.open(path)
    }
}

/// Counts reads in progress, so that more threads than LMDB has slots wait instead of failing.
#[derive(Default)]
struct ReadSlots {
    taken: Mutex<usize>,
    freed: Condvar,
}

impl ReadSlots {
    fn take(&self) -> ReadSlot<'_> {
        let mut taken = self.taken.lock();
        self.freed.wait_while(&mut taken, |taken| *taken >= READS_AT_ONCE);
        *taken += 1;
        ReadSlot(self)
    }
}

struct ReadSlot<'a>(&'a ReadSlots);

impl Drop for ReadSlot<'_> {
    fn drop(&mut self) {
        *self.0.taken.lock() -= 1;
        self.0.freed.notify_one();
    }
}

/// A key and its value, both inside the memory map.
pub type Record<'a> = (&'a [u8], &'a [u8]);

/// A consistent state of a file. Values are given without their seals, which are checked at every read; only
/// [`View::for_each_stored`] shows the bytes as they lie in the file.
pub struct View<'a> {
    pub(super) file: &'a File,
    pub(super) transaction: RoTxn<'a, WithoutTls>,
    // Declared after the transaction, so that the slot is freed only after it ended.
    _slot: ReadSlot<'a>,
}

impl View<'_> {
    /// The file that this is a view of.
    pub fn file_name(&self) -> &str {
        self.file.name()
    }

    /// The value of a key, inside the memory map.
    ///
    /// # Errors
    /// When the file cannot be read or the record is damaged.
    pub fn get(&self, key: &[u8]) -> Result<Option<&[u8]>, StoreError> {
        let stored = self.file.records.get(&self.transaction, key);
        let stored = stored.map_err(|source| self.file.error("reading", source))?;
        stored.map(|stored| self.open(key, stored)).transpose()
    }

    /// The value of a key, copied.
    ///
    /// # Errors
    /// When the file cannot be read or the record is damaged.
    pub fn get_copy(&self, key: &[u8]) -> Result<Option<Bytes>, StoreError> {
        Ok(self.get(key)?.map(Bytes::copy_from_slice))
    }

    /// The first record whose key is at or after the key.
    ///
    /// # Errors
    /// When the file cannot be read or the record is damaged.
    pub fn at_or_after(&self, key: &[u8]) -> Result<Option<Record<'_>>, StoreError> {
        self.sealed(self.file.records.get_greater_than_or_equal_to(&self.transaction, key))
    }

    /// The last record whose key is before the key.
    ///
    /// # Errors
    /// When the file cannot be read or the record is damaged.
    pub fn before(&self, key: &[u8]) -> Result<Option<Record<'_>>, StoreError> {
        self.sealed(self.file.records.get_lower_than(&self.transaction, key))
    }

    /// Calls the visitor with every record whose key begins with the prefix, in key order.
    ///
    /// # Errors
    /// The visitor's error, or when the file cannot be read or a record is damaged.
    pub fn for_each<E: From<StoreError>>(
        &self,
        prefix: &[u8],
        mut visit: impl FnMut(&[u8], &[u8]) -> Result<(), E>,
    ) -> Result<(), E> {
        self.for_each_stored(prefix, |key, stored| visit(key, self.open(key, stored)?))
    }

    /// As [`View::for_each`], with the values as they are stored, seals included and not checked.
    ///
    /// # Errors
    /// The visitor's error, or when the file cannot be read.
    pub fn for_each_stored<E: From<StoreError>>(
        &self,
        prefix: &[u8],
        mut visit: impl FnMut(&[u8], &[u8]) -> Result<(), E>,
    ) -> Result<(), E> {
        let error = |source| self.file.error("reading", source);
        let records = &self.file.records;
        type Found<'a> = Box<dyn Iterator<Item = heed::Result<Record<'a>>> + 'a>;
        let found: Found<'_> = match prefix {
            // LMDB refuses an empty prefix.
            [] => Box::new(records.iter(&self.transaction).map_err(error)?),
            prefix => Box::new(records.prefix_iter(&self.transaction, prefix).map_err(error)?),
        };
        for record in found {
            let (key, value) = record.map_err(error)?;
            visit(key, value)?;
        }
        Ok(())
    }

    fn sealed<'v>(
        &'v self,
        found: heed::Result<Option<Record<'v>>>,
    ) -> Result<Option<Record<'v>>, StoreError> {
        let found = found.map_err(|source| self.file.error("reading", source))?;
        found.map(|(key, stored)| Ok((key, self.open(key, stored)?))).transpose()
    }

    fn open<'v>(&self, key: &[u8], stored: &'v [u8]) -> Result<&'v [u8], StoreError> {
        self.file.unsealed(key, stored)
    }

    /// The number of the transaction that wrote this state.
    pub(super) fn transaction_id(&self) -> u64 {
        self.transaction.id() as u64
    }

    /// The number of records.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn len(&self) -> Result<u64, StoreError> {
        self.file.records.len(&self.transaction).map_err(|source| self.file.error("reading", source))
    }

    /// Whether there is no record.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn is_empty(&self) -> Result<bool, StoreError> {
        Ok(self.len()? == 0)
    }
}

/// A write in progress; nothing is visible before [`Writer::commit`].
pub struct Writer<'a> {
    pub(super) file: &'a File,
    pub(super) transaction: RwTxn<'a>,
    /// The value being appended, with its seal.
    sealed: Vec<u8>,
}

impl Writer<'_> {
    /// The file that is written to.
    pub fn file_name(&self) -> &str {
        self.file.name()
    }

    /// The value of a key as this write has it so far.
    ///
    /// # Errors
    /// When the file cannot be read or the record is damaged.
    pub fn get(&self, key: &[u8]) -> Result<Option<&[u8]>, StoreError> {
        let stored = self.file.records.get(&self.transaction, key);
        let stored = stored.map_err(|source| self.file.error("reading", source))?;
        stored.map(|stored| self.file.unsealed(key, stored)).transpose()
    }

    /// The first record whose key is at or after the key, as this write has it so far.
    ///
    /// # Errors
    /// When the file cannot be read or the record is damaged.
    pub fn at_or_after(&self, key: &[u8]) -> Result<Option<Record<'_>>, StoreError> {
        let found = self.file.records.get_greater_than_or_equal_to(&self.transaction, key);
        let found = found.map_err(|source| self.file.error("reading", source))?;
        found.map(|(key, stored)| Ok((key, self.file.unsealed(key, stored)?))).transpose()
    }

    /// Sets a record, and seals it.
    ///
    /// # Errors
    /// When the map is full or the write fails.
    pub fn put(&mut self, key: &[u8], value: &[u8]) -> Result<(), StoreError> {
        let seal = seal::of(key, value);
        let seal = seal.as_ref().map_or(&[][..], |seal| seal);
        let write =
            |place: &mut ReservedSpace<'_>| place.write_all(value).and_then(|()| place.write_all(seal));
        let len = value.len() + seal.len();
        let put = self.file.records.put_reserved(&mut self.transaction, key, len, write);
        put.map_err(|source| self.file.error("writing", source))
    }

    /// As [`Writer::put`], cheaper for a record that goes behind all others.
    ///
    /// # Errors
    /// As [`Writer::put`].
    pub fn append(&mut self, key: &[u8], value: &[u8]) -> Result<(), StoreError> {
        self.sealed.clear();
        self.sealed.extend_from_slice(value);
        self.sealed.extend(seal::of(key, value).into_iter().flatten());
        let records = &self.file.records;
        match records.put_with_flags(&mut self.transaction, PutFlags::APPEND, key, &self.sealed) {
            Err(heed::Error::Mdb(MdbError::KeyExist)) => self.put(key, value),
            put => put.map_err(|source| self.file.error("writing", source)),
        }
    }

    /// Sets a record whose value was sealed before, or in a file that has no seals.
    ///
    /// # Errors
    /// When the map is full or the write fails.
    pub fn put_stored(&mut self, key: &[u8], stored: &[u8]) -> Result<(), StoreError> {
        let put = self.file.records.put(&mut self.transaction, key, stored);
        put.map_err(|source| self.file.error("writing", source))
    }

    /// Deletes a record, if it is there, and returns whether it was.
    ///
    /// # Errors
    /// When the write fails.
    pub fn delete(&mut self, key: &[u8]) -> Result<bool, StoreError> {
        let deleted = self.file.records.delete(&mut self.transaction, key);
        deleted.map_err(|source| self.file.error("writing", source))
    }

    /// Deletes every record.
    ///
    /// # Errors
    /// When the write fails.
    pub fn clear(&mut self) -> Result<(), StoreError> {
        let cleared = self.file.records.clear(&mut self.transaction);
        cleared.map_err(|source| self.file.error("writing", source))
    }

    /// Makes the write visible, and durable as the file's [`Durability`] says.
    ///
    /// # Errors
    /// When the map is full, or the disk reports a failure: what it holds is then unknown, and the process must stop.
    pub fn commit(self) -> Result<(), StoreError> {
        let file = self.file;
        self.transaction.commit().map_err(|source| file.error("committing", source))
    }
}
