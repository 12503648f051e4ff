//! `dgt rollback`: an agreed return to a block, of whole networks of real nodes; moved networks; and what is said when too
//! many nodes were restored.
//!
//! `DGT_ROLLBACK_KILLS` says how often the command is killed (default 6), `DGT_SEED` repeats the moments.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]
#![allow(clippy::print_stderr, reason = "what a long run did must be seen")]

use std::ffi::OsString;
use std::process::Stdio;
use std::time::{Duration, Instant};

use ledger_types::proto::client as proto;
use ledger_types::signature::Curve;
use ledger_types::{Lineage, Rollback};
use serde_json::Value;
use tests::binary::Ran;
use tests::client::{Client, HeadBlock};
use tests::load::{key, set};
use tests::node::{Home, Start, copy_files};
use tests::random::Random;
use tests::testnet::Testnet;
use txfamilies::sign_batch;

fn batch(name: &str) -> proto::Batch {
    sign_batch(&key(Curve::Ed25519, "alice"), &[set(name, 1)])
}

/// The id of a client's block of a height.
fn block_at(client: &Client, height: u64) -> String {
    let blocks = client.get("/blocks?limit=1000");
    let blocks = blocks["data"].as_array().unwrap();
    let number = height.to_string();
    let is_at = |block: &&Value| block["header"]["block_num"] == number.as_str();
    let block = blocks.iter().find(is_at).unwrap_or_else(|| panic!("no block {height}"));
    block["header_signature"].as_str().unwrap().to_owned()
}

fn arguments(home: &Home, height: u64, block: &str) -> Vec<OsString> {
    let height = height.to_string();
    let words = ["rollback", "--to-height", &height, "--to-block", block, "--home"].map(OsString::from);
    words.into_iter().chain([home.path().into()]).collect()
}

fn roll_back(home: &Home, height: u64, block: &str) -> Ran {
    home.dgt(arguments(home, height, block))
}

/// The value behind a label in what a command printed: two spaces or more lie between.
fn shown(text: &str, label: &str) -> String {
    let mut found = text.lines().filter_map(|line| line.strip_prefix(label)?.strip_prefix("  "));
    found.next().unwrap_or_else(|| panic!("no {label} in {text}")).trim().to_owned()
}

/// Rolls back stopped nodes, which must all come to the same network; its id.
fn roll_all_back(network: &Testnet, nodes: impl IntoIterator<Item = usize>, to: (u64, &str)) -> String {
    let roll = |index| shown(&roll_back(network.home(index), to.0, to.1).ok(), "network");
    let networks: Vec<String> = nodes.into_iter().map(roll).collect();
    assert!(networks.windows(2).all(|pair| pair[0] == pair[1]), "{networks:?}");
    networks[0].clone()
}

fn empty(home: &Home) {
    std::fs::remove_dir_all(home.data()).unwrap();
    std::fs::create_dir(home.data()).unwrap();
}

/// Stops a network and looks at what lies on its disks.
fn check_stopped(network: &mut Testnet) {
    network.wait_same_head();
    network.stop_all();
    network.check_same_files();
    network.check_votes();
    (0..network.len()).for_each(|index| network.check_chain(index));
}

