//! `dgt testnet`: what it makes, what it refuses, and the processes that it starts and stops.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::collections::BTreeSet;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use rustix::process::{Pid, Signal, kill_process, test_kill_process};
use serde_json::Value;
use tests::node::Home;
use tests::testnet::Testnet;
use tests::workspace;

/// All files below a folder, by their paths from there.
fn files(folder: &Path) -> BTreeSet<PathBuf> {
    let mut found = BTreeSet::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        for entry in std::fs::read_dir(next).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                found.insert(path.strip_prefix(folder).unwrap().to_owned());
            }
        }
    }
    found
}

/// The value behind a label of `dgt genesis show`.
fn shown(text: &str, label: &str) -> String {
    let line = text.lines().find_map(|line| line.strip_prefix(label));
    line.unwrap_or_else(|| panic!("no {label} in {text}")).trim().to_owned()
}

#[test]
fn create_makes_every_nodes_files_and_one_network() {
    let home = Home::new();
    let net = home.scratch("net");
    let create = ["testnet", "create", "--clusters", "2", "--nodes", "4", "--name", "duo", "--out", "net"];
    let printed = home.dgt(create).ok();
    assert!(printed.contains("c2-4") && printed.contains("dgt testnet up net"), "{printed}");

    let of_node = ["etc/dgt.toml", "etc/network.toml"].into_iter().chain(KEYS);
    let mut expected: BTreeSet<PathBuf> =
        ["network.toml", "keys/admin.priv", "keys/admin.pub"].map(PathBuf::from).into();
    for (cluster, node) in places(2, 4) {
        let folder = PathBuf::from(format!("dgt_clust/c{cluster}/dgt{node}"));
        expected.extend(of_node.clone().map(|name| folder.join(name)));
        for name in ["data", "logs", "backup"] {
            assert!(net.join(&folder).join(name).is_dir(), "{name} of {}", folder.display());
        }
    }
    assert_eq!(files(&net), expected);
    for file in expected.iter().filter(|file| file.extension().is_some_and(|it| it == "priv")) {
        let mode = std::fs::metadata(net.join(file)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{}", file.display());
    }

    let show = |file: &Path| home.dgt([Path::new("genesis"), Path::new("show"), file]).ok();
    let network = show(&net.join("network.toml"));
    assert_eq!(shown(&network, "validators"), "8");
    for (cluster, node) in places(2, 4) {
        let folder = net.join(format!("dgt_clust/c{cluster}/dgt{node}"));
        assert_eq!(show(&folder.join("etc/network.toml")), network, "block 0 and all else");
        check_settings(&home, &folder, cluster, node);
    }
    let text = std::fs::read_to_string(net.join("network.toml")).unwrap();
    let admin = std::fs::read_to_string(net.join("keys/admin.pub")).unwrap();
    assert!(text.contains(admin.trim()) && text.contains("name = \"duo\""), "{text}");
    assert_eq!(text.matches("delegate = true").count(), 4, "one more than may fail, of each cluster");
}

const KEYS: [&str; 4] = ["keys/vote.priv", "keys/vote.pub", "keys/net.priv", "keys/net.pub"];

fn places(clusters: u16, nodes: u16) -> Vec<(u16, u16)> {
    (1..=clusters).flat_map(|cluster| (1..=nodes).map(move |node| (cluster, node))).collect()
}

/// The settings of a node of two clusters of four, as `dgt config show` reads them.
fn check_settings(home: &Home, folder: &Path, cluster: u16, node: u16) {
    let printed = home.dgt(["config", "show", "-F", "json", "--home", folder.to_str().unwrap()]).ok();
    let settings: Value = serde_json::from_str(&printed).unwrap();
    let value = |key: &str| {
        let setting = settings.as_array().unwrap().iter().find(|setting| setting["key"] == key).unwrap();
        setting["value"].as_str().unwrap().to_owned()
    };
    let port = |first: u16| format!("127.0.0.1:{}", 8000 + 100 * cluster + first + node - 1);
    assert_eq!(value("network.address"), port(1));
    assert_eq!(value("api.address"), port(8));
    assert_eq!(value("admin.address"), port(15));
    let others = places(2, 4).into_iter().filter(|place| *place != (cluster, node));
    let peers: Vec<String> = others.map(|(c, n)| format!("c{c}-{n}=127.0.0.1:8{c}0{n}")).collect();
    assert_eq!(value("network.peers"), peers.join(","));
}

#[test]
fn create_refuses_by_name_and_leaves_nothing() {
    let home = Home::new();
    for (arguments, words) in [
        (&["--clusters", "10"][..], "--port-base"),
        (&["--nodes", "7"], "--port-base"),
        (&["--clusters", "0"], "--clusters 0"),
        (&["--nodes", "65", "--port-base", "9000"], "--nodes 65"),
        (&["--port-base", "65530"], "--port-base 65530"),
        (&["--name", "../up"], "../up"),
        (&["--name", "a b", "--compose"], "a b"),
    ] {
        let refusal = home.dgt([&["testnet", "create", "--out", "net"], arguments].concat()).failed(1);
        assert!(refusal.contains(words), "{arguments:?}: {refusal}");
    }
    assert_eq!(std::fs::read_dir(home.scratch("")).unwrap().count(), 0);

    home.dgt(["testnet", "create", "--nodes", "1", "--out", "net"]).ok();
    let before = std::fs::read(home.scratch("net/network.toml")).unwrap();
    let refusal = home.dgt(["testnet", "create", "--nodes", "1", "--out", "net"]).failed(1);
    assert!(refusal.contains("net exists"), "{refusal}");
    assert_eq!(std::fs::read(home.scratch("net/network.toml")).unwrap(), before);
}

#[test]
fn the_ready_compose_files_are_those_that_create_writes() {
    for (clusters, nodes) in [(1, 1), (1, 4), (2, 4)] {
        let home = Home::new();
        let numbers = [clusters, nodes].map(|number: u16| number.to_string());
        let create = [
            "testnet",
            "create",
            "--compose",
            "--out",
            "net",
            "--clusters",
            &numbers[0],
            "--nodes",
            &numbers[1],
        ];
        let printed = home.dgt(create).ok();
        assert!(printed.contains("docker-compose up -d"), "{printed}");
        let (made, ready) =
            (home.scratch("net"), workspace::root().join("docker").join(format!("{clusters}x{nodes}")));
        assert_eq!(files(&made), files(&ready));
        for file in files(&made) {
            let text = |folder: &Path| std::fs::read_to_string(folder.join(&file)).unwrap();
            assert_eq!(text(&made), text(&ready), "docker/{clusters}x{nodes}/{}", file.display());
        }
    }
}

#[test]
fn volumes_are_filled_once_and_what_was_cut_short_goes_on_with_its_keys() {
    let home = Home::new();
    let user = rustix::process::geteuid().as_raw().to_string();
    let fill = || home.dgt(["testnet", "create", "--nodes", "2", "--volumes", &user, "--out", "net"]).ok();
    // The volumes are there, and empty.
    let net = home.scratch("net");
    std::fs::create_dir_all(net.join("dgt_clust/c1/dgt2")).unwrap();
    fill();
    let (key, network) = (net.join("dgt_clust/c1/dgt2/keys/vote.priv"), net.join("network.toml"));
    let read = |path: &Path| std::fs::read_to_string(path).unwrap();
    let (first_key, first_network) = (read(&key), read(&network));
    assert!(fill().contains("nothing to do"));
    assert_eq!((read(&key), read(&network)), (first_key.clone(), first_network));
    std::fs::remove_file(&network).unwrap();
    fill();
    assert_eq!(read(&key), first_key);
    assert_eq!(read(&net.join("dgt_clust/c1/dgt2/etc/network.toml")), read(&network));
}

#[test]
fn commands_about_no_network_say_so() {
    let home = Home::new();
    for command in ["up", "down", "status"] {
        let refusal = home.dgt(["testnet", command, "nowhere"]).failed(1);
        assert!(refusal.contains("network.toml") && refusal.contains("testnet create"), "{refusal}");
    }
    home.dgt(["testnet", "create", "--nodes", "2", "--out", "net"]).ok();
    let refusal = home.dgt(["testnet", "up", "net", "--only", "c2-1"]).failed(1);
    assert!(refusal.contains("c2-1 is not in the network"), "{refusal}");
    assert!(home.dgt(["testnet", "up", "net", "--only", "dgt1"]).failed(2).contains("for example c1-2"));
}

/// The processes that a `dgt testnet up` started; killed with the test, whatever becomes of it.
struct Detached<'a> {
    network: &'a Testnet,
}

