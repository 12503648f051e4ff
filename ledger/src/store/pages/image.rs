//! Reading pages, and keeping account of them.

use std::io;

use super::META_PAGES;
use super::page::Page;
use crate::store::StoreError;

/// What can be read like a file.
pub trait Source {
    /// The size, bytes.
    ///
    /// # Errors
    /// When the system does not tell.
    fn len(&self) -> io::Result<u64>;

    /// Whether there is nothing.
    ///
    /// # Errors
    /// As [`Source::len`].
    fn is_empty(&self) -> io::Result<bool> {
        Ok(self.len()? == 0)
    }

    /// Fills the buffer from an offset.
    ///
    /// # Errors
    /// When so much is not there or cannot be read.
    fn read_exact_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()>;
}

impl Source for std::fs::File {
    fn len(&self) -> io::Result<u64> {
        Ok(self.metadata()?.len())
    }

    fn read_exact_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        std::os::unix::fs::FileExt::read_exact_at(self, buffer, offset)
    }
}

impl Source for Vec<u8> {
    fn len(&self) -> io::Result<u64> {
        Ok(self.as_slice().len() as u64)
    }

    fn read_exact_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        let start = usize::try_from(offset).ok();
        let found = start.and_then(|start| self.get(start..start.checked_add(buffer.len())?));
        buffer.copy_from_slice(found.ok_or(io::ErrorKind::UnexpectedEof)?);
        Ok(())
    }
}

/// A file as pages.
pub(super) struct Image<'a> {
    name: &'a str,
    source: &'a dyn Source,
    bytes: u64,
    page_size: usize,
}

impl<'a> Image<'a> {
    /// The page size is not known before the first meta page is read.
    pub(super) fn new(name: &'a str, source: &'a dyn Source) -> Result<Self, StoreError> {
        let bytes = source.len().map_err(|error| unreadable(name, error))?;
        Ok(Self { name, source, bytes, page_size: 0 })
    }

    pub(super) fn set_page_size(&mut self, page_size: usize) {
        self.page_size = page_size;
    }

    pub(super) fn page_size(&self) -> usize {
        self.page_size
    }

    /// Whole pages in the file.
    fn pages(&self) -> u64 {
        self.bytes / self.page_size as u64
    }

    /// Bytes of the file, which must be there.
    pub(super) fn bytes(&self, page: u64, offset: u64, len: usize) -> Result<Vec<u8>, StoreError> {
        if offset.checked_add(len as u64).is_none_or(|end| end > self.bytes) {
            return Err(self.damaged(page, "the file ends before it"));
        }
        let mut buffer = vec![0; len];
        self.source.read_exact_at(&mut buffer, offset).map_err(|error| unreadable(self.name, error))?;
        Ok(buffer)
    }

    /// A page, whose header says that it is this one.
    pub(super) fn page(&self, number: u64) -> Result<Page, StoreError> {
        if number >= self.pages() {
            return Err(self.damaged(number, "the file ends before it"));
        }
        let page = Page::new(self.bytes(number, number * self.page_size as u64, self.page_size)?);
        if page.number() != number {
            return Err(self.damaged(number, format!("its header says page {}", page.number())));
        }
        Ok(page)
    }

    pub(super) fn damaged(&self, page: u64, reason: impl std::fmt::Display) -> StoreError {
        StoreError::DamagedPage { file: self.name.to_owned(), page, reason: reason.to_string() }
    }
}

pub(super) fn unreadable(file: &str, error: io::Error) -> StoreError {
    StoreError::Failed { file: file.to_owned(), operation: "reading the pages of", source: error.into() }
}

/// Which pages have a use so far: a bit each.
pub(super) struct Used {
    words: Vec<u64>,
    last_page: u64,
}

impl Used {
    pub(super) fn new(image: &Image<'_>, last_page: u64, meta_page: u64) -> Result<Self, StoreError> {
        // Pages beyond the end of the file are free ones, and each takes 8 bytes in the file's list of them.
        let most = image.pages().saturating_add(image.bytes / 8);
        if last_page < META_PAGES - 1 || last_page > most {
            return Err(image.damaged(meta_page, format!("its last page {last_page} is not possible")));
        }
        let words =
            usize::try_from(last_page / 64 + 1).map_err(|_| image.damaged(meta_page, "too many pages"))?;
        let mut used = Self { words: vec![0; words], last_page };
        used.words[0] = (1 << META_PAGES) - 1;
        Ok(used)
    }

    /// Gives a page its use. `from` is the page that names it.
    pub(super) fn take(&mut self, image: &Image<'_>, page: u64, from: u64) -> Result<(), StoreError> {
        if page < META_PAGES || page > self.last_page {
            return Err(image.damaged(from, format!("it names page {page} of {}", self.last_page)));
        }
        let bit = 1u64 << (page % 64);
        let word = usize::try_from(page / 64).ok().and_then(|at| self.words.get_mut(at));
        match word {
            Some(word) if *word & bit == 0 => *word |= bit,
            _ => return Err(image.damaged(page, format!("it has two uses, one of them by page {from}"))),
        }
        Ok(())
    }

    pub(super) fn first_unused(&self) -> Option<u64> {
        let first = (0..)
            .zip(&self.words)
            .find_map(|(at, word)| (*word != u64::MAX).then(|| 64 * at + u64::from(word.trailing_ones())));
        first.filter(|page| *page <= self.last_page)
    }
}
