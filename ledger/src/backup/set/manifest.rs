//! `manifest.json`: what a set holds.

use std::path::Path;

use ledger_types::{BlockId, Hash, NetworkId};
use serde::{Deserialize, Serialize};

use super::SetError;
use crate::backup::FileDigest;
use crate::store::{FileKind, schema};

/// The manifest's name in a set.
const NAME: &str = "manifest.json";
/// What the manifest calls itself.
const FORMAT: &str = "dgt-backup-1";
/// A manifest has about a kilobyte.
const MAX_BYTES: u64 = 64 << 10;

/// What a set holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Manifest {
    /// When it was made, UTC, as RFC 3339 writes it.
    pub time: String,
    /// The network.
    pub network_id: NetworkId,
    /// The height of the newest block.
    pub height: u64,
    /// Its id.
    pub block_id: BlockId,
    /// The root of the state after it.
    pub state_root: Hash,
    /// The dumps, in the order of [`FileKind::ALL`].
    pub files: Vec<SetFile>,
}

/// A dump of a set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SetFile {
    /// Which file it is the dump of.
    pub kind: FileKind,
    /// The dump's name in the set.
    pub dump: String,
    /// Its records.
    pub digest: FileDigest,
}

/// The manifest as JSON has it.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    format: String,
    time: String,
    network_id: NetworkId,
    height: u64,
    block_id: BlockId,
    state_root: Hash,
    /// The version of ledger/FORMAT.md that the records have.
    record_format: u32,
    files: Vec<Entry>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    file: String,
    dump: String,
    records: u64,
    /// Of `mdb_dump -n FILE | sed '1,/HEADER=END/d'`.
    sha256: Hash,
}

impl Manifest {
    /// Reads the manifest of a set. The dumps are not looked at.
    ///
    /// # Errors
    /// When it is missing, is none, or is of a version that is not known.
    pub fn read(folder: &Path) -> Result<Self, SetError> {
        let path = folder.join(NAME);
        let wrong = |reason: String| SetError::Manifest { path: path.clone(), reason };
        match std::fs::metadata(&path) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                return Err(SetError::NoSet { path: folder.to_owned() });
            }
            Err(error) => return Err(SetError::io(&path, "reading")(error)),
            Ok(found) if found.len() > MAX_BYTES => return Err(wrong("too large for a manifest".into())),
            Ok(_) => {}
        }
        let text = std::fs::read(&path).map_err(SetError::io(&path, "reading"))?;
        let document: Document = serde_json::from_slice(&text).map_err(|error| wrong(error.to_string()))?;
        document.check().map_err(wrong)
    }

    /// The manifest's text.
    pub(super) fn to_json(&self) -> Result<String, SetError> {
        let entry = |file: &SetFile| Entry {
            file: file.kind.file_name().to_owned(),
            dump: file.dump.clone(),
            records: file.digest.records,
            sha256: file.digest.sha256,
        };
        let document = Document {
            format: FORMAT.to_owned(),
            time: self.time.clone(),
            network_id: self.network_id,
            height: self.height,
            block_id: self.block_id,
            state_root: self.state_root,
            record_format: schema::FORMAT_VERSION,
            files: self.files.iter().map(entry).collect(),
        };
        let text = serde_json::to_string_pretty(&document);
        text.map(|text| text + "\n")
            .map_err(|error| SetError::Manifest { path: NAME.into(), reason: error.to_string() })
    }

    /// Where a set has its manifest.
    pub(super) fn path(folder: &Path) -> std::path::PathBuf {
        folder.join(NAME)
    }
}

impl Document {
    fn check(self) -> Result<Manifest, String> {
        if self.format != FORMAT {
            return Err(format!("the format {:?} is not known; this dgt knows {FORMAT:?}", self.format));
        }
        if self.record_format != schema::FORMAT_VERSION {
            let (found, known) = (self.record_format, schema::FORMAT_VERSION);
            return Err(format!("record format {found} is not known; this dgt knows {known}"));
        }
        let mut files = Vec::new();
        for kind in FileKind::ALL {
            let entry = self.files.iter().find(|entry| entry.file == kind.file_name());
            let entry = entry.ok_or_else(|| format!("{} is not in the set", kind.file_name()))?;
            // The set is a folder of its own; a name must not lead out of it.
            if Path::new(&entry.dump).file_name() != Some(entry.dump.as_ref()) {
                return Err(format!("{:?} is no name of a dump", entry.dump));
            }
            let digest = FileDigest { sha256: entry.sha256, records: entry.records };
            files.push(SetFile { kind, dump: entry.dump.clone(), digest });
        }
        if self.files.len() != files.len() {
            return Err("a file stands twice, or is not one of dgt".to_owned());
        }
        let Self { time, network_id, height, block_id, state_root, .. } = self;
        Ok(Manifest { time, network_id, height, block_id, state_root, files })
    }
}
