//! Every command of `dgt`, as a shell runs it.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use ledger_types::PublicKey;
use ledger_types::signature::Curve;
use tests::lmdb::FILES;
use tests::node::{Home, Node, Start};

fn mode(path: &Path) -> u32 {
    std::fs::metadata(path).unwrap().permissions().mode() & 0o777
}

fn line(path: &Path) -> String {
    let text = std::fs::read_to_string(path).unwrap();
    let line = text.strip_suffix('\n').unwrap();
    assert!(!line.contains('\n'), "{text:?}");
    line.to_owned()
}

#[test]
fn version_help_and_wrong_use_have_their_exit_codes() {
    let home = Home::new();
    let version = home.dgt(["version"]).ok();
    assert_eq!(version, home.dgt(["--version"]).ok());
    assert!(version.starts_with("dgt ") && version.trim().split('.').count() == 3, "{version}");
    let help = home.dgt(["--help"]).ok();
    for command in ["start", "keygen", "genesis", "bgt", "digest", "verify", "version"] {
        assert!(help.contains(&format!("\n  {command}")), "{command} is not in {help}");
    }
    for wrong in [
        &["nonsense"][..],
        &[],
        &["start", "--no-such"],
        &["bgt", "set", "alice"],
        &["bgt", "set", "a", "-1"],
    ] {
        let ran = home.dgt(wrong);
        assert_eq!((ran.code, ran.stdout.as_str()), (Some(2), ""), "{wrong:?}: {ran:?}");
        assert!(ran.stderr.contains("Usage"), "{wrong:?}: {ran:?}");
    }
}

#[test]
fn keygen_writes_a_private_and_a_public_file_once() {
    let home = Home::new();
    let keys = home.scratch("keys");
    let folder = keys.to_str().unwrap();
    for (kind, curve) in [("ed25519", Curve::Ed25519), ("secp256k1", Curve::Secp256k1)] {
        let printed = home.dgt(["keygen", kind, "--key-type", kind, "--key-dir", folder]).ok();
        let (private, public) = (keys.join(format!("{kind}.priv")), keys.join(format!("{kind}.pub")));
        let (secret, key) = (line(&private), line(&public));
        assert_eq!(mode(&private), 0o600);
        assert_eq!(key.parse::<PublicKey>().unwrap().curve(), curve);
        assert!(printed.contains(&key) && !printed.contains(&secret), "{printed}");
        let secret = data_encoding::HEXLOWER.decode(secret.as_bytes()).unwrap().try_into().unwrap();
        let derived = ledger_types::PrivateKey::from_bytes(curve, secret).unwrap().public_key();
        assert_eq!(derived.to_string(), key);

        let refusal = home.dgt(["keygen", kind, "--key-dir", folder]).failed(1);
        assert!(refusal.contains("--force"), "{refusal}");
        assert_eq!(line(&public), key, "nothing is overwritten");
        home.dgt(["keygen", kind, "--key-dir", folder, "--force"]).ok();
        assert_ne!(line(&public), key);
        assert_eq!(mode(&private), 0o600);
    }
    home.dgt(["keygen"]).ok();
    assert_eq!(mode(&home.scratch(".dgt/keys/default.priv")), 0o600);
    for bad in ["", "../x", "a/b", ".hidden"] {
        home.dgt(["keygen", bad, "--key-dir", folder]).failed(1);
    }
}

#[test]
fn start_makes_a_node_and_says_where_everything_is() {
    let home = Home::new();
    let node = home.start();
    let greeting = node.greeting().join("\n");
    let url = node.client().url();
    assert!(greeting.starts_with("dgt ") && greeting.contains("c1-1"), "{greeting}");
    for words in ["new keys", "height   0", home.data().to_str().unwrap(), url, "bgt set alice 100"] {
        assert!(greeting.contains(words), "{words} is not in {greeting}");
    }
    for folder in ["etc", "keys", "data", "logs", "backup"] {
        assert!(home.path().join(folder).is_dir(), "{folder}");
    }
    assert!(FILES.iter().all(|name| home.file(name).is_file()));
    for entry in std::fs::read_dir(home.path().join("keys")).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "priv") {
            assert_eq!(mode(&path), 0o600, "{}", path.display());
        }
    }
    // The line to try works as it is printed.
    let attempt = node.greeting().iter().find(|line| line.contains("bgt set alice 100")).unwrap();
    let arguments: Vec<&str> = attempt.split_whitespace().skip(1).collect();
    assert!(home.dgt(&arguments).ok().starts_with("COMMITTED "));
    let network =
        |node: &Node| node.greeting().iter().find(|line| line.trim().starts_with("network")).cloned();
    let first = network(&node);
    assert!(node.stop().contains("stopping"));
    let again = home.start();
    assert_eq!(network(&again), first);
    let greeting = again.greeting().join("\n");
    assert!(greeting.contains("height   1") && !greeting.contains("new keys"), "{greeting}");
    again.stop();
}

