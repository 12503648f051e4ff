//! Reading a dump, strictly: what no dumper writes is refused by its line.

use std::io::{BufRead, Read as _};

use data_encoding::HEXLOWER_PERMISSIVE;

use super::DumpError;
use super::text::{DATA_END, HEADER_END};
use crate::store::Record;

/// The most bytes of a value. LMDB could hold more; no file of dgt comes near it, and a line must not eat all memory.
pub const MAX_VALUE_BYTES: usize = 256 << 20;
/// The most bytes of a key, as LMDB has it.
const MAX_KEY_BYTES: usize = 511;
/// The most bytes of a line of the head, and the most lines.
const HEAD_LINE_BYTES: usize = 1024;
const HEAD_LINES: usize = 32;

/// Reads the records of a dump as they come. Both cases of hexadecimal are taken; everything else must be as
/// `mdb_dump -n` writes it.
pub struct DumpReader<R> {
    lines: Lines<R>,
    map_bytes: Option<u64>,
    ignored: Vec<String>,
    key: Vec<u8>,
    previous: Vec<u8>,
    value: Vec<u8>,
    records: u64,
    is_done: bool,
}

impl<R: BufRead> DumpReader<R> {
    /// Reads the head of a dump; `name` is what errors call it.
    ///
    /// # Errors
    /// When the head is not that of a dump in hexadecimal of a main database without duplicates.
    pub fn new(name: impl Into<String>, input: R) -> Result<Self, DumpError> {
        let mut lines = Lines { name: name.into(), input, line: Vec::new(), number: 0 };
        let Head { map_bytes, ignored } = Head::read(&mut lines)?;
        let [key, previous, value] = [const { Vec::new() }; 3];
        Ok(Self { lines, map_bytes, ignored, key, previous, value, records: 0, is_done: false })
    }

    /// The size of the map that the head asks for, bytes.
    pub fn map_bytes(&self) -> Option<u64> {
        self.map_bytes
    }

    /// Lines of the head that say nothing to this reader.
    pub fn ignored(&self) -> &[String] {
        &self.ignored
    }

    /// The number of records so far.
    pub fn records(&self) -> u64 {
        self.records
    }

    /// The next record, in strictly increasing order of keys. After `None` the dump is known to be whole.
    ///
    /// # Errors
    /// With the line that is wrong, or where the dump ends too early.
    pub fn next_record(&mut self) -> Result<Option<Record<'_>>, DumpError> {
        if self.is_done {
            return Ok(None);
        }
        let line = self.lines.next(2 * MAX_KEY_BYTES + 1, "a key or DATA=END")?;
        if line == DATA_END.as_bytes() {
            self.lines.expect_end()?;
            self.is_done = true;
            return Ok(None);
        }
        std::mem::swap(&mut self.key, &mut self.previous);
        decode(line, &mut self.key).map_err(|reason| self.lines.wrong(reason))?;
        if self.key.is_empty() {
            return Err(self.lines.wrong("a key has no bytes"));
        }
        if self.records > 0 && self.key <= self.previous {
            return Err(self
                .lines
                .wrong("the key is not greater than the one before: the lines are out of order"));
        }
        let line = self.lines.next(2 * MAX_VALUE_BYTES + 1, "the value of the key before it")?;
        decode(line, &mut self.value).map_err(|reason| self.lines.wrong(reason))?;
        self.records += 1;
        Ok(Some((&self.key, &self.value)))
    }
}

/// What the head of a dump says.
struct Head {
    map_bytes: Option<u64>,
    ignored: Vec<String>,
}

impl Head {
    fn read<R: BufRead>(lines: &mut Lines<R>) -> Result<Self, DumpError> {
        if lines.next(HEAD_LINE_BYTES, "VERSION=3")? != b"VERSION=3" {
            return Err(lines.wrong("not a dump: the first line must be VERSION=3"));
        }
        let mut head = Self { map_bytes: None, ignored: Vec::new() };
        let mut seen: Vec<String> = vec!["VERSION".to_owned()];
        for _ in 0..HEAD_LINES {
            let line = lines.next(HEAD_LINE_BYTES, HEADER_END)?;
            let text = std::str::from_utf8(line).ok().map(str::to_owned);
            let Some((name, value)) = text.as_deref().and_then(|text| text.split_once('=')) else {
                return Err(lines.wrong("the head of a dump has lines NAME=VALUE"));
            };
            if (name, value) == ("HEADER", "END") {
                let missing =
                    ["format", "type"].into_iter().find(|name| !seen.iter().any(|seen| seen == name));
                return match missing {
                    Some(name) => Err(lines.wrong(format!("the head has no line {name}="))),
                    None => Ok(head),
                };
            }
            if seen.iter().any(|seen| seen == name) {
                return Err(lines.wrong(format!("{name}= stands twice")));
            }
            head.take(name, value).map_err(|reason| lines.wrong(reason))?;
            seen.push(name.to_owned());
        }
        Err(lines.wrong(format!("no {HEADER_END} in the first {HEAD_LINES} lines")))
    }

