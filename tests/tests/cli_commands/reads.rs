//! Lists and documents, in every format, against what REST answers.

use data_encoding::BASE64;
use serde_json::{Value, json};

use crate::site::{Site, text};

/// The rows that a list must have: headings, then a row an item.
fn rows(headings: &[&str], items: &[Value], row: impl Fn(&Value) -> Vec<String>) -> Vec<Vec<String>> {
    let headings = headings.iter().map(|&heading| heading.to_owned()).collect();
    std::iter::once(headings).chain(items.iter().map(row)).collect()
}

fn items(answer: &Value) -> &[Value] {
    answer["data"].as_array().unwrap()
}

#[test]
fn blocks_are_listed_and_shown() {
    let site = Site::with_blocks(3);
    let blocks = site.client().get("/blocks");
    let count = |block: &Value, name: &str| {
        items(&json!({"data": block["batches"]}))
            .iter()
            .map(|it| it[name].as_array().unwrap().len())
            .sum::<usize>()
    };
    let expected = rows(&["NUM", "BLOCK_ID", "BATS", "TXNS", "SIGNER"], items(&blocks), |block| {
        vec![
            text(block, "/header/block_num").to_owned(),
            text(block, "/header_signature").to_owned(),
            block["batches"].as_array().unwrap().len().to_string(),
            count(block, "transactions").to_string(),
            text(block, "/header/signer_public_key").to_owned(),
        ]
    });
    assert_eq!(expected.len(), 5);
    assert_eq!(site.table(&["block", "list"]), expected);
    assert_eq!(site.csv(&["block", "list"]), expected);
    let id = &expected[1][1];
    let first = &site.json(&["block", "list"])[0];
    let newest = json!({"batches": 1, "block_id": id, "num": 3, "signer": expected[1][4], "txns": 3});
    assert_eq!(first, &newest);
    let yaml = site.ok(&["block", "list", "--format", "yaml", "--limit", "1"]);
    assert!(yaml.starts_with("- batches: 1\n  block_id: ") && yaml.ends_with("  txns: 3\n"), "{yaml}");

    assert_eq!(&site.json(&["block", "show", id]), &items(&blocks)[0]);
    assert_eq!(&site.json(&["block", "show", "3"]), &items(&blocks)[0]);
    assert_eq!(site.ok(&["block", "show", "3", "--key", "block_num"]), "\"3\"\n");
    assert_eq!(site.json(&["block", "show", "3", "-k", "header_signature"]), json!(id));
    assert!(site.dgt(&["block", "show", "3", "-k", "nothing"]).failed(1).contains("nothing"));
    assert!(site.dgt(&["block", "show", "4"]).failed(1).contains("there is no block 4; the newest is 3"));
    assert!(site.dgt(&["block", "show", &"0".repeat(128)]).failed(1).contains("Block Not Found"));
    for bad in ["..", "a/b", "?limit=1", ""] {
        assert!(site.dgt(&["block", "show", bad]).failed(1).contains("is no id"), "{bad}");
    }
}

#[test]
fn batches_and_transactions_are_listed_and_shown() {
    let site = Site::with_blocks(2);
    let batches = site.client().get("/batches");
    let expected = rows(&["BATCH_ID", "TXNS", "SIGNER"], items(&batches), |batch| {
        vec![
            text(batch, "/header_signature").to_owned(),
            batch["transactions"].as_array().unwrap().len().to_string(),
            text(batch, "/header/signer_public_key").to_owned(),
        ]
    });
    assert_eq!(site.table(&["batch", "list"]), expected);
    assert_eq!(site.csv(&["batch", "list"]), expected);
    assert_eq!(&site.json(&["batch", "show", &expected[1][0]]), &items(&batches)[0]);

    let transactions = site.client().get("/transactions");
    let headings = ["TRANSACTION_ID", "FAMILY", "VERS", "SIZE"];
    let expected = rows(&headings, items(&transactions), |transaction| {
        let payload = BASE64.decode(text(transaction, "/payload").as_bytes()).unwrap();
        vec![
            text(transaction, "/header_signature").to_owned(),
            text(transaction, "/header/family_name").to_owned(),
            text(transaction, "/header/family_version").to_owned(),
            payload.len().to_string(),
        ]
    });
    let table = site.table(&["transaction", "list"]);
    assert_eq!(table[0][4], "PAYLOAD");
    let left: Vec<_> = table.iter().map(|row| row[..4].to_vec()).collect();
    assert_eq!(left, expected);
    // A payload looks as the sawtooth command shows it.
    assert_eq!(site.csv(&["transaction", "list"])[1][4], r"b'\xa3dNamedb2-0eValue\x00dVerbcset'");
    let listed = site.json(&["transaction", "list", "-l", "1"]);
    assert_eq!(listed[0]["payload"], items(&transactions)[0]["payload"]);
    assert_eq!(&site.json(&["transaction", "show", &expected[1][0]]), &items(&transactions)[0]);
    assert_eq!(site.ok(&["transaction", "show", &expected[1][0], "-k", "family_name"]), "intkey\n");

    let receipt = site.json(&["receipt", "show", &expected[1][0], &expected[2][0]]);
    let ids = format!("/receipts?id={},{}", expected[1][0], expected[2][0]);
    assert_eq!(receipt, site.client().get(&ids)["data"]);
    assert_eq!(site.json(&["receipt", "show", &format!("{},{}", expected[1][0], expected[2][0])]), receipt);
    assert!(site.dgt(&["receipt", "show", &"0".repeat(128)]).failed(1).contains("Receipt Not Found"));
}