#[test]
fn all_that_go_back_go_on_and_who_does_not_stays_outside() {
    let mut network = Testnet::start(1, 4);
    for number in 0..6 {
        network.commit(number % 4, &batch(&format!("early {number}")));
    }
    let (head, first) = (network.wait_same_head(), network.status(0)["network_id"].clone());
    let (low, high) = (2, head.height - 2);
    let [low_block, high_block] = [low, high].map(|height| block_at(network.client(0), height));
    let refused = roll_back(network.home(0), high, &high_block).failed(1);
    assert!(refused.contains("is held by process") && refused.contains("node.lock"), "{refused}");
    network.stop_all();

    // What is refused or only tried changes nothing.
    let before = network.home(0).digests();
    let refused = roll_back(network.home(0), head.height + 1, &high_block).failed(1);
    assert!(refused.contains(&format!("newest block is {}", head.height)), "{refused}");
    let refused = roll_back(network.home(0), high, &low_block).failed(1);
    assert!(refused.contains(&high_block) && refused.contains(&low_block), "{refused}");
    let mut tried = arguments(network.home(0), high, &high_block);
    tried.push("--dry-run".into());
    let tried = network.home(0).dgt(tried).ok();
    assert!(tried.contains("would go back") && shown(&tried, "undone").starts_with("2 blocks"), "{tried}");
    assert_eq!((network.home(0).digests(), network.lineage(0).rollbacks().len()), (before, 0));

    // Three go back and are enough. The fourth did not, and nobody can talk to it.
    let second = roll_all_back(&network, 0..3, (high, &high_block));
    assert_eq!(second, shown(&tried, "network"));
    assert_ne!(first, *second);
    network.start_all();
    (0..3).for_each(|index| network.wait_node_ready(index));
    assert_eq!(network.status(0)["network_id"], *second);
    let after = batch("after the first");
    network.client(0).commit(&after);
    assert!(network.client(0).head().height > high);
    let is_up = |seen_by: usize, other: usize| {
        let links = network.status(seen_by)["links"].as_array().unwrap().clone();
        let of_other = |link: &&Value| link["validator"] == network.name(other);
        links.iter().find(of_other).unwrap_or_else(|| panic!("no link in {links:?}"))["is_up"].clone()
    };
    assert_eq!((is_up(0, 1), is_up(0, 3), is_up(3, 0)), (true.into(), false.into(), false.into()));
    let told = |seen_by: usize, other: usize| {
        network.wait("why there is no link is told", || {
            let links = network.status(seen_by)["links"].clone();
            let of_other = |link: &&Value| link["validator"] == network.name(other);
            let why = links.as_array().unwrap().iter().find(of_other).unwrap()["trouble"].to_string();
            if why.contains("dgt rollback") { Ok(()) } else { Err(why) }
        });
    };
    told(0, 3);
    told(3, 0);
    let outside = network.client(3).try_get("/readyz").unwrap();
    assert!(outside.status == 503 && outside.text.contains("1 of 4"), "{outside:?}");
    assert_eq!(network.client(3).head(), head, "it keeps what it had");

    // It goes back, too, and one that lost everything comes along through the rollback.
    network.stop(3);
    assert_eq!(roll_all_back(&network, [3], (high, &high_block)), second);
    network.start_node(3);
    network.wait_committed(&[after.header_signature]);
    network.stop(1);
    empty(network.home(1));
    network.start_node(1);
    network.commit_until_all_vote("after the first");
    check_stopped(&mut network);

    // Once more, to below the first; done again it changes nothing.
    let third = roll_all_back(&network, 0..4, (low, &low_block));
    assert_eq!(roll_all_back(&network, 0..4, (low, &low_block)), third);
    let rollbacks = [(high, high_block), (low, low_block)];
    let rollbacks = rollbacks.map(|(height, block)| Rollback { height, block: block.parse().unwrap() });
    let lineage = Lineage::new(first.as_str().unwrap().parse().unwrap(), rollbacks);
    assert_eq!((network.lineage(2), lineage.current().to_string()), (lineage, third));
    (0..4).for_each(|index| network.check_chain(index));
    empty(network.home(2));
    network.start_all();
    network.wait_ready();
    network.commit_until_all_vote("after the second");
    check_stopped(&mut network);
}

#[test]
fn an_emptied_node_whose_vote_is_needed_fetches_what_was_agreed_on() {
    // Nothing is decided yet under the new id, and nothing can be without the two that lost everything.
    let mut network = Testnet::start(1, 4);
    for number in 0..3 {
        network.commit(number, &batch(&format!("early {number}")));
    }
    let head = network.wait_same_head();
    let block = block_at(network.client(0), head.height - 1);
    network.stop_all();
    roll_all_back(&network, 0..4, (head.height - 1, &block));
    empty(network.home(3));
    std::fs::remove_file(network.home(3).path().join("keys/vote-generation")).unwrap();
    [0, 1, 3].into_iter().for_each(|index| network.start_node(index));
    network.wait_height(3, head.height - 1);
    network.commit(0, &batch("needs it"));
    network.start_node(2);
    network.commit_until_all_vote("all");
    check_stopped(&mut network);
}

fn kills() -> u64 {
    std::env::var("DGT_ROLLBACK_KILLS")
        .map_or(6, |text| text.parse().expect("DGT_ROLLBACK_KILLS is a number"))
}

