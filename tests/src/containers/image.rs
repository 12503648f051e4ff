//! The image of the tests: `docker/Dockerfile` around the binary that all tests run, with the libraries that it wants. A
//! static one would be a second build of everything.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use super::docker;
use crate::binary::{self, run};
use crate::{node, workspace};

/// Which of two images of the same program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Release {
    /// The one that networks begin with.
    This,
    /// What they are upgraded to: another image for Docker.
    Next,
}

/// The name of an image, which is built once per test process.
pub fn image(release: Release) -> &'static str {
    static IMAGES: OnceLock<[String; 2]> = OnceLock::new();
    let [this, next] = IMAGES.get_or_init(build);
    match release {
        Release::This => this,
        Release::Next => next,
    }
}

fn build() -> [String; 2] {
    let _lock = workspace::lock("image");
    let context = node::folder();
    let root = context.path().join("root");
    let program = root.join("usr/local/bin/dgt");
    copy(binary::dgt(), &program);
    // Three quarters of it is for debuggers.
    run(Command::new("strip").arg("--strip-debug").arg(&program)).ok();
    libraries(binary::dgt()).iter().for_each(|library| copy(library, &within(&root, library)));
    std::fs::create_dir(context.path().join("volume")).expect("making a folder");
    // Sources elsewhere on this machine have images of their own.
    let mut place = DefaultHasher::new();
    workspace::target_dir().hash(&mut place);
    ["this", "next"].map(|release| {
        let tag = format!("dgt-test-{:x}:{release}", place.finish());
        let old = docker::try_docker(&["image", "inspect", "--format", "{{.Id}}", &tag]);
        let dockerfile = workspace::root().join("docker/Dockerfile");
        let (version, context) = (format!("VERSION={release}"), context.path().display().to_string());
        let dockerfile = dockerfile.display().to_string();
        let id = docker::docker(&[
            "build",
            "--quiet",
            "--file",
            &dockerfile,
            "--tag",
            &tag,
            "--build-arg",
            &version,
            &context,
        ]);
        if old.code == Some(0) && old.stdout.trim() != id.trim() {
            docker::try_docker(&["image", "rm", old.stdout.trim()]);
        }
        tag
    })
}

/// The libraries that the system would load for a program, by `ldd`; none for a static one.
fn libraries(program: &Path) -> Vec<PathBuf> {
    let listed = run(Command::new("ldd").arg(program)).stdout;
    let words = listed.split_whitespace();
    words.filter(|word| word.starts_with('/')).map(PathBuf::from).collect()
}

fn within(root: &Path, path: &Path) -> PathBuf {
    root.join(path.strip_prefix("/").expect("ldd prints whole paths"))
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to.parent().expect("a file is in a folder")).expect("making a folder");
    std::fs::copy(from, to).unwrap_or_else(|error| panic!("copying {}: {error}", from.display()));
}
