//! `mdb_dump`, `mdb_load`, `mdb_stat` and `mdb_copy`, for images without the stock tools: the same options, output and
//! exit codes, for the files of a stopped node. What makes no sense for those is refused by name.

mod copy;
mod dump;
mod load;
mod options;
mod stat;

use std::ffi::{OsStr, OsString};
use std::io::Write;
use std::path::Path;

use anyhow::{Result, bail};
use clap::{Args, Subcommand};
use ledger::store::lmdb_version;

use options::Options;

/// The stock LMDB tools; the binary is one of them as well when it is called by its name (mdb_dump, ...).
#[derive(Debug, Subcommand)]
pub(super) enum Mdb {
    /// mdb_dump: write a file's records as text.
    #[command(disable_help_flag = true)]
    Dump(Words),
    /// mdb_load: put the records of a dump into a file, beside those that are there.
    #[command(disable_help_flag = true)]
    Load(Words),
    /// mdb_stat: tell how large a file is.
    #[command(disable_help_flag = true)]
    Stat(Words),
    /// mdb_copy: copy a file.
    #[command(disable_help_flag = true)]
    Copy(Words),
}

/// What follows the tool's name, in the tool's own grammar.
#[derive(Debug, Args)]
pub(super) struct Words {
    /// The options and operands of the stock tool.
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, value_name = "WORD")]
    words: Vec<OsString>,
}

impl Mdb {
    /// The tool that a program of this name is.
    pub(super) fn named(program: &OsStr, words: Vec<OsString>) -> Option<Self> {
        let words = Words { words };
        match Path::new(program).file_name()?.to_str()? {
            "mdb_dump" => Some(Self::Dump(words)),
            "mdb_load" => Some(Self::Load(words)),
            "mdb_stat" => Some(Self::Stat(words)),
            "mdb_copy" => Some(Self::Copy(words)),
            _ => None,
        }
    }

    pub(super) fn run(self, out: &mut dyn Write) -> Result<()> {
        let (tool, run, Words { words }): (&Tool, Run, Words) = match self {
            Self::Dump(words) => (&dump::TOOL, dump::run, words),
            Self::Load(words) => (&load::TOOL, load::run, words),
            Self::Stat(words) => (&stat::TOOL, stat::run, words),
            Self::Copy(words) => (&copy::TOOL, copy::run, words),
        };
        let options = Options::parse(tool, words)?;
        if options.has('V') {
            return Ok(writeln!(out, "{} (dgt {})", lmdb_version(), env!("CARGO_PKG_VERSION"))?);
        }
        if !options.has('n') {
            bail!("{}: a file of dgt is one file, not a folder: -n must be given", tool.name);
        }
        run(&options, out)
    }
}

type Run = fn(&Options, &mut dyn Write) -> Result<()>;

/// What a stock tool takes.
struct Tool {
    name: &'static str,
    usage: &'static str,
    /// Options without a value.
    flags: &'static str,
    /// Options with a value.
    valued: &'static str,
    /// Options of the stock tool that are refused, and why.
    refused: &'static [(char, &'static str)],
    /// The least and the most operands.
    operands: (usize, usize),
}

const NO_NAMED: &str = "files of dgt have no named databases; without it, all records are taken";
const NO_PREVIOUS: &str = "a file is read as it is now";
