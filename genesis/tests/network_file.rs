//! Network files: what they say, what is refused, and what block 0 becomes.

use std::collections::BTreeSet;

use genesis::{ALGORITHM, NetworkFile, NetworkFileError, NetworkSettings};
use ledger_types::hash::sha256;
use ledger_types::signature::Curve;
use ledger_types::topology::{Cluster, NetKey, Validator};
use ledger_types::{PrivateKey, PublicKey, Topology, Transaction, VoteKey, setting};
use proptest::prelude::*;
use txfamilies::settings::{decode_candidates, propose};
use txfamilies::{MemoryContext, registry};

const EXAMPLE_1X1: &str = include_str!("../networks/example-1x1.toml");
const EXAMPLE_2X4: &str = include_str!("../networks/example-2x4.toml");

/// The keys of the examples: everybody can derive them, as the files say.
fn example_key(purpose: &str) -> PrivateKey {
    let secret = sha256(&[b"dgt example key: ", purpose.as_bytes()]);
    PrivateKey::from_bytes(Curve::Ed25519, secret.0).expect("any bytes make an ed25519 key")
}

/// The 32 bytes of the public key.
fn ed25519(key: &PrivateKey) -> VoteKey {
    key.public_key().to_string().parse().expect("an ed25519 key has 32 bytes")
}

fn clusters(shape: &[usize]) -> Vec<Cluster> {
    let validator = |cluster: usize, node: usize, size: usize| {
        let name = format!("c{cluster}-{node}");
        Validator {
            vote_key: ed25519(&example_key(&format!("{name} vote"))),
            net_key: NetKey(ed25519(&example_key(&format!("{name} net"))).0),
            delegate: node <= (size - 1) / 3 + 1,
            name,
        }
    };
    let cluster = |(index, size): (usize, &usize)| Cluster {
        name: format!("c{index}"),
        validators: (1..=*size).map(|node| validator(index, node, *size)).collect(),
    };
    (1..).zip(shape).map(cluster).collect()
}

fn settings(keys: usize, threshold: u32) -> NetworkSettings {
    let key = |number: usize| example_key(&format!("operator {number}")).public_key();
    NetworkSettings { approval_threshold: threshold, ..NetworkSettings::new((1..=keys).map(key).collect()) }
}

fn network(shape: &[usize], keys: usize, threshold: u32) -> NetworkFile {
    NetworkFile::new("test", 1_767_225_600_000, settings(keys, threshold), clusters(shape))
        .expect("a sound network")
}

/// State after the batches of block 0.
fn executed(file: &NetworkFile) -> MemoryContext {
    let mut context = MemoryContext::new(file.time_ms());
    for batch in file.batches().expect("a sound genesis") {
        for transaction in &batch.transactions {
            context.apply(&registry(), transaction).expect("each transaction is valid in order");
        }
    }
    context
}

fn value(context: &MemoryContext, key: &str) -> Option<String> {
    setting::value_of(key, context.state().get(&setting::address(key))?)
}

#[test]
fn the_examples_hold_keys_that_everybody_can_derive() {
    let one = NetworkFile::new("example-1x1", 1_767_225_600_000, settings(1, 1), clusters(&[1])).unwrap();
    let mut wide = settings(3, 2);
    (wide.delta0_ms, wide.delta_max_ms) = (250, 2_000);
    wide.other
        .insert("sawtooth.identity.allowed_keys".into(), example_key("operator 1").public_key().to_string());
    let two = NetworkFile::new("example-2x4", 1_767_225_600_000, wide, clusters(&[4, 4])).unwrap();
    for (text, expected) in [(EXAMPLE_1X1, one), (EXAMPLE_2X4, two)] {
        assert_eq!(NetworkFile::parse(text), Ok(expected.clone()), "it should be\n{}", expected.to_toml());
    }
}

#[test]
fn toml_goes_round() {
    for file in [network(&[1], 1, 1), network(&[4, 4], 3, 2), NetworkFile::parse(EXAMPLE_2X4).unwrap()] {
        let again = NetworkFile::parse(&file.to_toml()).unwrap();
        assert_eq!(again, file);
        assert_eq!(again.network_id(), file.network_id());
    }
}

#[test]
fn order_comments_and_spelled_out_defaults_do_not_change_the_id() {
    let file = NetworkFile::parse(EXAMPLE_1X1).unwrap();
    let (head, tables) = EXAMPLE_1X1.split_once("[settings]").unwrap();
    let (settings, clusters) = tables.split_once("[[clusters]]").unwrap();
    let reordered =
        format!("# Moved.\n{head}\n[[clusters]]{clusters}\n[settings]\ndelta0_ms = 50\n{settings}");
    assert_ne!(reordered, EXAMPLE_1X1);
    assert_eq!(NetworkFile::parse(&reordered).unwrap().network_id(), file.network_id());
}

