//! What a disk may hold after a power loss.
//!
//! What was synced is there. Of what was written to a file since its last sync, any part may be there and any other not:
//! whole writes, pages or single sectors, in any order. A write through a descriptor with `O_DSYNC` is durable alone and
//! takes no other with it. A file that grew may have its old length, its new one with zeros in it, or any between. A rename
//! is durable when its folder is synced.

use std::collections::BTreeMap;
use std::path::Path;

use super::recording::{Event, Place};
use crate::random::Random;

/// What a disk writes whole or not at all, bytes.
const SECTOR: usize = 512;
/// What the system writes at once as a rule, bytes.
const PAGE: usize = 4096;

/// A file on the disk, and what was written to it and is not certain to be there.
#[derive(Clone, Debug, Default)]
struct Image {
    durable: Vec<u8>,
    pending: Vec<(usize, Vec<u8>)>,
}

impl Image {
    fn write_through(&mut self, offset: usize, bytes: &[u8]) {
        put(&mut self.durable, offset, bytes);
        // What was written there before it is gone from the cache, too.
        for (start, older) in &mut self.pending {
            let (from, to) = (offset.max(*start), (offset + bytes.len()).min(*start + older.len()));
            if from < to {
                older[from - *start..to - *start].copy_from_slice(&bytes[from - offset..to - offset]);
            }
        }
    }

    fn sync(&mut self) {
        for (offset, bytes) in std::mem::take(&mut self.pending) {
            put(&mut self.durable, offset, &bytes);
        }
    }
}

/// A node's files as the disk has them.
#[derive(Clone, Debug)]
pub struct Disk {
    files: BTreeMap<Place, Image>,
    /// The vote generation that is on the disk, and one that may be.
    generation: Vec<u8>,
    renamed: Option<Vec<u8>>,
}

/// What is found after a power loss.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// The bytes of the four files.
    pub files: BTreeMap<Place, Vec<u8>>,
    /// The bytes of the file of the vote generation.
    pub generation: Vec<u8>,
}

/// How much of what is not synced is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kept {
    /// Nothing.
    Nothing,
    /// Everything.
    Everything,
    /// Pieces of this size, so many of 8 in the mean.
    Pieces(usize, u64),
}

impl Kept {
    /// A random choice; the first two of a moment are the extremes.
    pub fn choose(number: usize, random: &mut Random) -> Self {
        match number {
            0 => Self::Nothing,
            1 => Self::Everything,
            _ => Self::Pieces([usize::MAX, PAGE, SECTOR][random.index(3)], [1, 4, 7][random.index(3)]),
        }
    }
}

impl Disk {
    /// The disk of a stopped node: its folder has everything, and all of it is durable.
    pub fn of(home: &Path) -> Self {
        let read =
            |path: &Path| std::fs::read(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let files = Place::FILES.map(|(place, name)| {
            (place, Image { durable: read(&home.join("data").join(name)), pending: Vec::new() })
        });
        let generation = read(&home.join("keys/vote-generation"));
        Self { files: files.into(), generation, renamed: None }
    }

    /// Goes on by one event.
    pub fn apply(&mut self, event: &Event) {
        match event {
            Event::Write { place, offset, bytes, is_through } => {
                let image = self.files.entry(*place).or_default();
                match is_through {
                    true => image.write_through(*offset, bytes),
                    false => image.pending.push((*offset, bytes.clone())),
                }
            }
            Event::Sync(Place::Keys) => {
                if let Some(renamed) = self.renamed.take() {
                    self.generation = renamed;
                }
            }
            Event::Sync(place) => self.files.entry(*place).or_default().sync(),
            Event::GenerationRenamed => {
                let new = self.files.remove(&Place::Generation).unwrap_or_default();
                // What is renamed before it is synced may be found empty.
                self.renamed = Some(if new.pending.is_empty() { new.durable } else { Vec::new() });
            }
            Event::Committed(_) => {}
        }
    }

    /// What is found when the power goes while an event is going on: a sync that has not returned, or a write.
    pub fn after_loss_during(&self, event: &Event, kept: Kept, random: &mut Random) -> Found {
        let mut disk = self.clone();
        if let Event::Write { place, offset, bytes, .. } = event {
            disk.files.entry(*place).or_default().pending.push((*offset, bytes.clone()));
        }
        let files = Place::FILES.map(|(place, _)| (place, found(&disk.files[&place], kept, random)));
        let is_renamed = match kept {
            Kept::Nothing => false,
            Kept::Everything => true,
            Kept::Pieces(..) => random.once_in(2),
        };
        let generation = disk.renamed.filter(|_| is_renamed).unwrap_or(disk.generation);
        Found { files: files.into(), generation }
    }

    /// What is there when nothing is lost.
    pub fn everything(&self) -> Found {
        self.after_loss_during(&Event::Committed(Vec::new()), Kept::Everything, &mut Random::new(0))
    }
}

fn found(image: &Image, kept: Kept, random: &mut Random) -> Vec<u8> {
    let mut bytes = image.durable.clone();
    for (offset, written) in &image.pending {
        let (piece, of_8) = match kept {
            Kept::Nothing => (usize::MAX, 0),
            Kept::Everything => (usize::MAX, 8),
            Kept::Pieces(piece, of_8) => (piece, of_8),
        };
        let mut start = 0;
        while start < written.len() {
            // Pieces begin at multiples of their size in the file.
            let end = match piece {
                usize::MAX => written.len(),
                piece => (start + piece - (offset + start) % piece).min(written.len()),
            };
            if random.below(0..8) < of_8 {
                put(&mut bytes, offset + start, &written[start..end]);
            }
            start = end;
        }
    }
    let grown = image.pending.iter().map(|(offset, written)| offset + written.len()).max().unwrap_or(0);
    if matches!(kept, Kept::Pieces(..)) && grown > bytes.len() && random.once_in(2) {
        let sectors = (grown - bytes.len()) / SECTOR;
        let len = bytes.len() + SECTOR * random.index(sectors + 1);
        bytes.resize(len, 0);
    }
    bytes
}

fn put(file: &mut Vec<u8>, offset: usize, bytes: &[u8]) {
    let end = offset + bytes.len();
    if file.len() < end {
        file.resize(end, 0);
    }
    file[offset..end].copy_from_slice(bytes);
}

#[cfg(test)]
mod tests {
    use super::{Disk, Kept};
    use crate::faults::recording::{Event, Place};
    use crate::random::Random;

