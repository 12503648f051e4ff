//! `dgt doctor`: every misconfiguration is made for real, found and named with its mend; where the mend is a command, it is
//! run, and then all is well.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::ffi::OsString;
use std::net::TcpListener;
use std::os::unix::fs::{PermissionsExt as _, chown};
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;
use tests::binary::{self, Ran, run};
use tests::lmdb::{FILES, MERKLE};
use tests::node::{Home, Start, copy_files};
use tests::packages;
use tests::stopped;
use tests::testnet::Testnet;

/// Ports that the system chooses: other tests run nodes on the usual ones.
const ANY_PORTS: [&str; 4] = ["--api", "127.0.0.1:0", "--admin", "127.0.0.1:0"];

/// What was found.
struct Found {
    code: i32,
    findings: Vec<Finding>,
}

/// A finding and the check that found it.
#[derive(Debug)]
struct Finding {
    check: String,
    severity: String,
    what: String,
    mend: String,
}

impl Found {
    fn read(ran: &Ran) -> Self {
        let report: Value =
            serde_json::from_str(&ran.stdout).unwrap_or_else(|error| panic!("{error}: {ran:?}"));
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let checks = report["checks"].as_array().unwrap();
        let findings = checks.iter().flat_map(|check| {
            check["findings"].as_array().unwrap().iter().map(|finding| Finding {
                check: text(&check["check"]),
                severity: text(&finding["severity"]),
                what: text(&finding["what"]),
                mend: text(&finding["mend"]),
            })
        });
        let found = Self { code: ran.code.unwrap(), findings: findings.collect() };
        let errors = found.findings.iter().filter(|finding| finding.severity == "error").count();
        assert_eq!(report["errors"], errors);
        assert_eq!(found.code, i32::from(errors > 0), "{:?}", found.findings);
        found
    }

    /// The only finding there is, apart from how many files this machine lets a test open.
    fn only(&self, check: &str, severity: &str, what: &[&str]) -> &Finding {
        let findings: Vec<_> = self.findings.iter().filter(|finding| finding.check != "limits").collect();
        assert_eq!(findings.len(), 1, "{findings:?}");
        self.one(check, severity, what)
    }

    fn one(&self, check: &str, severity: &str, what: &[&str]) -> &Finding {
        let is_it = |finding: &&Finding| {
            finding.check == check
                && finding.severity == severity
                && what.iter().all(|words| finding.what.contains(words))
        };
        let found = self.findings.iter().find(is_it);
        found.unwrap_or_else(|| panic!("no {severity} of {check} with {what:?} in {:?}", self.findings))
    }

    fn assert_well(&self) {
        let findings: Vec<_> = self.findings.iter().filter(|finding| finding.check != "limits").collect();
        assert!(findings.is_empty(), "{findings:?}");
        assert_eq!(self.code, 0);
    }
}

/// Asks about a folder.
fn doctor(home: &Home, arguments: &[&str]) -> Found {
    let mut command = home.command();
    command.args(["doctor", "-F", "json", "--home"]).arg(home.path()).args(arguments);
    Found::read(&run(&mut command))
}

/// Asks about the folder of a stopped node whose ports do not matter.
fn examine(home: &Home) -> Found {
    doctor(home, &ANY_PORTS)
}

/// Runs a mend that is a command, up to what it remarks.
fn mend(finding: &Finding) {
    let command = finding.mend.split(';').next().unwrap();
    run(Command::new("sh").args(["-c", command])).ok();
}

fn set_mode(path: &Path, mode: u32) {
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
}

#[test]
fn a_healthy_node_is_well_before_its_first_start_stopped_and_running() {
    let home = Home::new();
    examine(&home).only("folder", "error", &["is not there"]);
    home.dgt(["init", "--home", home.path().to_str().unwrap()]).ok();
    examine(&home).assert_well();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    doctor(&home, &["--api", &address]).one("ports", "error", &["another program listens"]);
    let node = home.start();
    let api = node.client().url().strip_prefix("http://").unwrap().to_owned();
    doctor(&home, &["--api", &api]).assert_well();
    // Started by a flag on another port than the settings say: the process is there, and its answer is not.
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = silent.local_addr().unwrap().to_string();
    drop(silent);
    doctor(&home, &["--api", &port]).only("node", "error", &["does not answer"]);
    node.stop();
    examine(&home).assert_well();

    let mut command = home.command();
    let text = run(command.args(["doctor", "--home"]).arg(home.path()).args(ANY_PORTS));
    let printed = text.ok();
    assert!(printed.contains("ok       keys") && printed.ends_with(" to look at\n"), "{printed}");
}

