//! Options as getopt reads them: `-nf FILE`, `-n -fFILE`, `--` ends them.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::path::Path;

use anyhow::{Result, bail};

use super::Tool;

/// What a tool was called with.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Options {
    flags: Vec<char>,
    values: Vec<(char, OsString)>,
    operands: Vec<OsString>,
}

impl Options {
    /// Reads a tool's words.
    pub(super) fn parse(tool: &Tool, words: Vec<OsString>) -> Result<Self> {
        let mut options = Self::default();
        let mut words = words.into_iter();
        while let Some(word) = words.next() {
            match word.as_bytes() {
                b"--" => {
                    options.operands.extend(words);
                    break;
                }
                [b'-', letters @ ..] if !letters.is_empty() => options.take(tool, letters, &mut words)?,
                _ => options.operands.push(word),
            }
        }
        let (least, most) = tool.operands;
        if !options.has('V') && !(least..=most).contains(&options.operands.len()) {
            bail!("usage: {} {}", tool.name, tool.usage);
        }
        Ok(options)
    }

    /// Takes the letters behind one dash.
    fn take(
        &mut self,
        tool: &Tool,
        letters: &[u8],
        words: &mut impl Iterator<Item = OsString>,
    ) -> Result<()> {
        for (index, letter) in letters.iter().map(|letter| char::from(*letter)).enumerate() {
            if let Some((_, reason)) = tool.refused.iter().find(|(refused, _)| *refused == letter) {
                bail!("{}: -{letter} is not taken: {reason}", tool.name);
            }
            if tool.flags.contains(letter) {
                self.flags.push(letter);
                continue;
            }
            if !tool.valued.contains(letter) {
                bail!("{}: -{letter} is not known\nusage: {} {}", tool.name, tool.name, tool.usage);
            }
            let value = match &letters[index + 1..] {
                [] => words.next(),
                rest => Some(OsString::from_vec(rest.to_vec())),
            };
            let Some(value) = value else { bail!("{}: -{letter} needs a value", tool.name) };
            self.values.push((letter, value));
            break;
        }
        Ok(())
    }

    /// Whether a flag is there.
    pub(super) fn has(&self, flag: char) -> bool {
        self.flags.contains(&flag)
    }

    /// How often a flag is there.
    pub(super) fn count(&self, flag: char) -> usize {
        self.flags.iter().filter(|found| **found == flag).count()
    }

    /// The value of an option; the last one counts.
    pub(super) fn value(&self, option: char) -> Option<&OsStr> {
        let value = self.values.iter().rev().find(|(name, _)| *name == option);
        value.map(|(_, value)| value.as_os_str())
    }

    /// An operand; the usage was checked.
    pub(super) fn operand(&self, index: usize) -> Option<&Path> {
        self.operands.get(index).map(Path::new)
    }

    /// The LMDB file that the tool is about.
    pub(super) fn file(&self) -> &Path {
        self.operand(0).unwrap_or(Path::new(""))
    }
}

#[cfg(test)]
mod tests {
    use std::ffi::OsStr;

    use super::super::{dump, load, stat};
    use super::{Options, Tool};

    fn parse(tool: &Tool, words: &[&str]) -> Result<Options, String> {
        Options::parse(tool, words.iter().map(Into::into).collect()).map_err(|error| error.to_string())
    }

    #[test]
    fn words_are_read_as_getopt_reads_them() {
        for words in [&["-n", "-f", "out", "file"][..], &["-nf", "out", "file"], &["file", "-nfout"]] {
            let options = parse(&dump::TOOL, words).unwrap();
            assert!(options.has('n') && !options.has('p'));
            assert_eq!((options.value('f'), options.file()), (Some(OsStr::new("out")), "file".as_ref()));
        }
        assert_eq!(parse(&stat::TOOL, &["-nrr", "--", "-file"]).unwrap().count('r'), 2);
    }

    #[test]
    fn wrong_words_are_named() {
        for (tool, words, said) in [
            (&dump::TOOL, &["-n"][..], "usage: mdb_dump"),
            (&dump::TOOL, &["-n", "one", "two"], "usage: mdb_dump"),
            (&dump::TOOL, &["-nx", "file"], "-x is not known"),
            (&dump::TOOL, &["-n", "file", "-f"], "-f needs a value"),
            (&dump::TOOL, &["-na", "file"], "-a is not taken"),
            (&load::TOOL, &["-nT", "file"], "-T is not taken"),
        ] {
            let error = parse(tool, words).unwrap_err();
            assert!(error.contains(said), "{said} is not in {error}");
        }
    }
}