#[test]
fn start_refuses_an_address_in_use() {
    let (home, other) = (Home::new(), Home::new());
    let node = home.start();
    let address = node.client().url().strip_prefix("http://").unwrap();
    let mut command = other.command();
    command.args(["start", "--api", address, "--home"]).arg(other.path());
    let refusal = tests::binary::run(&mut command).failed(1);
    assert!(refusal.contains(address), "{refusal}");
    node.stop();
    Start::new(&other).serve().stop();
}

/// `dgt bgt ...` at a node.
fn bgt(home: &Home, node: &Node, arguments: &[&str]) -> tests::binary::Ran {
    home.dgt([&["bgt"], arguments, &["--url", node.client().url()]].concat())
}

#[test]
fn bgt_opens_changes_pays_and_shows() {
    let home = Home::new();
    let node = home.start();
    let ok = |arguments: &[&str]| bgt(&home, &node, arguments).ok();
    let committed = ok(&["set", "alice", "100"]);
    let id = committed.trim().strip_prefix("COMMITTED ").unwrap();
    assert!(node.client().outcome(id) == tests::client::Outcome::Committed && id.len() == 128, "{committed}");
    ok(&["set", "bob", "5"]);
    ok(&["inc", "alice", "10"]);
    ok(&["dec", "alice", "1"]);
    ok(&["trans", "alice", "bob", "9"]);
    assert_eq!(ok(&["show", "alice"]), "alice 100\n");
    assert_eq!(ok(&["show", "bob"]), "bob 14\n");
    let list = ok(&["list"]);
    let owner = line(&home.scratch(".dgt/keys/default.pub"));
    let mut rows: Vec<Vec<&str>> = list.lines().map(|row| row.split_whitespace().collect()).collect();
    assert_eq!(rows.remove(0), ["NAME", "VALUE", "OWNER"]);
    rows.sort();
    assert_eq!(rows, [["alice", "100", &owner], ["bob", "14", &owner]]);

    let failed = |arguments: &[&str]| bgt(&home, &node, arguments).failed(1);
    assert!(failed(&["set", "alice", "1"]).contains("already exists"));
    assert!(failed(&["dec", "alice", "101"]).contains("INVALID"));
    assert!(failed(&["trans", "alice", "nobody", "1"]).contains("nobody"));
    assert!(failed(&["show", "nobody"]).contains("nobody"));
    assert_eq!(ok(&["show", "alice"]), "alice 100\n");
    node.stop();
}

#[test]
fn bgt_obeys_only_the_owner_of_either_curve() {
    let home = Home::new();
    let node = home.start();
    let keys = home.scratch("keys");
    let folder = keys.to_str().unwrap();
    for kind in ["ed25519", "secp256k1"] {
        home.dgt(["keygen", kind, "--key-type", kind, "--key-dir", folder]).ok();
    }
    let key = |kind: &str| keys.join(format!("{kind}.priv")).to_str().unwrap().to_owned();
    for (wallet, stranger) in [("ed25519", "secp256k1"), ("secp256k1", "ed25519")] {
        let (owner, stranger) = (key(wallet), key(stranger));
        bgt(&home, &node, &["set", wallet, "10", "--key", &owner]).ok();
        for change in [&["inc", wallet, "1"][..], &["dec", wallet, "1"], &["trans", wallet, wallet, "1"]] {
            let refusal = bgt(&home, &node, &[change, &["--key", &stranger]].concat()).failed(1);
            assert!(refusal.contains("does not own"), "{refusal}");
            bgt(&home, &node, &[change, &["--key", &owner]].concat()).ok();
        }
        assert_eq!(bgt(&home, &node, &["show", wallet]).ok(), format!("{wallet} 10\n"));
    }
    node.stop();
}

#[test]
fn a_client_without_a_node_says_so() {
    let home = Home::new();
    let ran = home.dgt(["bgt", "show", "alice", "--url", "http://127.0.0.1:1"]);
    assert!(ran.failed(1).contains("is the node running?"));
    let mut command = home.command();
    command.args(["bgt", "show", "alice"]).env("DGT_API_URL", "http://127.0.0.1:2");
    assert!(tests::binary::run(&mut command).failed(1).contains("127.0.0.1:2"));
}

#[test]
fn digest_and_verify_speak_of_a_stopped_node() {
    let home = Home::new();
    let data = home.data();
    let data = data.to_str().unwrap();
    home.dgt(["digest", data]).failed(1);
    let node = home.start();
    bgt(&home, &node, &["set", "alice", "1"]).ok();
    let pid = node.pid().to_string();
    for command in [&["digest", data][..], &["verify", "--quick", data]] {
        assert!(home.dgt(command).failed(1).contains(&pid), "{command:?}");
    }
    node.stop();
    let digests = home.dgt(["digest", data]).ok();
    assert_eq!(digests.lines().count(), 4);
    assert!(FILES.iter().all(|name| digests.contains(name)), "{digests}");
    home.dgt(["verify", "--quick", data]).ok();
    home.dgt(["verify", data]).ok();
    home.dgt(["verify", "--home", home.path().to_str().unwrap()]).ok();
    assert_eq!(home.dgt(["digest", data]).ok(), digests, "looking changes nothing");
}
