//! The node under abuse, and the proof that it is none the worse for it.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use ledger_types::proto::client as proto;
use ledger_types::signature::Curve;
use serde_json::Value;
use tests::client::{Answer, Client, Outcome};
use tests::load::{key, set};
use tests::memory::{self, Memory};
use tests::node::{Home, Node, Start};
use txfamilies::sign_batch;

use crate::wire::Reply;

/// What the node may take with its default limits, which are meant for a machine with 1 GiB: half of that. It is held
/// against `VmHWM`, which the kernel keeps and which counts the program and the resident pages of the store as well: these
/// are few here, and samples of anonymous memory alone would miss peaks.
pub(crate) const MEMORY_CAP: u64 = 512 << 20;

/// A node with something to lose.
pub(crate) struct Victim {
    node: Node,
    _home: Home,
    /// The ids of batches that were answered COMMITTED.
    committed: Vec<String>,
    answers: Answers,
}

/// How many answers of each kind there were.
#[derive(Clone, Debug, Default)]
pub(crate) struct Answers(BTreeMap<String, usize>);

impl Answers {
    /// Counts an answer of this kind.
    pub(crate) fn count(&mut self, kind: String) {
        *self.0.entry(kind).or_default() += 1;
    }

    /// Counts what another one counted.
    pub(crate) fn extend(&mut self, other: &Self) {
        for (kind, count) in &other.0 {
            *self.0.entry(kind.clone()).or_default() += count;
        }
    }

    /// How many there were of a kind.
    pub(crate) fn of(&self, kind: &str) -> usize {
        self.0.get(kind).copied().unwrap_or(0)
    }
}

/// An answer's kind: the status, and the code of an error.
pub(crate) fn kind(status: u16, body: &str) -> String {
    let body: Option<Value> = serde_json::from_str(body).ok();
    match body.as_ref().and_then(|body| body.pointer("/error/code")?.as_u64()) {
        Some(code) => format!("{status}/{code}"),
        None => status.to_string(),
    }
}

impl Victim {
    /// A node with these settings (`KEY=VALUE`) and a few committed batches.
    pub(crate) fn start(settings: &[&str]) -> Self {
        let home = Home::new();
        let start = settings.iter().fold(Start::new(&home), |start, setting| start.arg("--set").arg(setting));
        let mut victim =
            Self { node: start.serve(), _home: home, committed: Vec::new(), answers: Answers::default() };
        (0..3).for_each(|_| victim.commit_one());
        victim
    }

    pub(crate) fn client(&self) -> &Client {
        self.node.client()
    }

    pub(crate) fn address(&self) -> SocketAddr {
        let url = self.client().url();
        url.strip_prefix("http://").and_then(|address| address.parse().ok()).expect("an address in the URL")
    }

    /// Posts batches as one list, and counts the answer.
    pub(crate) fn submit(&mut self, batches: &[proto::Batch]) -> Answer {
        let answer = self.client().try_submit(batches).unwrap();
        self.answers.count(kind(answer.status, &answer.text));
        answer
    }

    /// The decisions on batches that were accepted.
    pub(crate) fn outcomes(&self, batches: &[proto::Batch]) -> Vec<Outcome> {
        let ids: Vec<String> = batches.iter().map(|batch| batch.header_signature.clone()).collect();
        self.client().try_outcomes(&ids, 60).unwrap()
    }

    /// Remembers that a batch was answered COMMITTED.
    pub(crate) fn keep(&mut self, batch: &proto::Batch) {
        self.committed.push(batch.header_signature.clone());
    }

    /// Counts the replies to a raw request. The node may end a connection that is not worth an answer, but the fault is
    /// never its own.
    pub(crate) fn count(&mut self, replies: &[Reply]) {
        if replies.is_empty() {
            self.answers.count("closed".to_owned());
        }
        for reply in replies {
            assert!(reply.status < 500, "{reply:?}");
            self.answers.count(reply.kind());
        }
    }

    /// Counts answers of a storm.
    pub(crate) fn add(&mut self, answers: &Answers) {
        self.answers.extend(answers);
    }

    /// Checks that a storm left no harm, and shows the figures.
    pub(crate) fn survived(&mut self, storm: &str) {
        let head = self.client().head();
        self.commit_one();
        assert!(self.client().head().height > head.height, "{storm}");
        for ids in self.committed.chunks(1_000) {
            let outcomes = self.client().try_outcomes(ids, 0).unwrap();
            let lost = ids.iter().zip(&outcomes).find(|(_, outcome)| **outcome != Outcome::Committed);
            assert_eq!(lost, None, "{storm}: a committed batch is lost");
        }
        let memory = self.memory();
        let mib = |bytes: u64| bytes >> 20;
        let (peak, anonymous, mapped) = (mib(memory.peak), mib(memory.anonymous), mib(memory.mapped));
        eprintln!(
            "{storm}: peak memory {peak} MiB (now {anonymous} + {mapped} mapped), answers {:?}",
            self.answers.0
        );
        assert!(memory.peak < MEMORY_CAP, "{storm}: {peak} MiB are above the cap of {} MiB", mib(MEMORY_CAP));
    }

    /// The node's memory.
    pub(crate) fn memory(&self) -> Memory {
        memory::of(self.node.pid())
    }

    /// Stops the node.
    pub(crate) fn stop(self) {
        let log = self.node.stop();
        for word in ["panicked", "ERROR"] {
            assert!(!log.contains(word), "{log}");
        }
    }

    /// Commits a batch that is alone.
    pub(crate) fn commit_one(&mut self) {
        let name = format!("lone {}", self.committed.len());
        let batch = sign_batch(&key(Curve::Ed25519, "alice"), &[set(&name, 1)]);
        self.client().commit(&batch);
        self.keep(&batch);
    }
}