impl Detached<'_> {
    fn run(&self, arguments: &[&str]) -> tests::binary::Ran {
        let (command, rest) = arguments.split_first().unwrap();
        let path = self.network.path();
        let words = ["testnet", command, path.to_str().unwrap()];
        self.network.home(0).dgt(words.iter().chain(rest))
    }

    /// The rows that a command prints as JSON.
    fn rows(&self, arguments: &[&str]) -> Vec<Value> {
        let printed = self.run(&[arguments, &["-F", "json"]].concat()).ok();
        serde_json::from_str(&printed).unwrap()
    }

    fn column(&self, arguments: &[&str], key: &str) -> Vec<String> {
        self.rows(arguments).iter().map(|row| row[key].as_str().unwrap().to_owned()).collect()
    }
}

impl Drop for Detached<'_> {
    fn drop(&mut self) {
        self.run(&["down", "--timeout", "0"]);
    }
}

#[test]
fn up_down_and_status_look_after_the_processes() {
    let network = Testnet::create(1, 4);
    let detached = Detached { network: &network };
    assert_eq!(detached.column(&["status"], "state"), ["down"; 4]);
    assert_eq!(detached.column(&["up"], "state"), ["started"; 4]);
    let started = detached.column(&["status"], "pid");
    for row in detached.rows(&["status"]) {
        let (role, heard) = (row["role"].as_str().unwrap(), row["heard"].as_str().unwrap());
        assert!(["leader", "validator"].contains(&role) && heard.ends_with("/3"), "{row}");
        assert_eq!(row["state"], "up", "{row}");
    }
    // Nodes that are up stay; one that was stopped comes back as a new process.
    assert_eq!(detached.column(&["down", "--only", "c1-2"], "state"), ["stopped"]);
    assert_eq!(detached.column(&["status"], "state"), ["up", "down", "up", "up"]);
    assert_eq!(detached.column(&["up"], "state"), ["was up", "started", "was up", "was up"]);
    let again = detached.column(&["status"], "pid");
    let kept: Vec<bool> = started.iter().zip(&again).map(|(old, new)| old == new).collect();
    assert_eq!(kept, [true, false, true, true]);
    let log = std::fs::read_to_string(network.home(1).path().join("logs/dgt.log")).unwrap();
    assert_eq!(log.matches("Ctrl-C stops the node.").count(), 2, "both lives are in the log: {log}");

    // A process that hears no SIGTERM is killed, and loudly.
    let paused = Pid::from_raw(again[0].parse().unwrap()).unwrap();
    kill_process(paused, Signal::STOP).unwrap();
    let ran = detached.run(&["down", "--only", "c1-1", "--timeout", "1"]);
    assert!(ran.stderr.contains("KILLING"), "{ran:?}");
    assert!(ran.ok().contains("killed"));
    assert_eq!(detached.column(&["down"], "state"), ["was down", "stopped", "stopped", "stopped"]);
    assert_eq!(detached.column(&["down"], "state"), ["was down"; 4]);
}