#[test]
fn state_is_listed_with_its_head_and_shown() {
    let site = Site::with_blocks(2);
    let state = site.client().get("/state?address=1cf126");
    let head = site.client().head().id;
    let expected = rows(&["ADDRESS", "SIZE"], items(&state), |item| {
        let value = BASE64.decode(text(item, "/data").as_bytes()).unwrap();
        vec![text(item, "/address").to_owned(), value.len().to_string()]
    });
    assert_eq!(expected.len(), 4);
    let mut table = site.table(&["state", "list", "1cf126"]);
    assert_eq!(table.pop().unwrap(), ["HEAD", "BLOCK:", &format!("\"{head}\"")]);
    assert_eq!(table.iter().map(|row| row[..2].to_vec()).collect::<Vec<_>>(), expected);
    let csv = site.ok(&["state", "list", "1cf126", "-F", "csv"]);
    assert!(
        csv.starts_with("ADDRESS,SIZE,DATA\n")
            && csv.ends_with(&format!("(data for head block: \"{head}\")\n"))
    );
    let listed = site.json(&["state", "list", "1cf126"]);
    assert_eq!((&listed["head"], listed["data"].as_array().unwrap().len()), (&json!(head), 3));
    assert_eq!(listed["data"][0]["data"], items(&state)[0]["data"]);

    let address = &expected[1][0];
    let shown = site.ok(&["state", "show", address]);
    assert!(shown.starts_with("DATA: \"b'") && shown.ends_with(&format!("\nHEAD: \"{head}\"\n")), "{shown}");
    assert_eq!(site.json(&["state", "show", address])["data"], items(&state)[0]["data"]);
    let block_0 = site.csv(&["block", "list", "--reverse"])[1][1].clone();
    let refusal = site.dgt(&["state", "show", address, "--head", &block_0]).failed(1);
    assert!(refusal.contains("no data"), "{refusal}");
    assert_eq!(site.csv(&["state", "list", "1cf126", "--head", &block_0]).len(), 2);
    assert!(site.dgt(&["state", "list", "xyz"]).failed(1).contains("Address"));
}

#[test]
fn a_window_of_a_list_says_how_to_go_on() {
    let site = Site::with_blocks(3);
    let all = site.csv(&["transaction", "list"]);
    let mut seen = vec![all[0].clone()];
    let mut start = Vec::new();
    loop {
        let mut command = vec!["transaction", "list", "-F", "csv", "-l", "4"];
        command.extend(start.iter().map(String::as_str));
        let ran = site.dgt(&command);
        let page: Vec<Vec<String>> =
            ran.stdout.lines().skip(1).map(|line| line.split(',').map(str::to_owned).collect()).collect();
        assert!(page.len() <= 4 && !page.is_empty(), "{ran:?}");
        seen.extend(page);
        let Some(next) = ran.stderr.trim().strip_prefix("there is more: --start ") else { break };
        start = vec!["--start".to_owned(), next.to_owned()];
    }
    assert_eq!(seen, all);
    let mut reversed = site.csv(&["block", "list", "-r"]);
    reversed[1..].reverse();
    assert_eq!(reversed, site.csv(&["block", "list"]));
    assert_eq!(site.csv(&["block", "list", "--count", "2"]).len(), 3);
    assert_eq!(site.csv(&["block", "list", "-s", "0x0000000000000001"]).len(), 3);
    assert_eq!(site.ok(&["block", "list", "-l", "0", "-F", "json"]), "[]\n");
    assert!(site.dgt(&["block", "list", "-s", "nonsense"]).failed(1).contains("Paging"));
}

