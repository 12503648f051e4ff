//! `dgt backup`: sets of all four files of a stopped node.

mod list;

use std::io::Write;
use std::path::PathBuf;

use anyhow::{Context as _, Result};
use clap::{Args, Subcommand};
use ledger::backup::{Manifest, NewSet, Restoring, check_set, create_set};

use crate::cli::place::{Place, read_network};
use crate::cli::progress::Progress;
use crate::cli::verify::Verify;
use crate::clock;

/// Make, check and bring back backup sets: all four files of a stopped node, of one moment.
#[derive(Debug, Subcommand)]
pub(super) enum Backup {
    /// Dump the four files of a stopped node into a new folder, with a manifest. Keys are never part of it.
    Create(Create),
    /// Check that a folder is a whole set and every dump is the one that was made.
    Verify {
        /// The set.
        set: PathBuf,
    },
    /// Make the four files of a node from a set: checked as `dgt verify` does, then all of them put in place.
    Restore(Restore),
    /// Tell what sets hold, by their manifests alone.
    List {
        /// Sets, or folders of sets.
        #[arg(required = true)]
        folders: Vec<PathBuf>,
    },
}

/// Arguments of `dgt backup create`.
#[derive(Debug, Args)]
pub(super) struct Create {
    /// The set's folder; it must not be there yet.
    set: PathBuf,
    #[command(flatten)]
    place: Place,
    /// Compress the dumps as gzip does.
    #[arg(long)]
    compress: bool,
}

/// Arguments of `dgt backup restore`.
#[derive(Debug, Args)]
pub(super) struct Restore {
    /// The set.
    set: PathBuf,
    #[command(flatten)]
    place: Place,
    /// Replace files that are there.
    #[arg(long)]
    replace: bool,
    /// Do not check the chain as `dgt verify` does: the set's digests alone vouch for it.
    #[arg(long)]
    no_verify: bool,
}

impl Backup {
    pub(super) fn run(self, out: &mut dyn Write) -> Result<()> {
        match self {
            Self::Create(create) => create.run(out),
            Self::Verify { set } => {
                let mut progress = Progress::default();
                let manifest =
                    check_set(&set, &mut |kind, done| progress.show(kind.file_name(), "records", done, None));
                progress.clear();
                let manifest = manifest?;
                writeln!(out, "{}: whole", set.display())?;
                print(out, &manifest)
            }
            Self::Restore(restore) => restore.run(out),
            Self::List { folders } => list::run(out, &folders),
        }
    }
}

impl Create {
    fn run(self, out: &mut dyn Write) -> Result<()> {
        let data = self.place.data()?;
        let time = clock::utc(clock::wall_ms());
        let new = NewSet { data: &data, folder: &self.set, compress: self.compress, time };
        let mut progress = Progress::default();
        let manifest =
            create_set(&new, &mut |kind, done| progress.show(kind.file_name(), "records", done, None));
        progress.clear();
        let manifest = manifest?;
        writeln!(out, "{}: made", self.set.display())?;
        print(out, &manifest)
    }
}

impl Restore {
    fn run(self, out: &mut dyn Write) -> Result<()> {
        let (data, network_file) = (self.place.data()?, self.place.network_file()?);
        let network_id =
            network_file.as_deref().map(read_network).transpose()?.map(|genesis| genesis.lineage.current());
        let restoring = Restoring { set: &self.set, data: &data, network_id, replace: self.replace };
        let mut progress = Progress::default();
        let staged =
            restoring.stage(&mut |kind, done| progress.show(kind.file_name(), "records", done, None));
        progress.clear();
        let staged = staged?;
        if !self.no_verify {
            // Before anything is put in place: a set that is wrong replaces nothing.
            let verify = Verify::of(staged.folder(), network_file);
            verify.run(out).with_context(|| format!("{}: nothing was restored", self.set.display()))?;
        }
        let manifest = staged.publish()?;
        writeln!(out, "{}: restored", data.display())?;
        print(out, &manifest)
    }
}

/// What a set holds.
fn print(out: &mut dyn Write, manifest: &Manifest) -> Result<()> {
    writeln!(out, "  made     {}", manifest.time)?;
    writeln!(out, "  network  {}", manifest.network_id)?;
    writeln!(out, "  head     {} {}", manifest.height, manifest.block_id)?;
    writeln!(out, "  state    {}", manifest.state_root)?;
    for file in &manifest.files {
        writeln!(
            out,
            "  {}  {}  {} records",
            file.digest.sha256,
            file.kind.file_name(),
            file.digest.records
        )?;
    }
    Ok(())
}
