//! Copies the consensus crate's source and patches every mutant of the table into it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::{env, fs};

#[path = "src/patch.rs"]
mod patch;
#[path = "src/table/mod.rs"]
#[allow(dead_code, reason = "the library uses the rest")]
mod table;

fn main() {
    let source =
        Path::new(&env::var("CARGO_MANIFEST_DIR").expect("set by cargo")).join("../../../consensus/src");
    let target = PathBuf::from(env::var("OUT_DIR").expect("set by cargo")).join("consensus");
    println!("cargo::rerun-if-changed={}", source.display());
    println!("cargo::rerun-if-changed=src");
    println!("cargo::rerun-if-changed=build.rs");
    let mut files = BTreeMap::new();
    read(&source, &source, &mut files);
    let patches = table::mutants().map(|mutant| (mutant.name, mutant.patches));
    let patches = std::iter::once(("support", table::support())).chain(patches);
    let wrong: Vec<String> =
        patches.filter_map(|(name, patches)| patch::apply(name, patches, &mut files).err()).collect();
    assert!(
        wrong.is_empty(),
        "the table of mutants (tests/mutants/core/src/table) is not true of consensus/src any more:\n{}",
        wrong.join("\n")
    );
    if target.exists() {
        fs::remove_dir_all(&target).expect("the output directory is ours");
    }
    for (name, text) in files {
        let text = if name == "lib.rs" { patch::without_inner_lines(&text) } else { text };
        let path = target.join(name);
        fs::create_dir_all(path.parent().expect("below the target")).expect("the output directory is ours");
        fs::write(path, text).expect("the output directory is ours");
    }
}

/// All source files below a folder, by their path from `root`, with `/`.
fn read(root: &Path, folder: &Path, files: &mut BTreeMap<String, String>) {
    for entry in fs::read_dir(folder).expect("the consensus crate's source is here") {
        let path = entry.expect("readable").path();
        if path.is_dir() {
            read(root, &path, files);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let name = path.strip_prefix(root).expect("below the root").to_string_lossy().replace('\\', "/");
            files.insert(name, fs::read_to_string(&path).expect("source is text"));
        }
    }
}