#[test]
fn everything_that_matters_changes_the_id() {
    let base = NetworkFile::parse(EXAMPLE_2X4).unwrap();
    let mut ids = BTreeSet::from([base.network_id()]);
    let changes = [
        ("name = \"example-2x4\"", "name = \"example-2x5\""),
        ("time_ms = 1767225600000", "time_ms = 1767225600001"),
        ("approval_threshold = 2", "approval_threshold = 3"),
        ("delta0_ms = 250", "delta0_ms = 251"),
        ("[settings.other]", "[settings.other]\n\"a.b\" = \"c\""),
        ("[settings]", "[settings]\nkeep_versions = 1000"),
        ("name = \"c1-4\"", "name = \"c1-5\""),
        ("delegate = false", "delegate = true"),
    ];
    for (from, to) in changes {
        let changed = EXAMPLE_2X4.replacen(from, to, 1);
        assert_ne!(changed, EXAMPLE_2X4, "{from}");
        assert!(ids.insert(NetworkFile::parse(&changed).unwrap().network_id()), "{from}");
    }
}

#[test]
fn the_id_of_the_example_is_pinned() {
    let file = NetworkFile::parse(EXAMPLE_1X1).unwrap();
    assert_eq!(
        file.network_id().to_string(),
        "41228a89017d178e6c109676eea846f332314d4cb04bb70758a31103528292cc"
    );
}

#[test]
fn unknown_and_missing_keys_are_named() {
    for (from, to, named) in [
        ("name = ", "nam = ", "`nam`"),
        ("[settings]", "[settings]\ndelta_ms = 5", "`delta_ms`"),
        ("delegate = ", "delegated = ", "`delegated`"),
        ("time_ms = 1767225600000", "", "`time_ms`"),
        ("[[clusters]]", "[[clusters]]\nsegment = \"A\"", "`segment`"),
        ("vote_key = \"", "vote_key = \"0", "vote_key"),
        ("authorized_keys = [\"", "authorized_keys = [\"0", "authorized_keys"),
        ("time_ms = 1767225600000", "time_ms = 1.5", "time_ms"),
        ("time_ms = 1767225600000", "time_ms = -1", "time_ms"),
    ] {
        let changed = EXAMPLE_1X1.replacen(from, to, 1);
        assert_ne!(changed, EXAMPLE_1X1, "{from}");
        match NetworkFile::parse(&changed) {
            Err(NetworkFileError::Layout(message)) => assert!(message.contains(named), "{named}: {message}"),
            other => panic!("{named}: {other:?}"),
        }
    }
}

#[test]
fn nonsense_is_refused_by_name() {
    type Change = fn(&mut NetworkSettings, &mut Vec<Cluster>);
    let cases: [(&str, Change); 12] = [
        ("settings: authorized_keys must not be empty.", |s, _| s.authorized_keys.clear()),
        ("stands twice", |s, _| s.authorized_keys.push(s.authorized_keys[0])),
        ("settings.approval_threshold: 3 is not between 1 and the 2 authorized keys", |s, _| {
            s.approval_threshold = 3;
        }),
        ("settings.approval_threshold: 0 is not between", |s, _| s.approval_threshold = 0),
        ("dgt.consensus.block_max_bytes must be an integer from 65536 to 8388608", |s, _| {
            s.block_max_bytes = 1;
        }),
        ("dgt.state.keep_versions must be", |s, _| s.keep_versions = Some(0)),
        ("settings.delta0_ms: 1001 is more than delta_max_ms, 1000", |s, _| s.delta0_ms = 1_001),
        ("settings.other: dgt.topology cannot be set there", |s, _| {
            s.other.insert("dgt.topology".into(), "{}".into());
        }),
        ("sawtooth.validator.transaction_families must permit", |s, _| {
            s.other.insert("sawtooth.validator.transaction_families".into(), "[]".into());
        }),
        ("clusters: the topology has no validators", |_, c| c.clear()),
        ("cluster c1 has 1 delegates and needs 2", |_, c| c[0].validators[0].delegate = false),
        ("clusters: a key of c1-2 stands twice", |_, c| {
            c[0].validators[1].net_key = c[0].validators[0].net_key;
        }),
    ];
    for (expected, change) in cases {
        let (mut settings, mut clusters) = (settings(2, 1), clusters(&[4]));
        change(&mut settings, &mut clusters);
        let error = NetworkFile::new("test", 0, settings, clusters).unwrap_err().to_string();
        assert!(error.contains(expected), "{expected}: {error}");
    }
    for name in ["", ".", "..", "a/b", "a b", &"n".repeat(65)] {
        let error = NetworkFile::new(name, 0, settings(1, 1), clusters(&[1])).unwrap_err();
        assert_eq!(error, NetworkFileError::Name(name.to_owned()));
    }
    let microseconds = 1_767_225_600_000_000;
    let error = NetworkFile::new("test", microseconds, settings(1, 1), clusters(&[1])).unwrap_err();
    assert_eq!(error, NetworkFileError::Time(microseconds));
}