#[test]
fn keys_and_owners() {
    let (home, _) = stopped::node();
    let keys = home.path().join("keys");
    for name in ["vote.priv", "net.priv", "admin.priv"] {
        set_mode(&keys.join(name), 0o644);
        let found = examine(&home);
        mend(found.only("keys", "error", &[name, "mode 0644"]));
        examine(&home).assert_well();
    }
    set_mode(&keys, 0o775);
    mend(examine(&home).only("keys", "error", &["mode 0775"]));
    examine(&home).assert_well();
    set_mode(&home.data(), 0o757);
    mend(examine(&home).only("folder", "error", &["everybody may write"]));
    examine(&home).assert_well();

    let (vote, net) = (keys.join("vote.pub"), keys.join("net.pub"));
    let public = std::fs::read(&vote).unwrap();
    std::fs::copy(&net, &vote).unwrap();
    examine(&home).only("keys", "error", &["vote.pub is not the public key of"]);
    std::fs::write(&vote, public).unwrap();
    let secret = keys.join("vote.priv");
    let away = home.scratch("vote.priv");
    std::fs::rename(&secret, &away).unwrap();
    assert!(examine(&home).only("keys", "error", &["vote.priv"]).mend.contains("put it back"));
    std::fs::write(&secret, "not a key").unwrap();
    set_mode(&secret, 0o600);
    examine(&home).only("keys", "error", &["64 lower-case hex"]);
    std::fs::rename(&away, &secret).unwrap();

    if rustix::process::geteuid().is_root() {
        chown(home.file(MERKLE), Some(12_345), None).unwrap();
        mend(examine(&home).only("folder", "error", &[MERKLE, "another user"]));
    }
    examine(&home).assert_well();
}

#[test]
fn settings_and_ports() {
    let (home, _) = stopped::node();
    let settings = home.path().join("etc/dgt.toml");
    std::fs::write(&settings, "[api]\nadress = \"127.0.0.1:1\"\n").unwrap();
    examine(&home).only("settings", "error", &["api.adress", "do you mean api.address?"]);
    std::fs::write(&settings, "[api]\ntls_key = \"key.pem\"\n").unwrap();
    examine(&home).only("settings", "error", &["belong together"]);
    std::fs::remove_file(&settings).unwrap();
    let mut misspelt = home.command();
    misspelt
        .env("DGT_API_ADRESS", "x")
        .args(["doctor", "-F", "json", "--home"])
        .arg(home.path())
        .args(ANY_PORTS);
    Found::read(&run(&mut misspelt)).only("settings", "warning", &["DGT_API_ADRESS"]);

    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let found = doctor(&home, &["--api", &address, "--admin", "127.0.0.1:0"]);
    let finding = found.only("ports", "error", &["api.address", "another program listens", &address]);
    assert!(
        finding.mend.contains(&format!("sport = :{}", taken.local_addr().unwrap().port())),
        "{finding:?}"
    );
    drop(taken);
    doctor(&home, &["--api", &address, "--admin", "127.0.0.1:0"]).assert_well();
    doctor(&home, &["--api", &address, "--admin", &address]).only("ports", "error", &["are both"]);
    let foreign = ["--api", "203.0.113.1:8108", "--admin", "127.0.0.1:0"];
    doctor(&home, &foreign).only("ports", "error", &["no address of this machine"]);
    let open = ["--api", "127.0.0.1:0", "--admin", "0.0.0.0:0"];
    doctor(&home, &open).only("ports", "warning", &["other machines can change"]);

    let script = format!(
        "ulimit -n 256; exec {} doctor -F json --home {} {}",
        binary::dgt().display(),
        home.path().display(),
        ANY_PORTS.join(" ")
    );
    let found = Found::read(&run(Command::new("sh").args(["-c", &script])));
    assert_eq!(found.findings.len(), 1, "{:?}", found.findings);
    assert!(found.one("limits", "warning", &["256 files may be open"]).mend.contains("LimitNOFILE="));
}

