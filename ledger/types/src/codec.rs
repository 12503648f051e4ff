//! The one binary codec for everything that is ours: fixed-width big-endian integers, and byte strings with a
//! `u32` length before them. One value has exactly one encoding; a decoder refuses what is left over.

use bytes::Bytes;
use thiserror::Error;

/// Why bytes are not the encoding of a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum CodecError {
    /// The bytes end before the value does.
    #[error("cut short at byte {at}: {what}")]
    CutShort {
        /// Offset of the field.
        at: usize,
        /// The field.
        what: &'static str,
    },
    /// Bytes follow the value.
    #[error("{count} bytes left over")]
    LeftOver {
        /// How many.
        count: usize,
    },
    /// A field has a value that no encoder writes.
    #[error("bad {what} at byte {at}")]
    BadValue {
        /// Offset behind the field.
        at: usize,
        /// The field.
        what: &'static str,
    },
}

/// Appends values to a byte vector.
#[derive(Clone, Debug, Default)]
pub struct Writer(Vec<u8>);

impl Writer {
    /// An empty writer.
    pub fn new() -> Self {
        Self::default()
    }

    /// An empty writer with room for so many bytes.
    pub fn with_capacity(bytes: usize) -> Self {
        Self(Vec::with_capacity(bytes))
    }

    /// Makes room for so many more bytes.
    pub fn reserve(&mut self, bytes: usize) -> &mut Self {
        self.0.reserve(bytes);
        self
    }

    /// Appends a byte.
    pub fn u8(&mut self, value: u8) -> &mut Self {
        self.raw(&[value])
    }

    /// Appends two bytes, big-endian.
    pub fn u16(&mut self, value: u16) -> &mut Self {
        self.raw(&value.to_be_bytes())
    }

    /// Appends four bytes, big-endian.
    pub fn u32(&mut self, value: u32) -> &mut Self {
        self.raw(&value.to_be_bytes())
    }

    /// Appends eight bytes, big-endian.
    pub fn u64(&mut self, value: u64) -> &mut Self {
        self.raw(&value.to_be_bytes())
    }

    /// Appends bytes of a length that the reader knows.
    pub fn raw(&mut self, bytes: &[u8]) -> &mut Self {
        self.0.extend_from_slice(bytes);
        self
    }

    /// Appends a `u32` length and the bytes.
    pub fn bytes(&mut self, bytes: &[u8]) -> &mut Self {
        let len = u32::try_from(bytes.len()).expect("invariant: no field reaches 4 GiB");
        self.u32(len).raw(bytes)
    }

    /// Appends a `u32` length and what is written.
    pub fn framed(&mut self, write: impl FnOnce(&mut Self)) -> &mut Self {
        let at = self.u32(0).0.len();
        write(self);
        let len = u32::try_from(self.0.len() - at).expect("invariant: no field reaches 4 GiB");
        self.0[at - 4..at].copy_from_slice(&len.to_be_bytes());
        self
    }

    /// The bytes written so far.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// The bytes written.
    pub fn finish(self) -> Vec<u8> {
        self.0
    }
}

/// Reads values from a byte string; byte fields are slices of it, never copies.
#[derive(Debug)]
pub struct Reader {
    input: Bytes,
    at: usize,
}

impl Reader {
    /// A reader at the start of the bytes.
    pub fn new(input: Bytes) -> Self {
        Self { input, at: 0 }
    }

    fn take(&mut self, len: usize, what: &'static str) -> Result<std::ops::Range<usize>, CodecError> {
        let end = self.at.checked_add(len).filter(|end| *end <= self.input.len());
        let end = end.ok_or(CodecError::CutShort { at: self.at, what })?;
        Ok(std::mem::replace(&mut self.at, end)..end)
    }

    /// Reads `N` bytes.
    ///
    /// # Errors
    /// When fewer are left.
    pub fn array<const N: usize>(&mut self, what: &'static str) -> Result<[u8; N], CodecError> {
        let range = self.take(N, what)?;
        Ok(self.input[range].try_into().expect("invariant: the range has N bytes"))
    }

    /// Reads a byte.
    ///
    /// # Errors
    /// When none is left.
    pub fn u8(&mut self, what: &'static str) -> Result<u8, CodecError> {
        self.array::<1>(what).map(|[byte]| byte)
    }

    /// Reads two bytes, big-endian.
    ///
    /// # Errors
    /// When fewer are left.
    pub fn u16(&mut self, what: &'static str) -> Result<u16, CodecError> {
        self.array(what).map(u16::from_be_bytes)
    }

    /// Reads four bytes, big-endian.
    ///
    /// # Errors
    /// When fewer are left.
    pub fn u32(&mut self, what: &'static str) -> Result<u32, CodecError> {
        self.array(what).map(u32::from_be_bytes)
    }

    /// Reads eight bytes, big-endian.
    ///
    /// # Errors
    /// When fewer are left.
    pub fn u64(&mut self, what: &'static str) -> Result<u64, CodecError> {
        self.array(what).map(u64::from_be_bytes)
    }

    /// Reads a length and that many bytes.
    ///
    /// # Errors
    /// When the length is more than what is left.
    pub fn bytes(&mut self, what: &'static str) -> Result<Bytes, CodecError> {
        let len = self.u32(what)?;
        let range = self.take(len as usize, what)?;
        Ok(self.input.slice(range))
    }

    /// Reads a length and that many bytes of UTF-8.
    ///
    /// # Errors
    /// As [`Reader::bytes`], or when the bytes are not UTF-8.
    pub fn string(&mut self, what: &'static str) -> Result<String, CodecError> {
        let bytes = self.bytes(what)?;
        match std::str::from_utf8(&bytes) {
            Ok(text) => Ok(text.to_owned()),
            Err(_) => self.bad(what),
        }
    }

    /// Reads a `u32` count of items of at least `least_bytes` each, so that a count never claims more memory
    /// than the input has bytes.
    ///
    /// # Errors
    /// When so many items cannot follow.
    pub fn count(&mut self, least_bytes: usize, what: &'static str) -> Result<usize, CodecError> {
        let count = self.u32(what)? as usize;
        if count.saturating_mul(least_bytes) > self.input.len() - self.at {
            return Err(CodecError::CutShort { at: self.at, what });
        }
        Ok(count)
    }

    /// The error for a field whose value no encoder writes.
    ///
    /// # Errors
    /// Always.
    pub fn bad<T>(&self, what: &'static str) -> Result<T, CodecError> {
        Err(CodecError::BadValue { at: self.at, what })
    }

    /// Ends the reading.
    ///
    /// # Errors
    /// When bytes are left.
    pub fn finish(self) -> Result<(), CodecError> {
        match self.input.len() - self.at {
            0 => Ok(()),
            count => Err(CodecError::LeftOver { count }),
        }
    }
}
