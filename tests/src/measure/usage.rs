//! What the nodes of a network have used up to a moment.

use std::os::linux::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use super::CpuTimes;
use crate::client::Client;
use crate::lmdb::FILES;
use crate::memory;
use crate::testnet::Testnet;

/// Where to look.
#[derive(Clone, Debug)]
pub struct Gauge {
    pids: Vec<i32>,
    files: Vec<PathBuf>,
    clients: Vec<Client>,
    /// What the kernel knows of the disk that they write to, if it is one.
    disk: PathBuf,
}

/// What all nodes together have used. Bytes and frames are counts.
#[derive(Clone, Debug)]
pub struct Usage {
    /// CPU time.
    pub cpu: CpuTimes,
    /// Bytes of the page cache that they made dirty (`write_bytes` of `/proc/PID/io`). A kernel that keeps a file in large
    /// folios counts a whole one for each page of it.
    pub dirtied: f64,
    /// Bytes that the disk was told to write, by whomever; 0 where the files lie on none.
    pub written: f64,
    /// Bytes of their four files.
    pub on_disk: f64,
    /// Frames that they sent to each other.
    pub frames: f64,
    /// Bytes of those.
    pub frame_bytes: f64,
}

impl Gauge {
    /// On the nodes of a network that run now.
    pub fn on(network: &Testnet) -> Self {
        let files = |index: usize| FILES.map(|name| network.home(index).file(name));
        let running = network.running();
        Self {
            pids: network.pids(),
            files: running.iter().flat_map(|index| files(*index)).collect(),
            clients: running.iter().map(|index| network.client(*index).clone()).collect(),
            disk: disk(&network.path()),
        }
    }

    /// Looks.
    ///
    /// # Panics
    /// When a node has gone or does not answer.
    pub fn look(&self) -> Usage {
        let size = |path: &PathBuf| std::fs::metadata(path).expect("a node's file").len() as f64;
        // What changes fastest first: an answer to the last question takes a while.
        let cpu = CpuTimes::of_all(&self.pids);
        let dirtied = self.pids.iter().map(|pid| dirtied(*pid)).sum();
        let written = written(&self.disk).unwrap_or_default();
        let on_disk = self.files.iter().map(size).sum();
        let metrics: Vec<String> = self.clients.iter().map(metrics).collect();
        let sum = |name| metrics.iter().map(|text| metric(text, name)).sum();
        let (frames, frame_bytes) =
            (sum("dgt_network_sent_frames_total"), sum("dgt_network_sent_bytes_total"));
        Usage { cpu, dirtied, written, on_disk, frames, frame_bytes }
    }

    /// The most memory that any of the nodes held since its start, bytes.
    pub fn peak_memory(&self) -> f64 {
        self.pids.iter().map(|pid| memory::of(*pid).peak).max().unwrap_or_default() as f64
    }
}

impl Usage {
    /// What was used since an earlier look.
    #[must_use]
    pub fn since(self, before: &Self) -> Self {
        Self {
            cpu: self.cpu.since(&before.cpu),
            dirtied: self.dirtied - before.dirtied,
            written: self.written - before.written,
            on_disk: self.on_disk - before.on_disk,
            frames: self.frames - before.frames,
            frame_bytes: self.frame_bytes - before.frame_bytes,
        }
    }
}

fn metrics(client: &Client) -> String {
    client.try_get("/metrics").unwrap_or_else(|error| panic!("/metrics: {error}")).text
}

/// The sum of a metric over its labels; 0 where a node alone sends nothing.
fn metric(text: &str, name: &str) -> f64 {
    let values =
        text.lines().filter_map(|line| line.strip_prefix(name)?.rsplit(' ').next()?.parse::<f64>().ok());
    values.sum()
}

/// The statistics of the disk that a folder lies on.
fn disk(folder: &Path) -> PathBuf {
    let device = std::fs::metadata(folder).expect("a folder").st_dev();
    let (major, minor) = (rustix::fs::major(device), rustix::fs::minor(device));
    format!("/sys/dev/block/{major}:{minor}/stat").into()
}

/// Bytes that a disk was told to write since the system started.
fn written(disk: &Path) -> Option<f64> {
    const SECTOR: f64 = 512.0;
    let sectors: f64 = std::fs::read_to_string(disk).ok()?.split_whitespace().nth(6)?.parse().ok()?;
    Some(sectors * SECTOR)
}

fn dirtied(pid: i32) -> f64 {
    let path = format!("/proc/{pid}/io");
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"));
    let line = |name| text.lines().find_map(|line| line.strip_prefix(name)?.trim().parse::<f64>().ok());
    let (written, cancelled) = (line("write_bytes:"), line("cancelled_write_bytes:"));
    written.zip(cancelled).map(|(written, cancelled)| written - cancelled).unwrap_or_else(|| panic!("{text}"))
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::{dirtied, disk, metric, written};

    #[test]
    fn what_is_written_is_counted() {
        const BYTES: usize = 4 << 20;
        let pid = i32::try_from(std::process::id()).unwrap();
        let folder = crate::workspace::cache_dir();
        let look = || (dirtied(pid), written(&disk(&folder)));
        let before = look();
        // Not in the folder of temporary files, which may lie in memory.
        let mut file = tempfile::tempfile_in(&folder).unwrap();
        file.write_all(&[7; BYTES]).unwrap();
        file.sync_data().unwrap();
        let after = look();
        assert!(after.0 - before.0 >= BYTES as f64, "{before:?} {after:?}");
        if let Some((before, after)) = before.1.zip(after.1) {
            assert!(after - before >= BYTES as f64, "{before} {after}");
        }
    }

    #[test]
    fn a_metric_is_summed_over_its_labels() {
        let text =
            "# HELP sent_total Sent.\nsent_total{lane=\"a\"} 3\nsent_total{lane=\"b\"} 4.5\nsent 100\n";
        assert_eq!(metric(text, "sent_total"), 7.5);
        assert_eq!(metric(text, "received_total"), 0.0);
    }
}
