//! What the machine gives: ports, disk, open files, time.

use std::io::ErrorKind;
use std::net::{SocketAddr, TcpListener, UdpSocket};
use std::path::Path;

use genesis::Genesis;
use ledger::store::{FileKind, RESERVE_BYTES, StoreError, free_bytes};
use ledger::{LedgerError, Reader};
use rustix::process::{Pid, Resource, getrlimit};

use super::report::Finding;
use crate::clock::{utc, wall_ms};
use crate::config::Settings;
use crate::home::Home;
use crate::network::Transport;

/// Files of a node beside its clients' connections: the ledger, links, logs.
const OTHER_FILES: u64 = 256;
/// Clocks of a network should agree so far, milliseconds.
pub(super) const CLOCK_MS: u64 = 500;

/// Whether a node could listen where its settings say. Not to be asked while it does.
pub(super) fn ports(settings: &Settings) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut places = vec![("api.address", settings.api), ("admin.address", settings.admin)];
    if settings.transport == Transport::Tcp {
        places.extend(settings.network.map(|address| ("network.address", address)));
    } else if let Some(address) = settings.network
        && let Err(error) = UdpSocket::bind(address)
    {
        findings.push(not_bound("network.address", address, &error));
    }
    // Held until all are tried: two settings may name the same port.
    let mut held = Vec::new();
    for (key, address) in places {
        match TcpListener::bind(address) {
            Ok(listener) => held.push((key, address, listener)),
            Err(error) => {
                let other = held.iter().find(|(_, other, _)| *other == address);
                findings.push(match other {
                    Some((other, ..)) => Finding::error(
                        format!("{key} and {other} are both {address}"),
                        format!("set {key} to another port"),
                    ),
                    None => not_bound(key, address, &error),
                });
            }
        }
    }
    if !settings.admin.ip().is_loopback() {
        let what = format!("admin.address is {}: other machines can change this node's log", settings.admin);
        findings.push(Finding::warning(what, "set it to an address of loopback, such as 127.0.0.1:8115"));
    }
    findings
}

fn not_bound(key: &str, address: SocketAddr, error: &std::io::Error) -> Finding {
    let port = address.port();
    let (what, mend) = match error.kind() {
        ErrorKind::AddrInUse => (
            format!("{key}: another program listens at {address}"),
            format!("stop it (`ss -ltnp sport = :{port}` names it), or set {key} to another port"),
        ),
        ErrorKind::AddrNotAvailable => (
            format!("{key}: {address} is no address of this machine"),
            format!("set {key} to one that `ip address` shows, or to 0.0.0.0:{port}"),
        ),
        _ => {
            (format!("{key}: {address}: {error}"), format!("set {key} to an address that this user may use"))
        }
    };
    Finding::error(what, mend)
}

/// Room for the files, on a disk that can hold them.
pub(super) fn disk(home: &Home, settings: &Settings, least_gib: u64) -> Vec<Finding> {
    let data = home.data();
    let mut findings = Vec::new();
    let mend = "make room there, or move the data folder to a larger disk while the node is stopped";
    match free_bytes(&data) {
        Err(error) => {
            let what = format!("{}: {error}", data.display());
            findings.push(Finding::error(what, "let the node's user read it; `dgt init` makes the folders"));
        }
        Ok(free) if free < RESERVE_BYTES => {
            let what = format!(
                "{} has {} MiB left on its disk; below {} the node stops voting",
                data.display(),
                free >> 20,
                RESERVE_BYTES >> 20
            );
            findings.push(Finding::error(what, mend));
        }
        Ok(free) if free < least_gib << 30 => {
            let what = format!("{} has {} MiB left on its disk", data.display(), free >> 20);
            findings.push(Finding::warning(what, mend));
        }
        Ok(_) => {}
    }
    findings.extend(file_system(&data));
    let map_bytes = (settings.map_gib as u64) << 30;
    for kind in FileKind::ALL {
        let bytes = std::fs::metadata(data.join(kind.file_name())).map_or(0, |metadata| metadata.len());
        if bytes > map_bytes / 10 * 9 {
            let (name, gib) = (kind.file_name(), settings.map_gib);
            let what = format!("{name} uses {} % of its {gib} GiB", bytes / (map_bytes / 100));
            findings.push(Finding::warning(what, format!("set store.map_gib to {} and restart", 2 * gib)));
        }
    }
    findings
}

