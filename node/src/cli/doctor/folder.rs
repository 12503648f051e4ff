//! The node's folder and its keys: who owns them, who may read them, and whether they are what they should be.

use std::fs::Metadata;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use ledger_types::signature::Curve;
use ledger_types::{PrivateKey, PublicKey};

use super::report::Finding;
use crate::home::Home;
use crate::keys::{KeyFiles, read_private};

/// Owner, group and others.
const ALL: u32 = 0o777;
/// Anybody but the owner.
const STRANGERS: u32 = 0o077;
/// Writing by everybody.
const EVERYBODY_WRITES: u32 = 0o002;
/// Writing by anybody but the owner.
const STRANGERS_WRITE: u32 = 0o022;

/// The folder is there, belongs to one user, and nobody else writes into it.
pub(super) fn folder(home: &Home) -> Vec<Finding> {
    let Ok(root) = std::fs::metadata(home.path()) else {
        let path = home.path().display();
        let mend = format!("`dgt init --home {path}` makes one; or name the folder of your node with --home");
        return vec![Finding::error(format!("{path} is not there"), mend)];
    };
    let mut findings = Vec::new();
    let (mut foreign, mut open) = (Vec::new(), Vec::new());
    for (path, metadata) in parts(home) {
        if metadata.uid() != root.uid() {
            foreign.push(path.clone());
        }
        if metadata.is_dir() && metadata.mode() & EVERYBODY_WRITES != 0 {
            open.push(path);
        }
    }
    if let Some(first) = foreign.first() {
        let (uid, gid, home) = (root.uid(), root.gid(), home.path().display());
        let what = match foreign.len() - 1 {
            0 => format!("{} belongs to another user than the folder", first.display()),
            more => format!("{} and {more} more belong to another user than the folder", first.display()),
        };
        findings.push(Finding::error(what, format!("chown -R {uid}:{gid} {home}")));
    }
    for path in open {
        let path = path.display();
        findings
            .push(Finding::error(format!("everybody may write into {path}"), format!("chmod o-w {path}")));
    }
    let user = rustix::process::geteuid();
    if !user.is_root() && user.as_raw() != root.uid() {
        let what = format!(
            "the folder belongs to user {}, and this command runs as user {}: it cannot see everything",
            root.uid(),
            user.as_raw()
        );
        findings.push(Finding::warning(what, "run it as the user that runs the node"));
    }
    findings
}

/// The folder's parts that can be seen, two levels deep.
fn parts(home: &Home) -> Vec<(PathBuf, Metadata)> {
    let entries = |path: &Path| {
        std::fs::read_dir(path).into_iter().flatten().filter_map(|entry| Some(entry.ok()?.path()))
    };
    let top: Vec<PathBuf> = entries(home.path()).collect();
    let below: Vec<PathBuf> = top.iter().flat_map(|path| entries(path)).collect();
    let all = std::iter::once(home.path().to_owned()).chain(top).chain(below);
    all.filter_map(|path| Some((path.clone(), std::fs::symlink_metadata(&path).ok()?))).collect()
}

/// What is known of the keys, and what is wrong with them.
pub(super) struct Keys {
    /// The key that signs votes.
    pub(super) vote: Option<PrivateKey>,
    /// The key that is shown on links.
    pub(super) net: Option<PrivateKey>,
    pub(super) findings: Vec<Finding>,
}

/// The keys are there, only their owner reads them, and both halves belong together.
pub(super) fn keys(home: &Home) -> Keys {
    let mut findings = Vec::new();
    if let Ok(metadata) = std::fs::metadata(home.keys())
        && metadata.mode() & STRANGERS_WRITE != 0
    {
        let (path, mode) = (home.keys(), metadata.mode() & ALL);
        let what = format!("others may put keys into {} (mode {mode:04o})", path.display());
        findings.push(Finding::error(what, format!("chmod 700 {}", path.display())));
    }
    let is_begun = home.network_file().exists();
    let mut read = |name: &str, is_needed: bool| {
        let files = KeyFiles::new(&home.keys(), name);
        match key(&files, is_needed, &mut findings) {
            Ok(key) => key,
            Err(finding) => {
                findings.push(finding);
                None
            }
        }
    };
    let (vote, net, _) = (read("vote", is_begun), read("net", is_begun), read("admin", false));
    Keys { vote, net, findings }
}

fn key(
    files: &KeyFiles,
    is_needed: bool,
    findings: &mut Vec<Finding>,
) -> Result<Option<PrivateKey>, Finding> {
    let path = files.private.display();
    let metadata = match std::fs::metadata(&files.private) {
        Ok(metadata) => metadata,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound && !is_needed => return Ok(None),
        Err(error) => {
            let mend = "put it back from where you keep the keys: with a new one this is another validator";
            return Err(Finding::error(format!("{path}: {error}"), mend));
        }
    };
    let mode = metadata.mode() & ALL;
    if mode & STRANGERS != 0 {
        let what = format!("{path}: others than its owner may use it (mode {mode:04o})");
        let mend = format!("chmod 600 {path}; if others could log in here, they may have the key");
        findings.push(Finding::error(what, mend));
    }
    let key = read_private(&files.private, Curve::Ed25519).map_err(|error| {
        let mend = "put it back from where you keep the keys, and run this as the node's user";
        Finding::error(format!("{error:#}"), mend)
    })?;
    let public = std::fs::read_to_string(&files.public).ok();
    let beside: Option<PublicKey> = public.and_then(|text| text.trim().parse().ok());
    if beside.is_some_and(|public| public != key.public_key()) {
        let what = format!("{} is not the public key of {path}", files.public.display());
        findings.push(Finding::error(what, "put both files of one pair there"));
    }
    Ok(Some(key))
}
