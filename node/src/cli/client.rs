//! A small client of the REST interface, for commands that talk to a node.

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use clap::Args;
use serde_json::Value;
use ureq::http::Response;
use ureq::{Agent, Body};

/// How long a node may take to answer, beyond what it was asked to wait.
const PATIENCE: Duration = Duration::from_secs(30);
/// The most bytes of one answer.
const ANSWER_BYTES: u64 = 64 << 20;

/// Where clients on its own machine reach a node that listens there.
pub(super) fn reached(mut api: SocketAddr) -> SocketAddr {
    if api.ip().is_unspecified() {
        api.set_ip(if api.is_ipv6() { Ipv6Addr::LOCALHOST.into() } else { Ipv4Addr::LOCALHOST.into() });
    }
    api
}

/// Arguments of every command that talks to a node.
#[derive(Clone, Debug, Args)]
pub(super) struct Connection {
    /// The node's REST interface.
    #[arg(long, env = "DGT_API_URL", default_value = "http://127.0.0.1:8108", global = true)]
    url: String,
}

impl Connection {
    /// A connection to the node at a URL.
    pub(super) fn new(url: String) -> Self {
        Self { url }
    }

    /// Gets a document. `path` begins with a slash.
    pub(super) fn get(&self, path: &str, query: &[(&str, &str)]) -> Result<Value> {
        let url = self.url(path);
        let request = agent(PATIENCE).get(&url).query_pairs(query.iter().copied());
        read(request.call(), &url)
    }

    /// Gets a document; `None` when the node knows nothing of it.
    pub(super) fn find(&self, path: &str, query: &[(&str, &str)]) -> Result<Option<Value>> {
        let url = self.url(path);
        match agent(PATIENCE).get(&url).query_pairs(query.iter().copied()).call() {
            Ok(response) if response.status() == 404 => Ok(None),
            response => read(response, &url).map(Some),
        }
    }

    /// Gets a document at once or not at all: whether the node answers is the question.
    pub(super) fn probe(&self, path: &str, patience: Duration) -> Result<Value> {
        let url = self.url(path);
        read(agent(patience).get(&url).call(), &url)
    }

    /// Gets the statuses of batches, after at most this wait for their decision.
    pub(super) fn statuses(&self, ids: &[String], wait: Duration) -> Result<Vec<Value>> {
        let url = self.url(&format!("/batch_statuses?wait={}", wait.as_secs()));
        let request = agent(PATIENCE + wait).post(&url).header("Content-Type", "application/json");
        let body = serde_json::to_string(ids)?;
        match &read(request.send(&body), &url)?["data"] {
            Value::Array(statuses) if statuses.len() == ids.len() => Ok(statuses.clone()),
            _ => bail!("{url}: the answer has no status for each batch"),
        }
    }

    /// Posts an encoded list of batches.
    pub(super) fn submit(&self, list: &[u8]) -> Result<()> {
        let url = self.url("/batches");
        let request = agent(PATIENCE).post(&url).header("Content-Type", "application/octet-stream");
        read(request.send(list), &url).map(drop)
    }

    /// People leave the scheme out, and leave a slash at the end.
    fn url(&self, path: &str) -> String {
        let scheme = if self.url.contains("://") { "" } else { "http://" };
        format!("{scheme}{}{path}", self.url.trim_end_matches('/'))
    }
}

fn agent(patience: Duration) -> Agent {
    Agent::config_builder().http_status_as_error(false).timeout_global(Some(patience)).build().into()
}

/// The document of a good answer; the node's own words of a bad one.
fn read(response: Result<Response<Body>, ureq::Error>, url: &str) -> Result<Value> {
    let mut response = response.with_context(|| format!("{url}: no answer (is the node running?)"))?;
    let status = response.status();
    let body = response.body_mut().with_config().limit(ANSWER_BYTES).read_to_string();
    let text = body.with_context(|| format!("{url}: reading the answer"))?;
    let document: Option<Value> = serde_json::from_str(&text).ok();
    if status.is_success() {
        return document.with_context(|| format!("{url}: the answer is no JSON"));
    }
    let error = &document.unwrap_or_default()["error"];
    match (error["title"].as_str(), error["message"].as_str()) {
        (Some(title), Some(message)) => bail!("{title}: {message}"),
        _ => bail!("{url}: {status}: {}", text.trim()),
    }
}

#[cfg(test)]
mod tests {
    use super::reached;

    #[test]
    fn a_node_that_listens_everywhere_is_reached_over_loopback() {
        let reached = |listens: &str| listens.parse().map(reached).map(|api| api.to_string());
        assert_eq!(reached("0.0.0.0:8108").as_deref(), Ok("127.0.0.1:8108"));
        assert_eq!(reached("[::]:1").as_deref(), Ok("[::1]:1"));
        assert_eq!(reached("192.0.2.1:8109").as_deref(), Ok("192.0.2.1:8109"));
    }
}
