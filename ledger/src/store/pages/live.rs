//! The pages of an open file.

use super::{PageCount, Pages, check_seals, open};
use crate::store::{File, StoreError};

impl File {
    /// Checks the pages and seals of the file as it is now, also while others write. `go_on` is asked at every record.
    ///
    /// # Errors
    /// The first page or record that is wrong; when the file cannot be read; or when `go_on` says no.
    pub fn check_pages(&self, go_on: &dyn Fn() -> bool) -> Result<PageCount, StoreError> {
        let (name, file) = open(self.path())?;
        let mut check_seal = check_seals(&name);
        // The read keeps its pages from being written; two commits later its meta page may be another's.
        let begin = || {
            let view = self.read()?;
            let pages = Pages::of(&name, &file, Some(view.transaction_id()))?;
            Ok::<_, StoreError>((view, pages))
        };
        let (_view, pages) = begin().or_else(|_| begin()).or_else(|_| begin())?;
        pages.walk(&mut |page, key, stored| {
            if !go_on() {
                let stopped = std::io::Error::from(std::io::ErrorKind::Interrupted);
                return Err(self.error("checking", stopped.into()));
            }
            check_seal(page, key, stored)
        })
    }
}
