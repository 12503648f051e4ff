use std::io::Write;

use anyhow::{Result, bail};
use ledger::store::{File, FileOptions, FileStats, is_open_somewhere};

use super::{NO_NAMED, NO_PREVIOUS, Options, Tool};
use crate::cli::dumps::lock_to_read;

pub(super) const TOOL: Tool = Tool {
    name: "mdb_stat",
    usage: "[-V] [-e] -n [-r[r]] dbpath",
    flags: "Venr",
    valued: "",
    refused: &[
        ('a', NO_NAMED),
        ('s', NO_NAMED),
        ('f', "`dgt verify` checks that every page is either used or free"),
        ('v', NO_PREVIOUS),
    ],
    operands: (1, 1),
};

pub(super) fn run(options: &Options, out: &mut dyn Write) -> Result<()> {
    let path = options.file();
    let _lock = lock_to_read(path)?;
    if options.has('r') && is_open_somewhere(path)? {
        bail!("{}: another process has it open", path.display());
    }
    let file = File::open(path, FileOptions::EXISTING)?;
    let stats = file.read()?.stats()?;
    if options.has('e') {
        print_environment(out, &stats)?;
    }
    if options.has('r') {
        writeln!(out, "Reader Table Status\n(no active readers)")?;
        if options.count('r') > 1 {
            writeln!(out, "  0 stale readers cleared.\n(no active readers)")?;
        }
        return Ok(());
    }
    writeln!(out, "Status of Main DB")?;
    writeln!(out, "  Tree depth: {}", stats.depth)?;
    writeln!(out, "  Branch pages: {}", stats.branch_pages)?;
    writeln!(out, "  Leaf pages: {}", stats.leaf_pages)?;
    writeln!(out, "  Overflow pages: {}", stats.overflow_pages)?;
    writeln!(out, "  Entries: {}", stats.entries)?;
    Ok(())
}

fn print_environment(out: &mut dyn Write, stats: &FileStats) -> Result<()> {
    writeln!(out, "Environment Info")?;
    writeln!(out, "  Map address: (nil)")?;
    writeln!(out, "  Map size: {}", stats.map_bytes)?;
    writeln!(out, "  Page size: {}", stats.page_bytes)?;
    writeln!(out, "  Max pages: {}", stats.map_bytes / (stats.page_bytes as usize).max(1))?;
    writeln!(out, "  Number of pages used: {}", stats.last_page + 1)?;
    writeln!(out, "  Last transaction ID: {}", stats.last_transaction)?;
    writeln!(out, "  Max readers: {}", stats.max_readers)?;
    writeln!(out, "  Number of readers used: {}", stats.readers)?;
    Ok(())
}
