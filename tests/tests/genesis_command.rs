//! `dgt genesis`: from a network file to block 0, the same everywhere.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::ffi::OsStr;

use tests::node::{Home, Start};

/// The value behind a label of `dgt genesis show`.
fn shown(text: &str, label: &str) -> String {
    let line = text.lines().find_map(|line| line.strip_prefix(label));
    line.unwrap_or_else(|| panic!("no {label} in {text}")).trim().to_owned()
}

#[test]
fn a_network_file_makes_the_block_0_that_a_node_starts_with() {
    let home = Home::new();
    let file = home.scratch("network.toml");
    let folder = home.path();
    let mut arguments = ["genesis", "new", "--home"].map(OsStr::new).to_vec();
    arguments.extend([folder.as_os_str(), OsStr::new("--out"), file.as_os_str()]);
    let made = home.dgt(arguments.iter()).ok();
    let show = [OsStr::new("genesis"), OsStr::new("show"), file.as_os_str()];
    let first = home.dgt(show).ok();
    assert_eq!(shown(&made, "network"), shown(&first, "network"));
    assert_eq!(home.dgt(show).ok(), first, "executing it again gives the same block 0");
    assert_eq!((shown(&first, "validators"), shown(&first, "quorum")), ("1".to_owned(), "1".to_owned()));
    assert!(home.dgt(arguments).failed(1).contains("exists"), "a network file is never overwritten");

    let node = Start::new(&home).arg("--network").arg(&file).serve();
    let block = node.client().get("/blocks?limit=1");
    assert_eq!(block["data"][0]["header_signature"], shown(&first, "block 0"));
    assert_eq!(block["data"][0]["header"]["state_root_hash"], shown(&first, "state root"));
    assert_eq!(block["data"][0]["header"]["previous_block_id"], "0000000000000000");
    node.stop();

    // Comments and order do not make another network; another time does.
    let text = std::fs::read_to_string(&file).unwrap();
    std::fs::write(&file, format!("# the same network\n{text}")).unwrap();
    Start::new(&home).arg("--network").arg(&file).serve().stop();
    let time = text.lines().find(|line| line.starts_with("time_ms")).unwrap();
    std::fs::write(&file, text.replace(time, "time_ms = 1")).unwrap();
    assert!(Start::new(&home).arg("--network").arg(&file).refusal().contains("is of network"));
}

#[test]
fn nonsense_in_a_network_file_is_named() {
    let home = Home::new();
    let file = home.scratch("network.toml");
    for (text, words) in
        [("name = \"n\"\ncolour = \"red\"\n", "colour"), ("name = 5\n", "name"), ("not toml", "network file")]
    {
        std::fs::write(&file, text).unwrap();
        let refused = home.dgt([OsStr::new("genesis"), OsStr::new("show"), file.as_os_str()]).failed(1);
        assert!(refused.contains(words), "{refused}");
    }
    assert!(Start::new(&home).arg("--network").arg(&file).refusal().contains("network file"));
}