    fn disk() -> Disk {
        let folder = tempfile::tempdir().unwrap();
        for (_, name) in Place::FILES {
            std::fs::create_dir_all(folder.path().join("data")).unwrap();
            std::fs::write(folder.path().join("data").join(name), [0; 8]).unwrap();
        }
        std::fs::create_dir_all(folder.path().join("keys")).unwrap();
        std::fs::write(folder.path().join("keys/vote-generation"), "old").unwrap();
        Disk::of(folder.path())
    }

    fn write(offset: usize, bytes: &[u8], is_through: bool) -> Event {
        Event::Write { place: Place::Block, offset, bytes: bytes.to_vec(), is_through }
    }

    fn block(disk: &Disk, kept: Kept, random: &mut Random) -> Vec<u8> {
        disk.after_loss_during(&Event::Committed(Vec::new()), kept, random).files[&Place::Block].clone()
    }

    #[test]
    fn what_is_synced_stays_and_what_is_not_may_go() {
        let (mut disk, mut random) = (disk(), Random::new(1));
        disk.apply(&write(0, &[1; 8], false));
        disk.apply(&write(4, &[2; 8], true));
        assert_eq!(block(&disk, Kept::Nothing, &mut random), [0, 0, 0, 0, 2, 2, 2, 2, 2, 2, 2, 2]);
        // The older write does not come over it any more.
        assert_eq!(block(&disk, Kept::Everything, &mut random), [1, 1, 1, 1, 2, 2, 2, 2, 2, 2, 2, 2]);
        disk.apply(&Event::Sync(Place::Merkle));
        assert_eq!(
            block(&disk, Kept::Nothing, &mut random)[0],
            0,
            "another file's sync is none of this one's"
        );
        disk.apply(&Event::Sync(Place::Block));
        assert_eq!(block(&disk, Kept::Nothing, &mut random), [1, 1, 1, 1, 2, 2, 2, 2, 2, 2, 2, 2]);
    }

    #[test]
    fn writes_are_torn_between_sectors_and_a_file_may_have_grown_without_its_bytes() {
        let (mut disk, mut random) = (disk(), Random::new(1));
        disk.apply(&write(256, &[1; 1_024], false));
        let found: Vec<Vec<u8>> = (0..200).map(|_| block(&disk, Kept::Pieces(512, 4), &mut random)).collect();
        let has = |bytes: &Vec<u8>, at: usize| bytes.get(at) == Some(&1);
        // Sectors end at 512, 1,024 and 1,280.
        for kept in 0..8 {
            let wanted = |bytes: &&Vec<u8>| {
                (0..3).all(|sector| has(bytes, [256, 512, 1_024][sector]) == (kept & (1 << sector) != 0))
            };
            assert!(found.iter().any(|bytes| wanted(&bytes)), "sectors {kept:b}");
        }
        assert!(found.iter().any(|bytes| bytes.len() > 8 && bytes.iter().all(|byte| *byte == 0)));
        assert!(found.iter().all(|bytes| has(bytes, 256) == has(bytes, 511)));
    }

    #[test]
    fn a_vote_generation_is_the_old_one_or_the_new_one() {
        let mut disk = disk();
        let generation = |disk: &Disk, kept| {
            disk.after_loss_during(&Event::Committed(Vec::new()), kept, &mut Random::new(1)).generation
        };
        let place = Place::Generation;
        disk.apply(&Event::Write { place, offset: 0, bytes: b"new".to_vec(), is_through: false });
        let unsynced = disk.clone();
        disk.apply(&Event::Sync(Place::Generation));
        disk.apply(&Event::GenerationRenamed);
        assert_eq!(generation(&disk, Kept::Nothing), b"old");
        assert_eq!(generation(&disk, Kept::Everything), b"new");
        disk.apply(&Event::Sync(Place::Keys));
        assert_eq!(generation(&disk, Kept::Nothing), b"new");
        let mut disk = unsynced;
        disk.apply(&Event::GenerationRenamed);
        assert_eq!(generation(&disk, Kept::Everything), b"", "renamed before it was synced");
    }
}
