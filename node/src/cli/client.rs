//! A small client of the REST interface, for commands that talk to a node.

use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use clap::Args;
use ledger_types::proto::client as proto;
use prost::Message as _;
use serde_json::Value;

/// Arguments of every command that talks to a node.
#[derive(Clone, Debug, Args)]
pub(super) struct Connection {
    /// The node's REST interface.
    #[arg(long, env = "DGT_API_URL", default_value = "http://127.0.0.1:8108", global = true)]
    url: String,
}

/// What became of a batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum BatchStatus {
    /// It took effect.
    Committed,
    /// It is not decided yet.
    Pending,
    /// It did not take effect, for this reason.
    Invalid(String),
}

impl Connection {
    /// Posts one batch and returns its id.
    pub(super) fn submit(&self, batch: proto::Batch) -> Result<String> {
        let id = batch.header_signature.clone();
        let list = proto::BatchList { batches: vec![batch], ..proto::BatchList::default() };
        let url = format!("{}/batches", self.url);
        let response = agent(Duration::ZERO)
            .post(&url)
            .header("Content-Type", "application/octet-stream")
            .send(&list.encode_to_vec()[..]);
        read(response, &url)?;
        Ok(id)
    }

    /// Asks for a batch's status, waiting for a decision at most so long.
    pub(super) fn batch_status(&self, id: &str, wait: Duration) -> Result<BatchStatus> {
        let url = format!("{}/batch_statuses?id={id}&wait={}", self.url, wait.as_secs());
        let answer = read(agent(wait).get(&url).call(), &url)?;
        let status = &answer["data"][0];
        Ok(match status["status"].as_str() {
            Some("COMMITTED") => BatchStatus::Committed,
            Some("PENDING") => BatchStatus::Pending,
            Some("INVALID") => {
                let message = status["invalid_transactions"][0]["message"].as_str();
                BatchStatus::Invalid(message.unwrap_or("no reason given").to_owned())
            }
            _ => bail!("{url}: no status for the batch"),
        })
    }

    /// Gets a document. `path` begins with a slash; a 404 is `None`.
    pub(super) fn get(&self, path: &str) -> Result<Option<Value>> {
        let url = format!("{}{path}", self.url);
        match agent(Duration::ZERO).get(&url).call() {
            Ok(response) if response.status() == 404 => Ok(None),
            response => read(response, &url).map(Some),
        }
    }

    /// Gets all items of a list, page by page, pinned to the head of the first page.
    pub(super) fn list(&self, path: &str) -> Result<Vec<Value>> {
        let mut items = Vec::new();
        let mut page = self.get(path)?.context("no such list")?;
        loop {
            if let Value::Array(data) = page["data"].take() {
                items.extend(data);
            }
            let Some(next) = page["paging"]["next"].as_str().map(str::to_owned) else { return Ok(items) };
            let next = next.strip_prefix(&self.url).context("the next page is on another server")?;
            page = self.get(next)?.context("a page is missing")?;
        }
    }
}

fn agent(wait: Duration) -> ureq::Agent {
    ureq::Agent::config_builder()
        .http_status_as_error(false)
        .timeout_global(Some(wait + Duration::from_secs(30)))
        .build()
        .into()
}

/// The document of a good answer; the node's own words of a bad one.
fn read(response: Result<ureq::http::Response<ureq::Body>, ureq::Error>, url: &str) -> Result<Value> {
    let mut response = response.with_context(|| format!("{url}: no answer (is the node running?)"))?;
    let status = response.status();
    let text = response.body_mut().read_to_string().with_context(|| format!("{url}: reading the answer"))?;
    let document: Value = serde_json::from_str(&text).unwrap_or(Value::Null);
    if status.is_success() {
        return Ok(document);
    }
    let error = &document["error"];
    match (error["title"].as_str(), error["message"].as_str()) {
        (Some(title), Some(message)) => bail!("{title}: {message}"),
        _ => bail!("{url}: {status}: {}", text.trim()),
    }
}
