//! Inputs that the bodies accept: a few values of each kind, with real keys and signatures.

mod validators;

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use consensus::Committee;
use data_encoding::{BASE64, HEXLOWER};
use genesis::NetworkFile;
use ledger::state::{TreeUpdate, presence, tree};
use ledger::store::{Durability, File, FileOptions};
use ledger_types::block::{BlockHeader, RejectionReason};
use ledger_types::codec::Writer;
use ledger_types::hash::{sha256, sha512};
use ledger_types::proto::client as proto;
use ledger_types::proto::families as family;
use ledger_types::receipt::{Event, Receipt, StateChange};
use ledger_types::signature::Curve;
use ledger_types::topology::{Cluster, NetKey, Validator};
use ledger_types::{
    Address, Batch, BatchId, Block, BlockId, ConfigHash, Entry, Hash, NetworkId, PrivateKey, PublicKey,
    Rejection, Topology, Transaction, TransactionId, VoteKey, setting,
};
use prost::Message as _;
use txfamilies::{MemoryContext, UnsignedTransaction, bgt, intkey, registry, settings, sign_batch};

use crate::load::{inc, key, set};

pub(super) use validators::{certificate, consensus_message, consensus_record, statement};

const EPOCH: u64 = 0;
const VIEW: u64 = 5;

fn vote_key(node: u16) -> PrivateKey {
    key(Curve::Ed25519, &format!("validator {node}"))
}

/// A committee of one cluster of four.
pub(super) fn committee() -> &'static Committee {
    static COMMITTEE: OnceLock<Committee> = OnceLock::new();
    COMMITTEE.get_or_init(|| {
        let validator = |node: u16| Validator {
            name: format!("c1-{node}"),
            vote_key: VoteKey(raw(&vote_key(node).public_key())),
            net_key: NetKey(sha256(&[&node.to_be_bytes()]).0),
            delegate: true,
        };
        let cluster = Cluster { name: "c1".to_owned(), validators: (0..4).map(validator).collect() };
        let topology = Topology::new(vec![cluster]).expect("four validators are a topology");
        Committee::new(NetworkId([3; 32]), EPOCH, topology, &BlockId::ZERO)
    })
}

fn raw(key: &PublicKey) -> [u8; 32] {
    match key {
        PublicKey::Ed25519(bytes) => *bytes,
        PublicKey::Secp256k1(_) => unreachable!("vote keys are ed25519"),
    }
}

fn written(write: impl FnOnce(&mut Writer)) -> Vec<u8> {
    let mut writer = Writer::new();
    write(&mut writer);
    writer.finish()
}

fn batches() -> Vec<proto::Batch> {
    let (alice, bob) = (key(Curve::Ed25519, "alice"), key(Curve::Secp256k1, "bob"));
    let chained = inc("a", 2).after("ab".repeat(64)).with_nonce("nonce");
    vec![
        sign_batch(&alice, &[set("a", 1)]),
        sign_batch(&bob, &[set("b", 1), chained, inc("b", u32::MAX)]),
        sign_batch(&alice, &[]),
    ]
}

fn sound_batches() -> Vec<Batch> {
    batches().into_iter().map(|batch| Batch::from_proto(batch).expect("ours")).collect()
}

/// Stored batches.
pub(super) fn batch_frame() -> Vec<Vec<u8>> {
    let batches = sound_batches();
    [&batches[..], &batches[..1], &[]].map(|some| ledger_types::batch_list::encode(some).to_vec()).into()
}

pub(super) fn batch() -> Vec<Vec<u8>> {
    sound_batches().iter().map(|batch| written(|writer| batch.encode(writer))).collect()
}

/// Lists of one batch, and of all.
pub(super) fn batch_list() -> Vec<Vec<u8>> {
    let list = |batches| proto::BatchList { batches, ..proto::BatchList::default() }.encode_to_vec();
    batches().into_iter().map(|batch| vec![batch]).chain([batches()]).map(list).collect()
}