#[test]
fn files_and_the_network_that_they_are_of() {
    let ((home, _), (other, _)) = (stopped::node(), stopped::node());
    let (own_file, foreign_file) =
        (home.path().join("etc/network.toml"), other.path().join("etc/network.toml"));
    let kept = home.scratch("kept.toml");
    std::fs::copy(&own_file, &kept).unwrap();
    std::fs::copy(&foreign_file, &own_file).unwrap();
    let found = examine(&home);
    found.one("network", "error", &["the vote key", "is not in the network"]);
    assert!(found.one("files", "error", &["belongs to network"]).mend.contains("another network"));
    std::fs::write(&own_file, "no network").unwrap();
    examine(&home).only("network", "error", &["network.toml"]);
    std::fs::copy(&kept, &own_file).unwrap();
    examine(&home).assert_well();

    let saved: PathBuf = home.scratch("saved");
    copy_files(&home.data(), &saved);
    copy_files(&other.data(), &home.data());
    examine(&home).only("files", "error", &["belongs to network"]);
    copy_files(&saved, &home.data());
    for name in FILES {
        std::fs::remove_file(home.file(name)).unwrap();
        let found = examine(&home);
        let finding = found.only("files", "error", &[name, "is not in"]);
        assert_eq!(finding.mend.contains("--rebuild"), name.starts_with("merkle") || name.starts_with("txn"));
        std::fs::copy(saved.join(name), home.file(name)).unwrap();
    }
    std::fs::write(home.file(MERKLE), vec![7; 1 << 16]).unwrap();
    examine(&home).only("files", "error", &[MERKLE]);
    std::fs::copy(saved.join(MERKLE), home.file(MERKLE)).unwrap();
    examine(&home).assert_well();
}

#[test]
#[allow(clippy::print_stderr, reason = "a skipped test says so")]
fn room_on_the_disk() {
    let (home, _) = stopped::node();
    let found = doctor(&home, &[&ANY_PORTS[..], &["--free-gib", "1000000"]].concat());
    found.only("disk", "warning", &["MiB left on its disk"]);
    examine(&home).assert_well();

    let empty = Home::new();
    empty.dgt(["init", "--home", empty.path().to_str().unwrap()]).ok();
    let mut mount = Command::new("mount");
    let mounted = run(mount.args(["-t", "tmpfs", "-o", "size=16m,mode=755", "dgt-test"]).arg(empty.data()));
    if mounted.code != Some(0) {
        eprintln!("SKIPPED: a full disk needs the right to mount: {}", mounted.stderr);
        return;
    }
    let found = std::panic::catch_unwind(|| examine(&empty));
    run(Command::new("umount").arg("--lazy").arg(empty.data())).ok();
    let found = found.unwrap();
    found.one("disk", "error", &["below 32 the node stops voting"]);
    found.one("disk", "warning", &["tmpfs"]);
    examine(&empty).assert_well();
}

/// The words that run a program with another time.
fn at_another_time(offset: &str) -> Vec<OsString> {
    packages::require("faketime", "faketime");
    ["env", "FAKETIME_DONT_FAKE_MONOTONIC=1", "faketime", "-f", offset].map(OsString::from).to_vec()
}

#[test]
fn a_clock_before_the_networks_beginning() {
    let home = Home::new();
    Start::under(&home, &at_another_time("+1d")).serve().stop();
    let found = examine(&home);
    let finding = found.one("clock", "error", &["this machine's clock says", "and the network is of"]);
    assert!(finding.mend.contains("NTP"), "{finding:?}");
    found.one("files", "error", &["and block 0 is of"]);
}

