//! The pages of all four files, and the seals of their records, before LMDB opens any.

use std::path::Path;

use super::run::Step;
use crate::store::{FileKind, StoreError, pages};

/// Walks the files one after the other and returns the number of pages. `progress` is told bytes.
pub(super) fn check(directory: &Path, progress: &mut dyn FnMut(Step, u64, u64)) -> Result<u64, StoreError> {
    let paths = FileKind::ALL.map(|kind| directory.join(kind.file_name()));
    let sizes = paths.each_ref().map(|path| std::fs::metadata(path).map_or(0, |found| found.len()));
    let (all, mut before, mut found) = (sizes.iter().sum(), 0, 0);
    for (path, size) in paths.iter().zip(sizes) {
        let mut done = before;
        let told = &mut |record: u64| {
            done += record;
            progress(Step::Pages, done.min(all), all);
        };
        found += pages::check(path, told)?.all;
        before += size;
    }
    progress(Step::Pages, all, all);
    Ok(found)
}
