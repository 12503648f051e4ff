//! The commands `docker` and `docker-compose`.

use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use crate::binary::{Ran, run};
use crate::packages;

/// Runs `docker` with these words; it must succeed. What it prints, without the last end of line.
pub fn docker(words: &[&str]) -> String {
    let ran = try_docker(words);
    assert_eq!(ran.code, Some(0), "docker {}: {ran:?}", words.join(" "));
    ran.stdout.trim_end().to_owned()
}

/// Runs `docker` with these words.
pub fn try_docker(words: &[&str]) -> Ran {
    run(Command::new("docker").args(words).stdin(Stdio::null()))
}

/// Docker Compose for a project: v2 where docker has it, else the program of Debian.
pub(super) fn compose(project: &str, files: &[PathBuf]) -> Command {
    static IS_V2: OnceLock<bool> = OnceLock::new();
    let is_v2 = *IS_V2.get_or_init(|| {
        let is_v2 = try_docker(&["compose", "version"]).code == Some(0);
        if !is_v2 {
            packages::require("docker-compose", "docker-compose");
        }
        is_v2
    });
    let mut command = Command::new(if is_v2 { "docker" } else { "docker-compose" });
    if is_v2 {
        command.arg("compose");
    }
    command.arg("--project-name").arg(project);
    files.iter().for_each(|file| _ = command.arg("--file").arg(file));
    // Where its file `.env` is.
    files
        .first()
        .and_then(|file| file.parent())
        .into_iter()
        .for_each(|folder| _ = command.current_dir(folder));
    // What the caller's environment says is about other networks.
    for variable in ["DGT_MEMORY", "DGT_CPUS", "COMPOSE_FILE", "COMPOSE_PROJECT_NAME"] {
        command.env_remove(variable);
    }
    command.stdin(Stdio::null());
    command
}

/// The kinds of things that a project has, and how each is listed and removed: what uses others first.
const KINDS: [[&[&str]; 2]; 3] = [
    [&["ps", "--all", "--quiet"], &["rm", "--force", "--volumes"]],
    [&["network", "ls", "--quiet"], &["network", "rm"]],
    [&["volume", "ls", "--quiet"], &["volume", "rm"]],
];
/// Compose's mark on what belongs to a project.
const PROJECT: &str = "com.docker.compose.project";

/// Removes all that a project has, containers, networks and volumes.
pub(super) fn remove(project: &str) {
    let mine = format!("label={PROJECT}={project}");
    for [list, remove] in KINDS {
        let found = try_docker(&[list, &["--filter", &mine]].concat()).stdout;
        let found: Vec<&str> = found.split_whitespace().collect();
        if !found.is_empty() {
            try_docker(&[remove, &found].concat());
        }
    }
}

/// The projects on this machine whose names begin so, also those of which only volumes are left.
pub(super) fn projects(prefix: &str) -> Vec<String> {
    let (has_project, format) = (format!("label={PROJECT}"), format!("{{{{.Label \"{PROJECT}\"}}}}"));
    let list = |words: &[&str]| {
        try_docker(&[words, &["--filter", &has_project, "--format", &format]].concat()).stdout
    };
    let listed = [list(&["ps", "--all"]), list(&["network", "ls"]), list(&["volume", "ls"])].concat();
    let mut names: Vec<String> =
        listed.lines().filter(|name| name.starts_with(prefix)).map(str::to_owned).collect();
    names.sort_unstable();
    names.dedup();
    names
}
