//! The house rules of ARCHITECTURE.md that a machine can check.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;

use tests::binary::run;
use tests::workspace;

/// What each crate of the workspace may import of the others, tests included.
const MAY_IMPORT: [(&str, &[&str]); 10] = [
    ("ledger-types", &[]),
    ("ledger", &["ledger-types"]),
    ("txfamilies", &["ledger-types"]),
    ("consensus", &["ledger-types"]),
    ("genesis", &["ledger-types", "txfamilies"]),
    ("api", &["ledger-types", "ledger"]),
    ("node", &["ledger-types", "ledger", "txfamilies", "consensus", "genesis", "api"]),
    ("tests", &["ledger-types", "ledger", "txfamilies", "consensus", "genesis", "api", "node"]),
    ("mutants", &["ledger-types", "mutated-consensus"]),
    ("mutated-consensus", &["ledger-types"]),
];

/// Nearly all of it is made from the consensus crate, which is linted where it stands.
const IS_GENERATED: &str = "tests/mutants/core";

/// Libraries that stay where they belong.
const BELONG_TO: [(&[&str], &[&str]); 4] = [
    (&["heed", "rs_merkle", "jmt"], &["ledger"]),
    (&["hyper", "hyper-util", "tokio", "tokio-tungstenite", "tokio-util"], &["node", "api", "tests"]),
    (&["axum", "tower-http"], &["node", "api"]),
    // The tests' hostile process must speak the same language.
    (&["libp2p"], &["node", "tests"]),
];

/// One line may open a memory map; nothing else needs it.
const HAS_UNSAFE: &str = "ledger/src/store/env.rs";

/// The direct dependencies of every member of the workspace, of all kinds.
fn dependencies() -> BTreeMap<String, BTreeSet<String>> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut metadata = Command::new(cargo);
    metadata.args(["metadata", "--no-deps", "--format-version", "1"]).current_dir(workspace::root());
    let metadata: serde_json::Value = serde_json::from_str(&run(&mut metadata).ok()).unwrap();
    let name = |value: &serde_json::Value| value["name"].as_str().unwrap().to_owned();
    let packages = metadata["packages"].as_array().unwrap().iter();
    packages
        .map(|package| {
            (name(package), package["dependencies"].as_array().unwrap().iter().map(name).collect())
        })
        .collect()
}

fn table(path: &Path) -> toml::Table {
    let text = std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    text.parse().unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn members() -> Vec<PathBuf> {
    let root = table(&workspace::root().join("Cargo.toml"));
    let members = root["workspace"]["members"].as_array().unwrap();
    members.iter().map(|member| workspace::root().join(member.as_str().unwrap())).collect()
}

#[test]
fn crates_import_only_whom_they_may() {
    let dependencies = dependencies();
    let known: BTreeSet<&str> = MAY_IMPORT.iter().map(|(name, _)| *name).collect();
    assert!(
        dependencies.keys().map(String::as_str).eq(known.iter().copied()),
        "a crate has no rule: {dependencies:?}"
    );
    for (name, may) in MAY_IMPORT {
        let forbidden = dependencies[name]
            .iter()
            .filter(|other| known.contains(other.as_str()) && !may.contains(&other.as_str()));
        assert_eq!(forbidden.collect::<Vec<_>>(), Vec::<&String>::new(), "{name} imports what it may not");
    }
}

#[test]
fn libraries_stay_where_they_belong() {
    let dependencies = dependencies();
    for (libraries, owners) in BELONG_TO {
        for (name, used) in dependencies.iter().filter(|(name, _)| !owners.contains(&name.as_str())) {
            let strayed: Vec<_> = libraries.iter().filter(|library| used.contains(**library)).collect();
            assert!(strayed.is_empty(), "{name} uses {strayed:?}, which belong to {owners:?}");
        }
    }
}

#[test]
fn every_member_has_the_lints_of_the_workspace() {
    for member in members().into_iter().filter(|member| !member.ends_with(IS_GENERATED)) {
        let manifest = table(&member.join("Cargo.toml"));
        let lints = manifest.get("lints").and_then(|lints| lints.get("workspace"));
        assert_eq!(lints, Some(&toml::Value::Boolean(true)), "{}", member.display());
    }
}

#[test]
fn every_dependency_is_named_in_the_architecture() {
    let root = table(&workspace::root().join("Cargo.toml"));
    let path = workspace::root().join("ARCHITECTURE.md");
    let architecture =
        std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let named: BTreeSet<&str> =
        architecture.split(|c: char| !c.is_ascii_alphanumeric() && !"-_".contains(c)).collect();
    let dependencies = root["workspace"]["dependencies"].as_table().unwrap();
    let foreign = dependencies.iter().filter(|(_, value)| value.get("path").is_none());
    let missing: Vec<&String> =
        foreign.map(|(name, _)| name).filter(|name| !named.contains(name.as_str())).collect();
    assert!(missing.is_empty(), "ARCHITECTURE.md does not say why these are needed: {missing:?}");
}

#[test]
fn unsafe_stands_in_one_file() {
    let mut with_unsafe = Vec::new();
    for member in members() {
        for path in sources(&member) {
            let text = std::fs::read_to_string(&path).unwrap();
            if text.lines().any(has_unsafe_code) {
                with_unsafe.push(path.strip_prefix(workspace::root()).unwrap().display().to_string());
            }
        }
        let root = ["src/lib.rs", "src/main.rs"].map(|name| member.join(name));
        let root = std::fs::read_to_string(root.iter().find(|path| path.exists()).unwrap()).unwrap();
        let level =
            if member.ends_with("ledger") { "#![deny(unsafe_code)]" } else { "#![forbid(unsafe_code)]" };
        assert!(root.contains(level), "{} has no {level}", member.display());
    }
    assert_eq!(with_unsafe, [HAS_UNSAFE]);
}

/// All Rust files of a member, but not of a member inside it.
fn sources(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() && !path.join("Cargo.toml").exists() {
            found.extend(sources(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
    found
}

/// Whether a line uses the keyword, outside comments, texts and lint names.
fn has_unsafe_code(line: &str) -> bool {
    let code = line.split("//").next().unwrap_or_default();
    let outside_texts = code.split('"').step_by(2);
    let mut words = outside_texts.flat_map(|part| part.split(|c: char| !c.is_alphanumeric() && c != '_'));
    words.any(|word| word == "unsafe")
}

#[test]
fn the_search_for_unsafe_can_find_it() {
    assert!(has_unsafe_code("    unsafe {"));
    assert!(has_unsafe_code("unsafe impl Send for X {}"));
    assert!(has_unsafe_code("let x = \"text\"; unsafe { f() }"));
    for harmless in ["#![forbid(unsafe_code)]", "// unsafe is not used", "let x = \"unsafe\";"] {
        assert!(!has_unsafe_code(harmless), "{harmless}");
    }
}
