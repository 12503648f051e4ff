//! The systemd unit: systemd itself finds nothing wrong with it, and its command is one of ours.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::process::Command;

use tests::binary::{self, run};
use tests::node::Home;
use tests::workspace;

const INSTALLED: &str = "/usr/local/bin/dgt";

fn unit() -> String {
    std::fs::read_to_string(workspace::root().join("docs/systemd/dgt@.service")).unwrap()
}

#[test]
#[allow(clippy::print_stderr, reason = "a skipped test says so")]
fn systemd_accepts_the_unit() {
    if let Err(error) = Command::new("systemd-analyze").arg("--version").output() {
        eprintln!("SKIPPED: the unit is not checked, there is no systemd-analyze: {error}");
        return;
    }
    let home = Home::new();
    let check = |text: String, name: &str| {
        let path = home.scratch(name);
        std::fs::write(&path, text).unwrap();
        run(Command::new("systemd-analyze").args(["verify", "--man=no"]).arg(path))
    };
    // It looks for the program of the unit.
    let unit = unit().replace(INSTALLED, binary::dgt().to_str().unwrap());
    let found = check(unit.clone(), "dgt@c1-1.service");
    assert_eq!((found.code, found.stderr.as_str()), (Some(0), ""), "{found:?}");
    let broken = check(unit.replace("Restart=on-abnormal", "Restart=on-tuesday"), "dgt@broken.service");
    assert!(broken.stderr.contains("on-tuesday"), "it notices nothing: {broken:?}");
}

#[test]
fn the_units_command_is_one_of_dgt() {
    let unit = unit();
    let command = unit.lines().find_map(|line| line.strip_prefix("ExecStart=")).unwrap();
    let words: Vec<&str> = command.split(' ').collect();
    assert_eq!(words[0], INSTALLED);
    // Words that dgt does not know are refused before help is shown.
    let home = Home::new();
    let arguments = |words: &[&str]| home.dgt(words[1..].iter().chain(&["--help"]));
    assert!(arguments(&words).ok().contains("Run a node"));
    arguments(&[INSTALLED, "start", "--hom", "x"]).failed(2);
}