/// Whether the files lie where LMDB works: its locks and its memory map need a local disk.
fn file_system(data: &Path) -> Option<Finding> {
    let kind = rustix::fs::statfs(data).ok()?.f_type as u64 & 0xffff_ffff;
    let data = data.display();
    match kind {
        0x6969 | 0xff53_4d42 | 0xfe53_4d42 => Some(Finding::error(
            format!("{data} lies on a network file system: its files can be damaged there"),
            "move the data folder to a local disk while the node is stopped",
        )),
        0x0102_1994 => Some(Finding::warning(
            format!("{data} lies in memory (tmpfs): it is gone when the machine restarts"),
            "move the data folder to a disk while the node is stopped",
        )),
        _ => None,
    }
}

/// The files of a stopped node are whole, readable and of its network.
pub(super) fn files(home: &Home, genesis: &Genesis) -> Vec<Finding> {
    let data = home.data();
    let is_there = |kind: &FileKind| data.join(kind.file_name()).exists();
    if !FileKind::ALL.iter().any(is_there) {
        return Vec::new();
    }
    let lost = FileKind::ALL.into_iter().filter(|kind| !is_there(kind)).map(|kind| {
        let mend = match kind {
            FileKind::Merkle | FileKind::Receipts => "mount or restore it, or `dgt start --rebuild`",
            _ => "mount or restore it (docs/operators.md, Backup and restore)",
        };
        Finding::error(format!("{} is not in {}", kind.file_name(), data.display()), mend)
    });
    let lost: Vec<Finding> = lost.collect();
    if !lost.is_empty() {
        return lost;
    }
    match Reader::of_stopped(&data, genesis.lineage.current()) {
        Ok(reader) => {
            let head = reader.head().height;
            let time_ms = reader.header(head).ok().flatten().map_or(0, |header| header.time_ms);
            is_past(time_ms, &format!("block {head}")).into_iter().collect()
        }
        // The next start finishes what a crash left.
        Err(LedgerError::Behind { .. }) => Vec::new(),
        Err(error) => vec![Finding::error(error.to_string(), mend_of(&error))],
    }
}

fn mend_of(error: &LedgerError) -> &'static str {
    match error {
        LedgerError::Lock(_) => "let the process that is named end",
        LedgerError::NotRolledBack { .. } | LedgerError::Ahead { .. } => "run the command that is named",
        LedgerError::Store(StoreError::OtherNetwork { .. }) => {
            "this is another network's data or network file: put the data and the etc/network.toml together that \
             belong together"
        }
        LedgerError::Store(StoreError::UnknownVersion { .. }) => {
            "use the version of dgt that wrote it, or a newer one"
        }
        LedgerError::Store(StoreError::Damaged { .. } | StoreError::DamagedPage { .. }) => {
            "restore from a backup; state and receipts can be made again by `dgt start --rebuild`"
        }
        LedgerError::Store(StoreError::HeldByStockTool { .. }) => "let the mdb_ tool end",
        _ => "see docs/operators.md, Start and stop",
    }
}

/// Something that happened lies in the past, or the clock is wrong.
pub(super) fn is_past(time_ms: u64, what: &str) -> Option<Finding> {
    let now_ms = wall_ms();
    (time_ms > now_ms + CLOCK_MS).then(|| {
        let what = format!("this machine's clock says {}, and {what} is of {}", utc(now_ms), utc(time_ms));
        Finding::error(what, CLOCK_MEND)
    })
}

/// What sets clocks right.
pub(super) const CLOCK_MEND: &str = "let NTP set the clock (`timedatectl set-ntp true`), on this machine first: `timedatectl` tells whether it does";

/// Whether so many clients as the settings allow can be connected.
pub(super) fn open_files(settings: &Settings, running: Option<Pid>) -> Vec<Finding> {
    let limit = match running {
        None => getrlimit(Resource::Nofile).current,
        Some(pid) => limit_of(pid),
    };
    let needed = settings.limits.connections as u64 + OTHER_FILES;
    let Some(limit) = limit.filter(|limit| *limit < needed) else { return Vec::new() };
    let what = format!(
        "{limit} files may be open, and {} clients with the rest need {needed}",
        settings.limits.connections
    );
    let mend =
        format!("LimitNOFILE={needed} in its systemd unit, or `ulimit -n {needed}` before it is started");
    vec![Finding::warning(what, mend)]
}

/// The limit of open files of a process; none when the kernel does not tell.
fn limit_of(pid: Pid) -> Option<u64> {
    let limits = std::fs::read_to_string(format!("/proc/{}/limits", pid.as_raw_nonzero())).ok()?;
    let line = limits.lines().find_map(|line| line.strip_prefix("Max open files"))?;
    line.split_whitespace().next()?.parse().ok()
}
