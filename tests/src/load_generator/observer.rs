//! Learns from one node what becomes of batches, by few questions about many of them.
//!
//! A question takes along all batches that came up since the last one, and is answered when none of them is pending:
//! under little load each batch has a question of its own, under much load one question serves a block. A batch that
//! shares a question may be learnt of later than it was decided, never earlier: latencies are upper bounds.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Result, anyhow};
use ledger_types::BatchId;
use tokio::sync::{Semaphore, mpsc, oneshot};
use tokio::time::{Instant, sleep};

use super::node::{Node, Word};

/// Questions in flight.
const QUESTIONS: usize = 16;
/// Batches in a question; a node takes as many.
const IDS_PER_QUESTION: usize = 1_000;
/// The pause before a node is asked again about batches that have not reached it.
const UNKNOWN_PAUSE: Duration = Duration::from_millis(2);

/// What a node said of a batch, and when.
#[derive(Clone, Debug)]
pub(super) struct Decision {
    /// When the answer came.
    pub(super) at: Instant,
    /// Why the batch did not take effect; `None` when it did.
    pub(super) rejection: Option<String>,
}

/// A batch that somebody waits for. Errors are told as text, since many wait for one answer.
struct Awaited {
    id: BatchId,
    reply: oneshot::Sender<Result<Decision, String>>,
}

/// The way to ask one node.
#[derive(Clone)]
pub(super) struct Observer(mpsc::UnboundedSender<Awaited>);

impl Observer {
    /// Begins to observe through a node.
    pub(super) fn start(node: Arc<Node>) -> Self {
        let (sender, awaited) = mpsc::unbounded_channel();
        tokio::spawn(observe(node, awaited));
        Self(sender)
    }

    /// Asks at once; the answer comes when the node has decided the batch.
    pub(super) fn ask(&self, id: BatchId) -> Answer {
        let (reply, answer) = oneshot::channel();
        // A send to an observer that has ended drops the reply, which whoever waits for the answer notices.
        let _ = self.0.send(Awaited { id, reply });
        Answer(answer)
    }
}

/// An answer that may not be there yet.
pub(super) struct Answer(oneshot::Receiver<Result<Decision, String>>);

impl Answer {
    /// Waits for it.
    ///
    /// # Errors
    /// When the node does not answer.
    pub(super) async fn wait(self) -> Result<Decision> {
        self.0.await?.map_err(|error| anyhow!(error))
    }
}

async fn observe(node: Arc<Node>, mut awaited: mpsc::UnboundedReceiver<Awaited>) {
    let questions = Arc::new(Semaphore::new(QUESTIONS));
    loop {
        let turn = Arc::clone(&questions).acquire_owned().await.expect("invariant: never closed");
        let mut group = Vec::new();
        if awaited.recv_many(&mut group, IDS_PER_QUESTION).await == 0 {
            return;
        }
        let node = Arc::clone(&node);
        tokio::spawn(async move {
            ask_until_decided(&node, group).await;
            drop(turn);
        });
    }
}

/// Asks until every batch of the group is decided or given up by whoever waited.
async fn ask_until_decided(node: &Node, mut group: Vec<Awaited>) {
    while !group.is_empty() {
        let ids: Vec<BatchId> = group.iter().map(|awaited| awaited.id).collect();
        let statuses = match node.statuses(&ids).await {
            Ok(statuses) => statuses,
            Err(error) => {
                let text = format!("{error:#}");
                group.into_iter().for_each(|awaited| _ = awaited.reply.send(Err(text.clone())));
                return;
            }
        };
        let at = Instant::now();
        let mut is_any_unknown = false;
        let mut open = Vec::new();
        for (awaited, status) in group.into_iter().zip(statuses) {
            let rejection = match status.status {
                Word::Committed => None,
                Word::Invalid => Some(status.reason().to_owned()),
                Word::Pending | Word::Unknown => {
                    is_any_unknown |= status.status == Word::Unknown;
                    open.push(awaited);
                    continue;
                }
            };
            let _ = awaited.reply.send(Ok(Decision { at, rejection }));
        }
        open.retain(|awaited| !awaited.reply.is_closed());
        group = open;
        if is_any_unknown {
            sleep(UNKNOWN_PAUSE).await;
        }
    }
}
