//! Where the sources and the build are, and locks between test processes.

use std::fs::File;
use std::path::{Path, PathBuf};

/// The root of the workspace.
pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("invariant: the tests crate is a folder of the workspace")
}

/// The folder of the build profile that this test was built with, such as `target/debug`.
pub fn profile_dir() -> PathBuf {
    let test = std::env::current_exe().expect("the path of the running test");
    test.ancestors().nth(2).expect("invariant: tests lie in <target>/<profile>/deps").to_owned()
}

/// Cargo's target folder.
pub fn target_dir() -> PathBuf {
    profile_dir().parent().expect("invariant: a profile has a folder in the target folder").to_owned()
}

/// A folder for what is made once and kept between runs, such as a Python environment.
pub fn cache_dir() -> PathBuf {
    let folder = target_dir().join("acceptance");
    std::fs::create_dir_all(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    folder
}

/// Waits until no other test process holds the lock of this name. Dropping the file gives it up.
pub fn lock(name: &str) -> File {
    let path = cache_dir().join(format!("{name}.lock"));
    let file = File::create(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    file.lock().unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    file
}