#[test]
fn a_list_longer_than_a_page_is_whole() {
    let site = Site::new();
    let key = tests::load::key(ledger_types::signature::Curve::Ed25519, "long");
    let transactions: Vec<_> = (0..250).map(|n| tests::load::set(&format!("long-{n}"), n)).collect();
    site.client().commit(&txfamilies::sign_batch(&key, &transactions));
    let listed = site.csv(&["state", "list", "1cf126"]);
    // The heading, and the line with the head.
    assert_eq!(listed.len(), 252);
    let mut addresses: Vec<_> = listed[1..251].iter().map(|row| row[0].clone()).collect();
    let in_order = addresses.clone();
    addresses.sort();
    addresses.dedup();
    assert_eq!(addresses, in_order);
    assert_eq!(site.csv(&["state", "list", "1cf126", "-l", "150"]).len(), 152);
    assert_eq!(site.json(&["state", "list", "1cf126"])["data"].as_array().unwrap().len(), 250);
}

#[test]
fn settings_peers_topology_and_status_are_shown() {
    let site = Site::new();
    let settings = site.ok(&["settings", "list"]);
    let shown: Vec<&str> = settings.lines().map(|line| line.split_once(": ").unwrap().0).collect();
    assert!(shown.is_sorted() && shown.contains(&"sawtooth.settings.vote.authorized_keys"), "{settings}");
    let filtered = site.json(&["settings", "list", "--filter", "dgt.consensus.delta0"]);
    let head = site.client().head().id;
    assert_eq!(filtered, json!({"head": head, "settings": {"dgt.consensus.delta0_ms": "50"}}));
    assert_eq!(
        site.csv(&["settings", "list", "--filter", "dgt.consensus.delta0"])[1],
        ["dgt.consensus.delta0_ms", "50"]
    );
    assert_eq!(site.ok(&["settings", "list", "--filter", "no.such"]), "");

    assert_eq!(site.json(&["peer", "list"]), json!([]));
    assert_eq!(site.ok(&["peer", "list", "-F", "csv"]), "\n");
    assert_eq!(site.ok(&["peer", "list"]), "VALIDATOR  ENDPOINT  STATE  WHY\n");

    let status = site.json(&["status"]);
    assert_eq!((text(&status, "/node/head"), text(&status, "/node/name")), (head.as_str(), "c1-1"));
    assert!(site.ok(&["status", "-F", "yaml"]).contains("\n  name: c1-1\n"));
    assert!(site.ok(&["status"]).starts_with("node       c1-1 at tcp://"));

    let table = site.table(&["topology", "show"]);
    assert_eq!(table[0], ["CLUSTER", "VALIDATOR", "MNEMONIC", "ROLE", "STATE", "DELEGATE", "VOTE_KEY"]);
    assert_eq!(table[1][..2], ["c1", "c1-1"]);
    let key = std::fs::read_to_string(site.home.path().join("keys/vote.pub")).unwrap();
    assert_eq!(table[1][6], key.trim());
    assert_eq!(site.json(&["topology", "show"]), site.client().get("/topology")["data"]);
}

#[test]
fn wallets_are_listed_in_every_format() {
    let site = Site::new();
    site.ok(&["bgt", "set", "alice", "100"]);
    let owner = std::fs::read_to_string(site.home.scratch(".dgt/keys/default.pub")).unwrap();
    let wallet = json!({"name": "alice", "owner": owner.trim(), "value": 100});
    assert_eq!(site.json(&["bgt", "list"]), json!([wallet]));
    assert_eq!(site.json(&["bgt", "show", "alice"]), wallet);
    assert_eq!(site.ok(&["bgt", "list", "-F", "csv"]), format!("NAME,VALUE,OWNER\nalice,100,{owner}"));
    assert!(site.ok(&["bgt", "show", "alice", "-F", "yaml"]).starts_with("name: alice\n"));
}