/// Headers by both curves.
pub(super) fn transaction_header() -> Vec<Vec<u8>> {
    let header = |curve, dependencies| proto::TransactionHeader {
        batcher_public_key: key(curve, "alice").public_key().to_string(),
        dependencies,
        family_name: "intkey".to_owned(),
        family_version: "1.0".to_owned(),
        inputs: vec![intkey::NAMESPACE.to_owned()],
        nonce: "1".to_owned(),
        outputs: vec![intkey::address("a").to_string()],
        payload_sha512: HEXLOWER.encode(&sha512(&[])),
        signer_public_key: key(curve, "bob").public_key().to_string(),
    };
    vec![
        header(Curve::Ed25519, vec![]).encode_to_vec(),
        header(Curve::Secp256k1, vec!["cd".repeat(64)]).encode_to_vec(),
    ]
}

fn rejections() -> Vec<Rejection> {
    let rejected = |reason, message: &str| Rejection {
        batch: BatchId([1; 64]),
        transaction: TransactionId([2; 64]),
        reason,
        message: message.to_owned(),
    };
    vec![
        rejected(RejectionReason::Family, "Verb is \"dec\" but name \"a\" not in state"),
        rejected(RejectionReason::FamilyNotPermitted, ""),
    ]
}

/// Rejections.
pub(super) fn rejection() -> Vec<Vec<u8>> {
    rejections().iter().map(|rejection| written(|writer| rejection.encode(writer))).collect()
}

fn entries() -> Vec<Entry> {
    let batches = sound_batches().into_iter().map(|batch| Entry::Batch(Arc::new(batch)));
    batches.chain(rejections().into_iter().map(Entry::Rejection)).collect()
}

/// Entries of both kinds.
pub(super) fn entry() -> Vec<Vec<u8>> {
    entries().iter().map(Entry::encode).collect()
}

fn header(entry_count: usize, next_cfg_hash: Option<ConfigHash>) -> BlockHeader {
    let committee = committee();
    BlockHeader {
        network_id: committee.network_id(),
        epoch: EPOCH,
        view: VIEW,
        height: 4,
        parent: BlockId([4; 64]),
        proposer: committee.leader(VIEW),
        time_ms: 1_700_000_000_000,
        entry_count: entry_count.try_into().expect("a few entries"),
        receipt_count: 2,
        entries_root: Hash([5; 32]),
        state_root: Hash([6; 32]),
        receipts_root: Hash([7; 32]),
        cfg_hash: committee.cfg_hash(),
        next_cfg_hash,
    }
}

/// Headers with and without a next committee.
pub(super) fn block_header() -> Vec<Vec<u8>> {
    vec![header(0, None).encode(), header(3, Some(ConfigHash([8; 32]))).encode()]
}

/// Blocks with and without entries.
pub(super) fn block() -> Vec<Vec<u8>> {
    let block = |entries: Vec<Entry>| Block { header: header(entries.len(), None), entries }.encode();
    vec![block(vec![]), block(entries())]
}

/// Receipts, empty and full.
pub(super) fn receipt() -> Vec<Vec<u8>> {
    let change = |value| StateChange { address: Address([9; 35]), value };
    let attribute = ("updated".to_owned(), "a".to_owned());
    let event = Event {
        event_type: "settings/update".to_owned(),
        attributes: vec![attribute.clone(), attribute],
        data: Bytes::from_static(b"data"),
    };
    let empty =
        Receipt { transaction: TransactionId([2; 64]), state_changes: vec![], events: vec![], data: vec![] };
    let full = Receipt {
        state_changes: vec![change(Some(Bytes::from_static(b"value"))), change(None)],
        events: vec![event.clone(), event],
        data: vec![Bytes::new(), Bytes::from_static(b"more")],
        ..empty.clone()
    };
    vec![empty.encode(), full.encode()]
}