#[test]
fn killed_at_any_moment_it_is_not_begun_or_can_be_finished() {
    let mut random = Random::from_env();
    let home = Home::new();
    let node = home.start();
    for number in 0..30 {
        let transactions: Vec<_> = (0..20).map(|index| set(&format!("{number}-{index}"), 1)).collect();
        node.client().commit(&sign_batch(&key(Curve::Ed25519, "alice"), &transactions));
    }
    let (head, block) = (node.client().head(), block_at(node.client(), 3));
    node.stop();
    let (kept, network) = (home.scratch("kept"), home.path().join("etc/network.toml"));
    let lives = home.path().join("keys/vote-generation");
    copy_files(&home.data(), &kept);
    let [text, last_life] = [&network, &lives].map(|file| std::fs::read_to_string(file).unwrap());
    let began = Instant::now();
    roll_back(&home, 3, &block).ok();
    let (length, done) = (began.elapsed(), home.digests());
    let mut stages = [0; 3];
    for _ in 0..kills() {
        copy_files(&kept, &home.data());
        std::fs::write(&network, &text).unwrap();
        std::fs::write(&lives, &last_life).unwrap();
        let mut command = home.command();
        command.args(arguments(&home, 3, &block)).stdout(Stdio::null()).stderr(Stdio::null());
        let mut process = command.spawn().unwrap();
        // The moment is what is random here; nothing is waited for.
        let micros = u64::try_from(length.as_micros()).unwrap();
        std::thread::sleep(Duration::from_micros(random.below(0..micros)));
        process.kill().unwrap();
        process.wait().unwrap();
        match Start::new(&home).spawn().serving() {
            Err(refused) => {
                let words = refused.failed(1);
                assert!(words.contains(&format!("dgt rollback --to-height 3 --to-block {block}")), "{words}");
                stages[1] += 1;
            }
            Ok(node) => {
                let found: HeadBlock = node.client().head();
                assert!(found == head || (found.height, &found.id) == (3, &block), "{found:?}");
                stages[if found == head { 0 } else { 2 }] += 1;
                node.stop();
            }
        }
        roll_back(&home, 3, &block).ok();
        assert_eq!(home.digests()[..3], done[..3]);
        home.dgt([OsString::from("verify"), home.data().into()]).ok();
    }
    eprintln!("not begun, half, done: {stages:?}");
    let node = home.start();
    node.client().commit(&batch("afterwards"));
    node.stop();

    // From an older copy once more: the file beside the keys knows that this node has voted under the new id.
    copy_files(&kept, &home.data());
    assert!(home.refusal().contains("was not done or not finished here"));
    roll_back(&home, 3, &block).ok();
    let node = home.start();
    assert_eq!(node.client().get("/status")["data"]["node"]["duty"], "forgot");
    let answer = node.client().try_get("/readyz").unwrap();
    assert!(answer.status == 503 && answer.text.contains("dgt rollback"), "{answer:?}");
    node.stop();
}

#[test]
fn too_many_restored_nodes_say_what_helps_and_it_does() {
    let mut network = Testnet::start(1, 4);
    network.commit(0, &batch("before the copy"));
    let old = network.wait_same_head();
    network.stop_all();
    let copy = |index: usize| network.home(index).scratch(&format!("older {index}"));
    (0..3).for_each(|index| copy_files(&network.home(index).data(), &copy(index)));
    let copies: Vec<_> = (0..3).map(copy).collect();
    network.start_all();
    network.wait_ready();
    for number in 0..3 {
        network.commit(number, &batch(&format!("lost {number}")));
    }
    network.stop_all();
    for (index, copied) in copies.iter().enumerate() {
        copy_files(copied, &network.home(index).data());
    }
    network.start_all();
    for index in 0..4 {
        let client = network.client(index);
        network.wait(&format!("{} says what helps", network.name(index)), || {
            let answer = client.try_get("/readyz").unwrap();
            let is_told = answer.status == 503 && answer.text.contains("dgt rollback");
            if is_told { Ok(()) } else { Err(format!("{}: {}", answer.status, answer.text)) }
        });
        let fault = network.status(index)["fault"].to_string();
        assert!(fault.contains("dgt rollback"), "/status: {fault}");
        let refused = client.try_submit(&[batch("refused")]).unwrap();
        assert!(refused.status == 503 && refused.text.contains("dgt rollback"), "{refused:?}");
    }
    assert!(network.stop(0).contains("dgt rollback"), "the log, too");
    network.stop_all();

    roll_all_back(&network, 0..4, (old.height, &old.id));
    network.start_all();
    network.wait_ready();
    network.commit_until_all_vote("after");
    check_stopped(&mut network);
}

#[test]
fn a_network_moves_and_a_copy_under_another_id_is_another_network() {
    let mut network = Testnet::start(1, 4);
    network.commit(0, &batch("in the old place"));
    let head = network.wait_same_head();
    network.stop_all();

    // The same network in other folders, on other ports.
    let mut moved = network.moved("moved");
    moved.start_all();
    moved.wait_ready();
    assert_eq!(moved.wait_same_head(), head);
    moved.commit_until_all_vote("in the new place");
    check_stopped(&mut moved);

    // A copy with the same keys, for a trial, while the network goes on.
    let mut trial = moved.moved("trial");
    roll_all_back(&trial, 0..4, (head.height, &head.id));
    moved.start_all();
    trial.start_all();
    moved.wait_ready();
    trial.wait_ready();
    assert_ne!(moved.status(0)["network_id"], trial.status(0)["network_id"]);
    trial.commit_until_all_vote("tried");
    moved.commit_until_all_vote("meant");
    check_stopped(&mut trial);
    check_stopped(&mut moved);
}
