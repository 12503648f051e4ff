//! A small blocking client of the REST interface.

use std::time::Duration;

use ledger_types::proto::client as proto;
use prost::Message as _;
use serde_json::Value;

/// How long a batch may take to be decided before a test fails.
const DECISION_SECONDS: u64 = 60;
/// The most ids that a request for statuses may name.
const IDS_PER_REQUEST: usize = 1_000;

/// A client of one node.
#[derive(Clone, Debug)]
pub struct Client {
    url: String,
    agent: ureq::Agent,
}

/// An answer, whatever its status.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// The body.
    pub text: String,
}

impl Answer {
    /// The body as JSON.
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }
}

/// What became of a batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It took effect.
    Committed,
    /// It did not take effect.
    Invalid {
        /// The first invalid transaction.
        transaction: String,
        /// Why.
        message: String,
    },
    /// It is not decided.
    Pending,
    /// The node knows nothing of it.
    Unknown,
}

/// The newest block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeadBlock {
    /// Its id.
    pub id: String,
    /// Its height.
    pub height: u64,
    /// The root of the state after it.
    pub state_root: String,
}

impl Client {
    /// A client of the node at a URL without a path.
    pub fn new(url: &str) -> Self {
        Self::patient(url, Duration::from_secs(2 * DECISION_SECONDS))
    }

    fn patient(url: &str, patience: Duration) -> Self {
        let config =
            ureq::Agent::config_builder().http_status_as_error(false).timeout_global(Some(patience)).build();
        Self { url: url.to_owned(), agent: config.into() }
    }

    /// Another client of the same node, which waits no longer than this for an answer.
    #[must_use]
    pub fn within(&self, patience: Duration) -> Self {
        Self::patient(&self.url, patience)
    }

    /// The node's URL.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Gets a path.
    ///
    /// # Errors
    /// When there is no answer.
    pub fn try_get(&self, path: &str) -> Result<Answer, ureq::Error> {
        read(self.agent.get(format!("{}{path}", self.url)).call()?)
    }

    /// Posts batches as one list.
    ///
    /// # Errors
    /// When there is no answer.
    pub fn try_submit(&self, batches: &[proto::Batch]) -> Result<Answer, ureq::Error> {
        let list = proto::BatchList { batches: batches.to_vec(), ..proto::BatchList::default() };
        let request = self.agent.post(format!("{}/batches", self.url));
        read(request.header("Content-Type", "application/octet-stream").send(&list.encode_to_vec()[..])?)
    }

    /// Asks what became of batches, in order; a wait ends when all are decided.
    ///
    /// # Errors
    /// When there is no answer.
    pub fn try_outcomes(&self, ids: &[String], wait_seconds: u64) -> Result<Vec<Outcome>, ureq::Error> {
        let mut outcomes = Vec::with_capacity(ids.len());
        for ids in ids.chunks(IDS_PER_REQUEST) {
            let request = self.agent.post(format!("{}/batch_statuses?wait={wait_seconds}", self.url));
            let body = serde_json::json!(ids).to_string();
            let answer = read(request.header("Content-Type", "application/json").send(&body)?)?;
            assert_eq!(answer.status, 200, "{answer:?}");
            let answer = answer.json();
            let statuses = answer["data"].as_array().expect("a list of statuses");
            assert!(statuses.iter().map(|status| &status["id"]).eq(ids.iter()), "{answer}");
            outcomes.extend(statuses.iter().map(outcome));
        }
        Ok(outcomes)
    }

    /// Gets a path that must be there.
    pub fn get(&self, path: &str) -> Value {
        let answer = self.try_get(path).unwrap_or_else(|error| panic!("{path}: {error}"));
        assert_eq!(answer.status, 200, "{path}: {answer:?}");
        answer.json()
    }

    /// Posts batches that must be accepted.
    pub fn submit(&self, batches: &[proto::Batch]) {
        let answer = self.try_submit(batches).unwrap_or_else(|error| panic!("/batches: {error}"));
        assert_eq!(answer.status, 202, "{answer:?}");
    }

    /// Waits for the decision on a batch.
    pub fn outcome(&self, id: &str) -> Outcome {
        let outcomes = self.try_outcomes(&[id.to_owned()], DECISION_SECONDS);
        outcomes.unwrap_or_else(|error| panic!("/batch_statuses: {error}")).remove(0)
    }

    /// Posts a batch and waits for its decision.
    pub fn decide(&self, batch: &proto::Batch) -> Outcome {
        self.submit(std::slice::from_ref(batch));
        self.outcome(&batch.header_signature)
    }

    /// Posts a batch that must be committed.
    pub fn commit(&self, batch: &proto::Batch) {
        assert_eq!(self.decide(batch), Outcome::Committed);
    }

    /// The newest block.
    pub fn head(&self) -> HeadBlock {
        let blocks = self.get("/blocks?limit=1");
        let text = |value: &Value| value.as_str().unwrap_or_else(|| panic!("{blocks}")).to_owned();
        let block = &blocks["data"][0];
        HeadBlock {
            id: text(&block["header_signature"]),
            height: text(&block["header"]["block_num"]).parse().expect("a height"),
            state_root: text(&block["header"]["state_root_hash"]),
        }
    }
}

fn read(mut response: ureq::http::Response<ureq::Body>) -> Result<Answer, ureq::Error> {
    let status = response.status().as_u16();
    let text = response.body_mut().with_config().limit(64 << 20).read_to_string()?;
    Ok(Answer { status, text })
}

fn outcome(status: &Value) -> Outcome {
    let first = &status["invalid_transactions"][0];
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    match status["status"].as_str() {
        Some("COMMITTED") => Outcome::Committed,
        Some("PENDING") => Outcome::Pending,
        Some("UNKNOWN") => Outcome::Unknown,
        Some("INVALID") => {
            Outcome::Invalid { transaction: text(&first["id"]), message: text(&first["message"]) }
        }
        _ => panic!("no status: {status}"),
    }
}
