//! The `dgt` binary: built once per test process, with the features and the profile of the tests; or the one that
//! `DGT_BINARY` names, to try a release.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::OnceLock;

use crate::workspace;

/// The path of `dgt`, built from the sources as they are.
pub fn dgt() -> &'static Path {
    static DGT: OnceLock<PathBuf> = OnceLock::new();
    DGT.get_or_init(|| std::env::var_os("DGT_BINARY").map_or_else(build, PathBuf::from))
}

fn build() -> PathBuf {
    let _lock = workspace::lock("build");
    let profile_dir = workspace::profile_dir();
    let profile = match profile_dir.file_name().and_then(OsStr::to_str) {
        Some("debug") | None => "dev",
        Some(other) => other,
    };
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    // What cargo tells a test of its package: build scripts that look at it (ring's) would run again, and with them half of
    // the build, here and at the next `cargo test`.
    for (name, _) in std::env::vars_os() {
        if ["CARGO_PKG_", "CARGO_MANIFEST_"]
            .iter()
            .any(|prefix| name.as_encoded_bytes().starts_with(prefix.as_bytes()))
        {
            cargo.env_remove(name);
        }
    }
    let built = cargo
        .current_dir(workspace::root())
        // The whole workspace, so that dependencies have the same features as in `cargo test --workspace`.
        .args(["build", "--workspace", "--bins", "--quiet", "--profile", profile, "--target-dir"])
        .arg(workspace::target_dir())
        .output()
        .expect("running cargo");
    assert!(built.status.success(), "dgt does not build:\n{}", String::from_utf8_lossy(&built.stderr));
    profile_dir.join("dgt")
}

/// What a finished command left.
#[derive(Clone, Debug)]
pub struct Ran {
    /// The exit code; `None` after a signal.
    pub code: Option<i32>,
    /// Its standard output.
    pub stdout: String,
    /// Its standard error.
    pub stderr: String,
}

impl Ran {
    /// The standard output of a command that must have succeeded.
    pub fn ok(self) -> String {
        assert_eq!(self.code, Some(0), "{self:?}");
        self.stdout
    }

    /// The standard error of a command that must have failed with this exit code.
    pub fn failed(self, code: i32) -> String {
        assert_eq!(self.code, Some(code), "{self:?}");
        self.stderr
    }
}

impl From<Output> for Ran {
    fn from(output: Output) -> Self {
        Self {
            code: output.status.code(),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }
}

/// Runs a command to its end.
pub fn run(command: &mut Command) -> Ran {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    output.into()
}