#[test]
fn peers_other_networks_and_clocks() {
    let mut network = Testnet::create(1, 4);
    let at = |network: &Testnet, arguments: &[&str]| doctor(network.home(0), arguments);
    let found = at(&network, &[]);
    for peer in ["c1-2", "c1-3", "c1-4"] {
        found.one("peers", "warning", &[&format!("{peer} is not reached")]);
    }
    // Perhaps nobody has started yet.
    found.one("peers", "warning", &["1 of 4 validators are there", "3 must vote"]);

    // The clock of the last one is wrong.
    network.run_under(3, at_another_time("+10s"));
    (1..4).for_each(|index| network.start_node(index));
    at(&network, &[]).assert_well();
    let url = |network: &Testnet, index: usize| network.client(index).url().to_owned();
    at(&network, &["--other", &url(&network, 1)]).assert_well();
    let other = url(&network, 3);
    at(&network, &["--other", &other]).only("other", "error", &["clock", "is ahead", " ms"]);
    let nobody = ["--set", "network.peers=c1-2=127.0.0.1:1,c1-3=no.such.host.invalid:1,c1-4=127.0.0.1:1"];
    let found = at(&network, &nobody);
    found.one("peers", "warning", &["c1-2", "refused"]);
    found.one("peers", "warning", &["c1-3", "host name is not found"]);
    at(&network, &["--set", "network.peers=c1-2=127.0.0.1:1"]).one(
        "network",
        "error",
        &["network.peers has no address of c1-3, c1-4"],
    );
    at(&network, &["--set", "network.peers=c9-9=127.0.0.1:1"]).one("network", "error", &["c9-9"]);
    let far = "network.peers=c1-2=192.0.2.1:1,c1-3=127.0.0.1:1,c1-4=127.0.0.1:1";
    at(&network, &["--set", far]).one("network", "warning", &["only this machine reaches"]);

    let stranger = Home::new();
    let lone = stranger.start();
    at(&network, &["--other", lone.client().url()]).only("other", "error", &["is of network"]);
    lone.stop();
    foreign_key(&network);
    running(&mut network);
    // It is no child of this process, so it cannot be told to stop twice.
    network.stop(3);
    network.stop_all();
    at(&network, &[]).one("peers", "error", &["1 of 4 validators are there", "3 must vote"]);
}

/// Another node's net key in the place of the own one.
fn foreign_key(network: &Testnet) {
    let key = |index: usize, name: &str| network.home(index).path().join("keys").join(name);
    let pair = ["net.priv", "net.pub"];
    let swap = |from: usize, to: &dyn Fn(&str) -> PathBuf| {
        pair.iter().for_each(|name| _ = std::fs::copy(key(from, name), to(name)).unwrap());
    };
    let kept = network.path().join("kept");
    std::fs::create_dir(&kept).unwrap();
    swap(0, &|name| kept.join(name));
    swap(1, &|name| key(0, name));
    doctor(network.home(0), &[]).only("network", "error", &["the net key is not that of c1-1"]);
    pair.iter().for_each(|name| _ = std::fs::copy(kept.join(name), key(0, name)).unwrap());
}

/// A node that runs tells more: the clocks at the other ends, links that are down, a quorum that is lost.
fn running(network: &mut Testnet) {
    network.start_node(0);
    network.wait_node_ready(0);
    let wait = |network: &Testnet, what: &str, is_so: fn(&Found) -> bool| {
        network.wait(what, || {
            let found = doctor(network.home(0), &[]);
            if is_so(&found) { Ok(found) } else { Err(format!("{:?}", found.findings)) }
        })
    };
    let off = |found: &Found| found.code == 0 && found.findings.iter().any(|it| it.what.contains("c1-4 by "));
    wait(network, "the clock of c1-4 is named, and all links are up", off).only(
        "node",
        "warning",
        &["ahead of this one"],
    );
    network.stop(1);
    network.stop(2);
    let found = wait(network, "too few are heard", |found| {
        found.findings.iter().any(|finding| finding.what.contains("nothing can be decided"))
    });
    found.one("node", "error", &["2 of 4 validators are heard and 3 must vote"]);
    found.one("node", "warning", &["no link to c1-2", "no node answers"]);
}