#[test]
fn block_0_sets_what_the_file_says_and_leaves_the_real_keys_in_charge() {
    for (keys, threshold) in [(1, 1), (3, 1), (3, 2), (3, 3), (100, 100)] {
        let file = network(&[4, 4], keys, threshold);
        let mut context = executed(&file);
        let expected = settings(keys, threshold);
        let listed: Vec<String> = expected.authorized_keys.iter().map(PublicKey::to_string).collect();
        assert_eq!(value(&context, setting::AUTHORIZED_KEYS), Some(listed.join(",")));
        assert_eq!(value(&context, setting::APPROVAL_THRESHOLD), Some(threshold.to_string()));
        assert_eq!(value(&context, setting::DELTA0_MS).as_deref(), Some("50"));
        assert_eq!(value(&context, setting::DELTA_MAX_MS).as_deref(), Some("1000"));
        assert_eq!(value(&context, setting::BLOCK_MAX_BYTES).as_deref(), Some("8388608"));
        assert_eq!(value(&context, setting::KEEP_VERSIONS), None);
        assert_eq!(value(&context, "sawtooth.consensus.algorithm.name").as_deref(), Some(ALGORITHM.0));
        assert_eq!(value(&context, "sawtooth.consensus.algorithm.version").as_deref(), Some(ALGORITHM.1));
        let topology: Topology = serde_json::from_str(&value(&context, setting::TOPOLOGY).unwrap()).unwrap();
        assert_eq!((&topology, topology.cfg_hash()), (file.topology(), file.cfg_hash()));
        let open = value(&context, setting::PROPOSALS).map(|open| decode_candidates(&open).unwrap());
        assert!(open.is_none_or(|open| open.candidates.is_empty()));

        for (signer, may) in [(example_key("operator 1"), true), (example_key("stranger"), false)] {
            let signed = propose("a.b", "c", "").sign(&signer, &signer.public_key());
            let result = context.apply(&registry(), &Transaction::from_proto(signed).unwrap());
            assert_eq!(result.is_ok(), may);
        }
    }
}

#[test]
fn the_keys_that_sign_block_0_have_no_say_after_it() {
    let file = network(&[1], 2, 2);
    let context = executed(&file);
    let real = value(&context, setting::AUTHORIZED_KEYS).unwrap();
    let batches = file.batches().unwrap();
    let signers: BTreeSet<String> =
        batches.iter().flat_map(|batch| &batch.transactions).map(|t| t.signer.to_string()).collect();
    assert_eq!(signers.len(), 2, "as many as the threshold");
    assert!(signers.iter().all(|signer| !real.contains(signer)));
}

#[test]
fn equal_files_make_equal_genesis_and_other_files_other_batches() {
    let (file, again) = (network(&[4, 4], 3, 2), network(&[4, 4], 3, 2));
    let ids =
        |file: &NetworkFile| file.batches().unwrap().iter().map(|batch| batch.to_proto()).collect::<Vec<_>>();
    assert_eq!(ids(&file), ids(&again));
    assert_ne!(ids(&file), ids(&network(&[4, 4], 3, 3)));
    let genesis = file.genesis().unwrap();
    assert_eq!(genesis.lineage, file.network_id().into());
    assert_eq!(genesis.cfg_hash, file.topology().cfg_hash());
    assert_eq!((genesis.time_ms, genesis.topology), (file.time_ms(), file.topology().clone()));
}

#[test]
fn a_lone_network_has_one_validator_and_an_id_of_its_own() {
    let lone = |vote: u8, net: u8| {
        let operator = example_key("operator 1").public_key();
        NetworkFile::lone(VoteKey([vote; 32]), NetKey([net; 32]), operator, 1_767_225_600_000)
    };
    let file = lone(1, 2).unwrap();
    assert_eq!(file.topology().shape(), [1]);
    assert_ne!(file.network_id(), lone(1, 3).unwrap().network_id());
    assert!(lone(1, 1).is_err(), "one key for two purposes");
    assert_eq!(NetworkFile::parse(&file.to_toml()), Ok(file.clone()));
    executed(&file);
}

#[test]
fn a_topology_too_large_for_a_state_value_is_refused() {
    let mut large = clusters(&[64; 64]);
    for (number, cluster) in large.iter_mut().enumerate() {
        for validator in &mut cluster.validators {
            validator.name = format!("{}-{number}", "\u{1}".repeat(40)) + &validator.name;
        }
    }
    let file = NetworkFile::new("large", 0, settings(1, 1), large).unwrap();
    assert!(matches!(file.genesis().unwrap_err(), NetworkFileError::Batch(_)));
}

proptest! {
    #[test]
    fn any_text_is_a_network_or_refused(text in ".{0,200}") {
        let _ = NetworkFile::parse(&text);
    }

    #[test]
    fn a_mutated_file_is_a_network_or_refused(
        place in any::<proptest::sample::Index>(),
        piece in "[a-z0-9=\"\\[\\]\n]{0,3}",
    ) {
        let places: Vec<usize> = EXAMPLE_2X4.char_indices().map(|(place, _)| place).collect();
        let mut text = EXAMPLE_2X4.to_owned();
        text.insert_str(*place.get(&places), &piece);
        if let Ok(file) = NetworkFile::parse(&text) {
            prop_assert!(file.genesis().is_ok());
            prop_assert_eq!(NetworkFile::parse(&file.to_toml()), Ok(file));
        }
    }
}
