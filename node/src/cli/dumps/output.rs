use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};

/// A file that appears under its name when it is whole, and not before.
pub(in crate::cli) struct NewFile {
    file: File,
    path: PathBuf,
    unfinished: PathBuf,
}

impl NewFile {
    /// Begins the file, as `PATH.tmp`.
    pub(in crate::cli) fn create(path: &Path) -> Result<Self> {
        let mut unfinished = path.as_os_str().to_owned();
        unfinished.push(".tmp");
        let unfinished = PathBuf::from(unfinished);
        let file = File::create(&unfinished).with_context(|| format!("making {}", unfinished.display()))?;
        Ok(Self { file, path: path.to_owned(), unfinished })
    }

    /// Syncs the file and gives it its name; what had the name before is replaced.
    pub(in crate::cli) fn finish(self) -> Result<()> {
        let context = || format!("writing {}", self.path.display());
        self.file.sync_all().with_context(context)?;
        std::fs::rename(&self.unfinished, &self.path).with_context(context)?;
        sync_folder(self.path.parent().unwrap_or(Path::new(""))).with_context(context)
    }
}

/// Makes the names in a folder durable.
fn sync_folder(folder: &Path) -> io::Result<()> {
    let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
    File::open(folder)?.sync_all()
}

impl Write for NewFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.file.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

impl Drop for NewFile {
    fn drop(&mut self) {
        // After it was finished there is none.
        let _ = std::fs::remove_file(&self.unfinished);
    }
}
