//! `dgt export`: what a ledger holds, for other programs.

mod rows;
mod sink;
mod source;

use std::io::{BufWriter, Write};
use std::path::PathBuf;

use anyhow::{Result, ensure};
use clap::{Args, ValueEnum};
use serde_json::Value;

use self::sink::Sink;
use self::source::{Running, Source, Stopped};
use crate::cli::client::Connection;
use crate::cli::dumps::NewFile;
use crate::cli::item::text_at;
use crate::cli::place::Place;
use crate::cli::progress::Progress;

/// Arguments of `dgt export`.
#[derive(Debug, Args)]
pub(super) struct Export {
    /// What to write.
    what: What,
    #[command(flatten)]
    place: Place,
    /// Read from the REST interface of a running node instead of files.
    #[arg(long, conflicts_with_all = ["home", "directory"])]
    url: Option<String>,
    /// How to write it.
    #[arg(long, value_enum, default_value_t = Format::Jsonl)]
    format: Format,
    /// The first block's height [default: 0]; for state it means nothing.
    #[arg(long, value_name = "HEIGHT")]
    from: Option<u64>,
    /// The last block's height [default: the newest]; state is that after this block.
    #[arg(long, value_name = "HEIGHT")]
    to: Option<u64>,
    /// Where to write [default: standard output]. The file appears when it is whole.
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
}

/// What can be exported.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum What {
    /// Blocks with all that is in them.
    Blocks,
    /// Committed batches with their transactions.
    Batches,
    /// Committed transactions.
    Transactions,
    /// Addresses and their values.
    State,
    /// What transactions did: state changes, events, data.
    Receipts,
}

/// How it is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    /// One JSON document a line, in the shape of the REST interface.
    Jsonl,
    /// The main fields, comma-separated, the first line with their names.
    Csv,
}

impl Export {
    pub(super) fn run(self, out: &mut dyn Write) -> Result<()> {
        let source: Box<dyn Source> = match &self.url {
            Some(url) => Box::new(Running::new(Connection::new(url.clone()))?),
            None => Box::new(Stopped::open(&self.place)?),
        };
        match &self.output {
            None => self.write(&*source, out),
            Some(path) => {
                let mut file = BufWriter::with_capacity(1 << 16, NewFile::create(path)?);
                self.write(&*source, &mut file)?;
                let file = file.into_inner().map_err(std::io::IntoInnerError::into_error)?;
                file.finish()
            }
        }
    }

    fn write(&self, source: &dyn Source, out: &mut dyn Write) -> Result<()> {
        let newest = source.newest();
        let (from, to) = (self.from.unwrap_or(0), self.to.unwrap_or(newest));
        ensure!(to <= newest, "there is no block {to}; the newest is {newest}");
        ensure!(from <= to, "--from {from} is behind --to {to}");
        let mut sink = Sink::new(out, self.format, rows::columns(self.what));
        let written = match self.what {
            What::State => state(source, to, &mut sink),
            what => blocks(source, what, from, to, &mut sink),
        };
        written.and_then(|()| sink.finish())
    }
}

fn state(source: &dyn Source, height: u64, sink: &mut Sink<'_>) -> Result<()> {
    let mut progress = Progress::default();
    let mut done = 0;
    let written = source.state(height, &mut |value| {
        done += 1;
        progress.show("state", "values", done, None);
        sink.put(&value, || rows::state(&value))
    });
    progress.clear();
    written
}

/// Everything that stands in blocks, in the order of the chain.
fn blocks(source: &dyn Source, what: What, from: u64, to: u64, sink: &mut Sink<'_>) -> Result<()> {
    let mut progress = Progress::default();
    let mut done = 0;
    let written = source.blocks(from, to, &mut |block| {
        done += 1;
        progress.show("export", "blocks", done, Some(to - from + 1));
        put_block(source, what, &block, sink)
    });
    progress.clear();
    written
}

fn put_block(source: &dyn Source, what: What, block: &Value, sink: &mut Sink<'_>) -> Result<()> {
    if what == What::Blocks {
        return sink.put(block, || rows::block(block));
    }
    let number = text_at(block, "/header/block_num")?;
    for batch in list(block, "batches") {
        if what == What::Batches {
            sink.put(batch, || rows::batch(number, batch))?;
            continue;
        }
        let transactions = list(batch, "transactions");
        if what == What::Transactions {
            transactions
                .iter()
                .try_for_each(|one| sink.put(one, || rows::transaction(number, batch, one)))?;
            continue;
        }
        let ids = transactions.iter().map(|one| text_at(one, "/header_signature").map(str::to_owned));
        for receipt in source.receipts(&ids.collect::<Result<Vec<_>>>()?)? {
            sink.put(&receipt, || rows::receipt(number, &receipt))?;
        }
    }
    Ok(())
}

fn list<'a>(item: &'a Value, name: &str) -> &'a [Value] {
    item[name].as_array().map(Vec::as_slice).unwrap_or_default()
}