/// Payloads with each verb, and one with a key more in another order.
pub(super) fn intkey_payload() -> Vec<Vec<u8>> {
    let payload = |verb, name: &str, value| intkey::Payload { verb, name: name.to_owned(), value }.encode();
    vec![
        payload(intkey::Verb::Set, "new", 1),
        payload(intkey::Verb::Inc, "a", u32::MAX),
        payload(intkey::Verb::Dec, "a", 7),
        b"\xa4\x64Verb\x63inc\x64More\x81\xa1\x61x\xf6\x65Value\x18\x01\x64Name\x61a".to_vec(),
    ]
}

/// Payloads with each verb.
pub(super) fn bgt_payload() -> Vec<Vec<u8>> {
    let payload = |verb, name: &str, value| bgt::Payload { verb, name: name.to_owned(), value }.encode();
    vec![
        payload(bgt::Verb::Set, "new", 1),
        payload(bgt::Verb::Inc, "a", 1),
        payload(bgt::Verb::Dec, "a", 7),
        payload(bgt::Verb::Trans { to: "b".to_owned() }, "a", 7),
    ]
}

/// What two opened wallets leave in state.
pub(super) fn bgt_wallets() -> Vec<Vec<u8>> {
    let open =
        |name: &str| bgt::Payload { verb: bgt::Verb::Set, name: name.to_owned(), value: 7 }.transaction();
    let batch = sign_batch(&key(Curve::Ed25519, "alice"), &[open("a"), open("b")]);
    let mut state = MemoryContext::new(0);
    for transaction in batch.transactions {
        let transaction = Transaction::from_proto(transaction).expect("ours");
        state.apply(&registry(), &transaction).expect("a new wallet");
    }
    state.state().values().map(|value| value.to_vec()).collect()
}

/// Payloads with each action.
pub(super) fn xo_payload() -> Vec<Vec<u8>> {
    ["new,create,", "a,take,5", "a,take, 9 ", "a,delete,"].map(|text| text.as_bytes().to_vec()).into()
}

/// A proposal and both votes.
pub(super) fn settings_payload() -> Vec<Vec<u8>> {
    let id = settings::proposal_id("a.b", "value", "");
    let payload = |transaction: UnsignedTransaction| transaction.payload.to_vec();
    vec![
        payload(settings::propose("a.b", "value", "nonce")),
        payload(settings::propose(setting::APPROVAL_THRESHOLD, "1", "")),
        payload(settings::vote("a.b", &id, true)),
        payload(settings::vote("a.b", &id, false)),
    ]
}

/// Open proposals: none, and one.
pub(super) fn settings_proposals() -> Vec<Vec<u8>> {
    let vote = family::setting_candidate::VoteRecord { public_key: "02".repeat(33), vote: 1 };
    let proposal =
        family::SettingProposal { setting: "a.b".to_owned(), value: "1".to_owned(), nonce: String::new() };
    let candidate = family::SettingCandidate {
        proposal_id: "ab".repeat(32),
        proposal: Some(proposal),
        votes: vec![vote],
    };
    let encode = |candidates| BASE64.encode(&family::SettingCandidates { candidates }.encode_to_vec());
    [vec![], vec![candidate]].map(|candidates| encode(candidates).into_bytes()).into()
}

/// Settings of each kind that is checked.
pub(super) fn setting_value() -> Vec<Vec<u8>> {
    let keys = ["alice", "bob"].map(|name| key(Curve::Ed25519, name).public_key().to_string()).join(",");
    let families = r#"[{"family":"sawtooth_settings","version":"1.0","namespaces":["000000"]}]"#;
    let settings = [
        (setting::AUTHORIZED_KEYS, keys.as_str()),
        (setting::APPROVAL_THRESHOLD, "2"),
        (setting::TRANSACTION_FAMILIES, families),
        (setting::BLOCK_MAX_BYTES, "1048576"),
        (setting::DELTA0_MS, "50"),
        (setting::KEEP_VERSIONS, "100"),
        ("a.b.c.d.e", "anything"),
    ];
    settings.map(|(key, value)| format!("{key}={value}").into_bytes()).into()
}