    fn take(&mut self, name: &str, value: &str) -> Result<(), String> {
        match (name, value) {
            ("format", "bytevalue") | ("type", "btree") => {}
            ("format", "print") => {
                return Err("a dump made with -p cannot be loaded; dump without it".to_owned());
            }
            ("format" | "type", other) => return Err(format!("{name}={other} is not known")),
            ("database", _) => {
                return Err("the dump of a named database, which no file of dgt has".to_owned());
            }
            (
                "duplicates" | "dupsort" | "reversekey" | "integerkey" | "dupfixed" | "integerdup"
                | "reversedup",
                _,
            ) => {
                return Err(format!("{name}={value}: no file of dgt is kept like this"));
            }
            ("mapsize", digits) => {
                let bytes = digits.parse().map_err(|_| format!("mapsize={digits} is no number"))?;
                self.map_bytes = Some(bytes);
            }
            ("maxreaders" | "db_pagesize", digits) => {
                digits.parse::<u32>().map_err(|_| format!("{name}={digits} is no number"))?;
            }
            (name, value) => self.ignored.push(format!("{name}={value}")),
        }
        Ok(())
    }
}

/// Decodes the line of a key or a value.
fn decode(line: &[u8], bytes: &mut Vec<u8>) -> Result<(), &'static str> {
    let Some(digits) = line.strip_prefix(b" ") else { return Err("a record's line begins with a space") };
    if digits.len() % 2 != 0 {
        return Err("an odd number of hexadecimal digits: the line is cut");
    }
    bytes.resize(digits.len() / 2, 0);
    match HEXLOWER_PERMISSIVE.decode_mut(digits, bytes) {
        Ok(_) => Ok(()),
        Err(_) => Err("not hexadecimal"),
    }
}

/// The lines of a dump, counted.
struct Lines<R> {
    name: String,
    input: R,
    line: Vec<u8>,
    number: u64,
}

impl<R: BufRead> Lines<R> {
    /// The next line, without its end. `expected` is what a dump that ends here lacks.
    fn next(&mut self, most_bytes: usize, expected: &str) -> Result<&[u8], DumpError> {
        self.line.clear();
        self.number += 1;
        // One byte more than allowed tells a longer line, and one is the line's end.
        let mut input = (&mut self.input).take(most_bytes as u64 + 2);
        if let Err(source) = input.read_until(b'\n', &mut self.line) {
            return Err(self.unreadable(source));
        }
        if self.line.is_empty() {
            return Err(self.wrong(format!("the dump ends here; {expected} should follow")));
        }
        if self.line.pop_if(|last| *last == b'\n').is_none() {
            return Err(match self.line.len() > most_bytes {
                true => self.wrong(format!("longer than {most_bytes} characters")),
                false => self.wrong("the dump ends within this line"),
            });
        }
        match self.line.last() {
            Some(b'\r') => {
                Err(self.wrong("ends with CR LF; a dump has LF alone (was it copied as text by Windows?)"))
            }
            _ => Ok(&self.line),
        }
    }

    /// Makes sure that nothing follows.
    fn expect_end(&mut self) -> Result<(), DumpError> {
        match self.input.fill_buf() {
            Ok([]) => Ok(()),
            Ok(_) => {
                self.number += 1;
                Err(self.wrong(format!("something follows {DATA_END}")))
            }
            Err(source) => Err(self.unreadable(source)),
        }
    }

    fn unreadable(&self, source: std::io::Error) -> DumpError {
        DumpError::Io { name: format!("{}: line {}", self.name, self.number), operation: "reading", source }
    }

    fn wrong(&self, reason: impl Into<String>) -> DumpError {
        DumpError::Line { dump: self.name.clone(), line: self.number, reason: reason.into() }
    }
}
