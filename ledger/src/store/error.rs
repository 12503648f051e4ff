//! Why storage refuses or fails. Every variant names the file, so an operator knows where to look.

use std::io::ErrorKind;

use ledger_types::NetworkId;
use thiserror::Error;

/// A fault or refusal of storage.
#[derive(Debug, Error)]
pub enum StoreError {
    /// LMDB or the file system failed.
    #[error("{file}: {operation} failed: {source}")]
    Failed {
        /// The file's name.
        file: String,
        /// What was tried.
        operation: &'static str,
        /// The cause.
        source: heed::Error,
    },
    /// A stock LMDB 0.9 tool has the file open.
    #[error("{file}: held by another LMDB version (is mdb_dump, mdb_load or mdb_stat running on it?)")]
    HeldByStockTool {
        /// The file's name.
        file: String,
    },
    /// The map is full.
    #[error("{file}: the map of {map_bytes} bytes is full; restart with a larger --map-gib")]
    MapFull {
        /// The file's name.
        file: String,
        /// The size of the map.
        map_bytes: usize,
    },
    /// The disk is nearly full.
    #[error(
        "{file}: its disk has {free_bytes} bytes left, and {reserve_bytes} are kept free; restart with more room"
    )]
    NoRoom {
        /// The file's name.
        file: String,
        /// What is left.
        free_bytes: u64,
        /// What must be left.
        reserve_bytes: u64,
    },
    /// Records are there, but none says what the file is.
    #[error("{file}: not a file of dgt: it has records but no meta record")]
    Foreign {
        /// The file's name.
        file: String,
    },
    /// The file is another of the four.
    #[error("{file}: holds {found}, not {expected}")]
    WrongKind {
        /// The file's name.
        file: String,
        /// What it holds.
        found: String,
        /// What it should hold.
        expected: &'static str,
    },
    /// The file was written by a version that this one does not know.
    #[error("{file}: format version {found} is not known; this dgt knows {known}")]
    UnknownVersion {
        /// The file's name.
        file: String,
        /// The version found.
        found: u32,
        /// The version known.
        known: u32,
    },
    /// The file belongs to another network.
    #[error("{file}: belongs to network {found}, not {expected}")]
    OtherNetwork {
        /// The file's name.
        file: String,
        /// The network found.
        found: NetworkId,
        /// The network expected.
        expected: NetworkId,
    },
    /// A page of the file is not what LMDB writes.
    #[error("{file}: page {page} is damaged: {reason}")]
    DamagedPage {
        /// The file's name.
        file: String,
        /// The page's number, from 0.
        page: u64,
        /// What is wrong.
        reason: String,
    },
    /// The state of a height is no longer kept.
    #[error(
        "{file}: the state of height {height} is no longer kept; the oldest one kept is that of height {oldest}"
    )]
    NoState {
        /// The file's name.
        file: String,
        /// The height asked for.
        height: u64,
        /// The oldest height whose state is kept.
        oldest: u64,
    },
    /// A record is not what it must be.
    #[error("{file}: record {record} is damaged: {reason}")]
    Damaged {
        /// The file's name.
        file: String,
        /// The record, as a person can find it.
        record: String,
        /// What is wrong.
        reason: String,
    },
}

impl StoreError {
    /// Whether the map or the disk is full.
    pub fn is_out_of_space(&self) -> bool {
        match self {
            Self::MapFull { .. } | Self::NoRoom { .. } => true,
            Self::Failed { source: heed::Error::Io(error), .. } => {
                matches!(error.kind(), ErrorKind::StorageFull | ErrorKind::QuotaExceeded)
            }
            _ => false,
        }
    }

    /// A damaged record of a file.
    pub fn damaged(file: &str, record: impl Into<String>, reason: impl std::fmt::Display) -> Self {
        Self::Damaged { file: file.to_owned(), record: record.into(), reason: reason.to_string() }
    }
}