#[test]
fn a_lock_file_that_names_a_stranger_harms_nobody() {
    let network = Testnet::create(1, 1);
    let detached = Detached { network: &network };
    let mut stranger = std::process::Command::new("sleep").arg("600").spawn().unwrap();
    let lock = network.home(0).path().join("keys/vote.lock");
    std::fs::write(&lock, format!("{}\n", stranger.id())).unwrap();
    assert_eq!(detached.column(&["status"], "state"), ["down"]);
    assert_eq!(detached.column(&["down"], "state"), ["was down"]);
    let pid = Pid::from_child(&stranger);
    let lives = test_kill_process(pid).is_ok() && stranger.try_wait().unwrap().is_none();
    stranger.kill().unwrap();
    stranger.wait().unwrap();
    assert!(lives, "a stranger's process was killed");
}

#[test]
fn up_shows_why_a_node_does_not_come() {
    let network = Testnet::create(1, 1);
    let detached = Detached { network: &network };
    let settings = network.home(0).path().join("etc/dgt.toml");
    let text = std::fs::read_to_string(&settings).unwrap();
    let api = text.lines().find_map(|line| line.strip_prefix("address = ")).unwrap().trim_matches('"');
    let _taken = std::net::TcpListener::bind(api).unwrap();
    let refusal = detached.run(&["up"]).failed(1);
    for words in ["c1-1: it ended", "dgt.log", &format!("listening on {api}")] {
        assert!(refusal.contains(words), "{words:?} is not in {refusal}");
    }
}