/// A tree of so many values, of version 0.
fn update(values: u8) -> TreeUpdate {
    let change = |number: u8| (Address([number; 35]), Some(Bytes::from(vec![number])));
    let changes: BTreeMap<_, _> = (0..values).map(change).collect();
    tree::update(&BTreeMap::new(), 0, &changes).expect("a new tree")
}

/// Root nodes: empty, a leaf, a branch.
pub(super) fn state_node() -> Vec<Vec<u8>> {
    let root = |values| update(values).nodes().next().map(|(_, node)| node.to_vec());
    [0, 1, 40].map(|values| root(values).expect("every version has a root")).into()
}

/// Keys of the root and of deeper nodes.
pub(super) fn state_node_key() -> Vec<Vec<u8>> {
    let deep = [&[0, 0, 0, 0, 0, 0, 1, 2, 3][..], &[0xab, 0xc0]].concat();
    update(40).records().map(|(key, _)| key).take(8).chain([deep]).collect()
}

/// Proofs of presence, of vacancy, and of another leaf.
pub(super) fn state_proof() -> Vec<Vec<u8>> {
    let prove = |values, address: u8| {
        let nodes: BTreeMap<Vec<u8>, Bytes> = update(values).records().collect();
        tree::prove(&nodes, 0, &Address([address; 35])).expect("a whole tree").encode()
    };
    vec![prove(0, 0), prove(1, 0), prove(1, 1), prove(40, 7), prove(40, 200), prove(40, 201)]
}

/// An address that has a value, and one that has none.
pub(super) fn presence_record() -> Vec<Vec<u8>> {
    let record =
        |is_present| [&presence::key(&Address([9; 35]), 3)[..], &presence::encode(is_present)].concat();
    [true, false].map(record).into()
}

/// An id of each length, a key of each curve, a prefix.
pub(super) fn ids() -> Vec<Vec<u8>> {
    let keys = [Curve::Ed25519, Curve::Secp256k1].map(|curve| key(curve, "alice").public_key().to_string());
    let texts = [BatchId([0xab; 64]).to_string(), Address([0x1c; 35]).to_string(), "1cf126".to_owned()];
    texts.into_iter().chain(keys).map(String::into_bytes).collect()
}

/// The example networks, and one with every setting.
pub(super) fn network_file() -> Vec<Vec<u8>> {
    let small = include_str!("../../../genesis/networks/example-1x1.toml");
    let large = include_str!("../../../genesis/networks/example-2x4.toml");
    let mut settings = genesis::NetworkSettings::new(vec![key(Curve::Secp256k1, "admin").public_key()]);
    settings.retain_heights = Some(100);
    settings.keep_versions = Some(200);
    settings.max_batches_per_block = Some(300);
    settings.other.insert("a.b".to_owned(), "\"quoted\"\n\u{e9}".to_owned());
    let clusters = committee().topology().clusters().to_vec();
    let full = NetworkFile::new("full", 1, settings, clusters).expect("a sound network").to_toml();
    [small, large, &full].map(|text| text.as_bytes().to_vec()).into()
}

/// LMDB files: empty, of a few records, and with branches, large values and free pages.
pub(super) fn pages() -> Vec<Vec<u8>> {
    let folder = tempfile::tempdir().expect("a folder");
    let made = |commits: u32| {
        let path = folder.path().join(format!("{commits}.lmdb"));
        let options =
            FileOptions { durability: Durability::UntilSync, map_bytes: 1 << 20, must_exist: false };
        let file = File::open(&path, options).expect("a new file");
        for commit in 0..commits {
            let mut writer = file.write().expect("a write");
            for record in 0..20 * commit {
                let large = record == 7 && commit == 4;
                let value = vec![commit as u8; if large { 9_000 } else { 100 }];
                writer.put(&record.to_be_bytes(), &value).expect("room");
            }
            writer.commit().expect("a commit");
        }
        drop(file);
        std::fs::read(&path).expect("the file")
    };
    [0, 2, 5].map(made).into()
}
