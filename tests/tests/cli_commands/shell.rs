//! What a shell and a supervisor see: exit codes, pipes, completions, the manual.

use std::io::{BufRead as _, BufReader};
use std::process::{Command, Stdio};

use tests::binary::run;
use tests::node::Home;

use crate::site::Site;

#[test]
fn healthcheck_succeeds_while_the_node_serves() {
    let site = Site::new();
    assert_eq!(site.ok(&["healthcheck"]), "ready\n");
    let url = site.client().url().to_owned();
    let Site { home, node } = site;
    node.stop();
    let ran = home.dgt(["healthcheck", "--url", &url, "--timeout", "1"]);
    assert_eq!((ran.code, ran.stdout.as_str()), (Some(1), ""));
    assert!(ran.stderr.contains("is the node running?"), "{ran:?}");
    home.dgt(["healthcheck", "--timeout", "0"]).failed(2);
}

#[test]
fn the_url_may_lack_its_scheme_and_end_with_a_slash() {
    let site = Site::new();
    let address = site.client().url().strip_prefix("http://").unwrap().to_owned() + "/";
    let mut command = site.home.command();
    run(command.args(["block", "list", "--url", &address])).ok();
    run(site.home.command().args(["block", "--url", &address, "list"])).ok();
}

#[test]
fn wrong_use_has_exit_code_2() {
    let home = Home::new();
    for wrong in [
        &["block"][..],
        &["block", "show"],
        &["block", "list", "-F", "xml"],
        &["block", "show", "1", "-F", "csv"],
        &["block", "list", "-l", "many"],
        &["batch", "status"],
        &["completions", "cmd"],
        &["start", "--map-gib", "0"],
        &["start", "--log-format", "xml"],
        &["config"],
    ] {
        let ran = home.dgt(wrong);
        assert_eq!((ran.code, ran.stdout.as_str()), (Some(2), ""), "{wrong:?}: {ran:?}");
    }
}

#[test]
fn a_reader_that_goes_away_ends_a_command_quietly() {
    let site = Site::new();
    let key = tests::load::key(ledger_types::signature::Curve::Ed25519, "pipe");
    // Far more than a pipe holds.
    let transactions: Vec<_> = (0..900).map(|n| tests::load::set(&format!("pipe-{n}"), n)).collect();
    site.client().commit(&txfamilies::sign_batch(&key, &transactions));
    for format in ["default", "csv", "json", "yaml"] {
        let mut command = site.home.command();
        command.args(["transaction", "list", "-F", format, "--url", site.client().url()]);
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut first = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut first).unwrap();
        assert!(!first.is_empty());
        let ended = child.wait_with_output().unwrap();
        let words = String::from_utf8_lossy(&ended.stderr);
        assert!(ended.status.success() && words.is_empty(), "{format}: {:?} {words}", ended.status);
    }
    // What is no closed pipe fails, also where a command prints little.
    if let Ok(full) = std::fs::File::options().write(true).open("/dev/full") {
        let mut command = site.home.command();
        command.args(["version"]).stdout(Stdio::from(full));
        assert!(run(&mut command).failed(1).contains("dgt: "));
    }
}

#[test]
fn completions_are_scripts_of_their_shells() {
    let home = Home::new();
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let script = home.dgt(["completions", shell]).ok();
        for word in ["healthcheck", "verify-proof", "transaction"] {
            assert!(script.contains(word), "{word} is not in that of {shell}");
        }
    }
    let script = home.scratch("dgt.bash");
    std::fs::write(&script, home.dgt(["completions", "bash"]).ok()).unwrap();
    let test =
        "source \"$0\"; COMP_WORDS=(dgt block li); COMP_CWORD=2; _dgt dgt li block; echo \"${COMPREPLY[@]}\"";
    assert_eq!(run(Command::new("bash").args(["-c", test]).arg(&script)).ok(), "list\n");
}

#[test]
fn the_manual_has_a_page_for_each_command() {
    let home = Home::new();
    let folder = home.scratch("man");
    home.dgt(["man", folder.to_str().unwrap()]).ok();
    for page in ["dgt", "dgt-start", "dgt-block-list", "dgt-config-show", "dgt-verify-proof"] {
        let text = std::fs::read_to_string(folder.join(format!("{page}.1"))).unwrap();
        assert!(text.starts_with(".ie") || text.contains(".TH"), "{page}: {text}");
    }
    let start = std::fs::read_to_string(folder.join("dgt-start.1")).unwrap();
    assert!(start.contains("log\\-level") && start.contains("settings"), "{start}");
    let file = home.scratch("file");
    std::fs::write(&file, "").unwrap();
    assert!(home.dgt(["man", file.to_str().unwrap()]).failed(1).contains("file"));
}

#[test]
fn every_command_has_help_that_fits_a_terminal() {
    let home = Home::new();
    let help = home.dgt(["--help"]).ok();
    let commands: Vec<&str> =
        help.lines().filter_map(|line| line.strip_prefix("  ")?.split_whitespace().next()).collect();
    for command in
        ["init", "start", "config", "batch", "block", "transaction", "state", "receipt", "peer", "settings"]
    {
        assert!(commands.contains(&command), "{command} is not in {help}");
    }
    for command in
        ["topology", "status", "verify-certificate", "verify-proof", "healthcheck", "completions", "man"]
    {
        assert!(home.dgt([command, "--help"]).ok().contains("Usage: dgt"), "{command}");
    }
    assert!(help.lines().all(|line| line.len() <= 100), "{help}");
}
