//! One node's REST interface, for hundreds of requests at once.

use std::sync::Arc;

use anyhow::{Context as _, Result, bail};
use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::header::CONTENT_TYPE;
use hyper::{Method, Request, StatusCode, Uri};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use ledger_types::{BatchId, BlockId, TransactionId};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use tokio::sync::Semaphore;

/// Requests that post at the same time; each holds a connection, and a node serves only so many.
const POSTS: usize = 192;
/// How long a node may hold back the answer about batches that are not decided, seconds.
const WAIT_SECONDS: u32 = 10;
/// Blocks in one answer, at most.
const BLOCKS_PER_PAGE: u32 = 200;

/// A node.
pub(super) struct Node {
    base: String,
    batches: Uri,
    statuses: Uri,
    client: Client<HttpConnector, Full<Bytes>>,
    posts: Semaphore,
}

/// The answer to a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Posted {
    /// The node has it.
    Accepted,
    /// Not now.
    Busy,
}

/// What a node knows of a batch.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct Status {
    pub(super) id: BatchId,
    pub(super) status: Word,
    invalid_transactions: Vec<Invalid>,
}

/// The status of a batch in one word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub(super) enum Word {
    Committed,
    Invalid,
    Pending,
    Unknown,
}

#[derive(Clone, Debug, Deserialize)]
struct Invalid {
    #[serde(default)]
    message: String,
}

impl Status {
    /// Why the batch did not take effect.
    pub(super) fn reason(&self) -> &str {
        self.invalid_transactions.first().map_or("", |invalid| &invalid.message)
    }
}

/// A block, as far as counting needs it.
#[derive(Debug, Deserialize)]
pub(super) struct Block {
    #[serde(rename = "header_signature")]
    pub(super) id: BlockId,
    pub(super) header: BlockHeader,
    pub(super) batches: Vec<Batch>,
}

#[derive(Debug, Deserialize)]
pub(super) struct BlockHeader {
    pub(super) previous_block_id: String,
}

#[derive(Debug, Deserialize)]
pub(super) struct Batch {
    pub(super) header: BatchHeader,
}

#[derive(Debug, Deserialize)]
pub(super) struct BatchHeader {
    pub(super) transaction_ids: Vec<TransactionId>,
}

/// Consecutive blocks, newest first.
#[derive(Debug, Deserialize)]
pub(super) struct Blocks {
    #[serde(rename = "data")]
    pub(super) blocks: Vec<Block>,
    paging: Paging,
}

#[derive(Debug, Deserialize)]
struct Paging {
    next_position: Option<String>,
}

impl Blocks {
    /// Where the page behind this one starts.
    pub(super) fn next(self) -> Option<String> {
        self.paging.next_position
    }
}

impl Node {
    /// A node by its URL without a path.
    ///
    /// # Errors
    /// When it is no URL of HTTP.
    pub(super) fn new(url: &str) -> Result<Arc<Self>> {
        let base = url.trim_end_matches('/').to_owned();
        if !base.starts_with("http://") {
            bail!("{url}: a URL begins with http://");
        }
        let uri = |path: &str| format!("{base}{path}").parse().with_context(|| url.to_owned());
        let mut connector = HttpConnector::new();
        connector.set_nodelay(true);
        Ok(Arc::new(Self {
            batches: uri("/batches")?,
            statuses: uri(&format!("/batch_statuses?wait={WAIT_SECONDS}"))?,
            client: Client::builder(TokioExecutor::new()).build(connector),
            posts: Semaphore::new(POSTS),
            base,
        }))
    }

    /// Posts a list of batches.
    ///
    /// # Errors
    /// When there is no answer, or one that no sound batch can get.
    pub(super) async fn post(&self, list: Bytes) -> Result<Posted> {
        let _turn = self.posts.acquire().await?;
        let request = Request::post(&self.batches).header(CONTENT_TYPE, "application/octet-stream");
        match self.send(request.body(Full::new(list))?).await? {
            (StatusCode::ACCEPTED, _) => Ok(Posted::Accepted),
            (StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE, _) => Ok(Posted::Busy),
            (status, body) => bail!("{}: {status}: {}", self.batches, String::from_utf8_lossy(&body)),
        }
    }

    /// Asks what became of batches; the answer comes when none is pending, or after a while.
    ///
    /// # Errors
    /// When there is no answer, or one about other batches.
    pub(super) async fn statuses(&self, ids: &[BatchId]) -> Result<Vec<Status>> {
        #[derive(Deserialize)]
        struct Statuses {
            data: Vec<Status>,
        }
        let request = Request::post(&self.statuses).header(CONTENT_TYPE, "application/json");
        let request = request.body(Full::new(serde_json::to_vec(ids)?.into()))?;
        let statuses = self.json::<Statuses>(request).await?.data;
        if !statuses.iter().map(|status| &status.id).eq(ids) {
            bail!("{}: the answer is about other batches", self.statuses);
        }
        Ok(statuses)
    }

    /// The newest block's id.
    ///
    /// # Errors
    /// When there is no answer.
    pub(super) async fn head(&self) -> Result<BlockId> {
        #[derive(Deserialize)]
        struct Listed {
            head: BlockId,
        }
        // No state lies there: the answer is nothing but the head.
        let nothing = format!("/state?limit=1&address={}", "f".repeat(70));
        Ok(self.get::<Listed>(&nothing).await?.head)
    }

    /// A page of the chain that ends with `head`; from the newest block on, or from a position.
    ///
    /// # Errors
    /// When there is no answer.
    pub(super) async fn blocks(&self, head: &BlockId, start: Option<&str>) -> Result<Blocks> {
        let start = start.map(|start| format!("&start={start}")).unwrap_or_default();
        self.get(&format!("/blocks?head={head}&limit={BLOCKS_PER_PAGE}{start}")).await
    }

    async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T> {
        let request = Request::builder().method(Method::GET).uri(format!("{}{path}", self.base));
        self.json(request.body(Full::default())?).await
    }

    async fn json<T: DeserializeOwned>(&self, request: Request<Full<Bytes>>) -> Result<T> {
        let uri = request.uri().clone();
        match self.send(request).await? {
            (StatusCode::OK, body) => serde_json::from_slice(&body).with_context(|| uri.to_string()),
            (status, body) => bail!("{uri}: {status}: {}", String::from_utf8_lossy(&body)),
        }
    }

    async fn send(&self, request: Request<Full<Bytes>>) -> Result<(StatusCode, Bytes)> {
        let answer = self.client.request(request).await.with_context(|| self.base.clone())?;
        let status = answer.status();
        let body = answer.into_body().collect().await.with_context(|| self.base.clone())?;
        Ok((status, body.to_bytes()))
    }
}
