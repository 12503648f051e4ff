//! The two halves of a link: what is read from a peer, and what is written to it.

use std::sync::Arc;

use ledger_types::ValidatorId;
use libp2p::swarm::{ConnectionId, Stream};
use tokio::io::AsyncReadExt as _;
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, timeout};
use tokio_util::compat::{Compat, FuturesAsyncReadCompatExt as _};

use super::claims::{Claims, ProcessId};
use super::frames::{FrameReader, SILENCE, StreamError, send_all};
use super::hello::{self, Answer};
use super::{Inbox, Links, Way};

/// What all links of a node use.
pub(super) struct Shared<I> {
    pub(super) links: Links,
    pub(super) inbox: I,
    pub(super) process: ProcessId,
    pub(super) claims: Claims,
    pub(super) tell: mpsc::Sender<News>,
}

/// Which stream it is.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place {
    pub(super) peer: ValidatorId,
    pub(super) connection: ConnectionId,
    pub(super) way: Way,
}

/// What the keeper must know.
#[derive(Debug)]
pub(super) enum News {
    /// The peer's process may be heard on this connection.
    Heard { peer: ValidatorId, connection: ConnectionId },
    /// The peer takes what is sent to it.
    Up { peer: ValidatorId },
    /// The peer hears another process with this node's key.
    Busy { peer: ValidatorId, connection: ConnectionId },
    /// A stream is of no more use, and so its connection.
    Ended { peer: ValidatorId, connection: ConnectionId, error: StreamError },
}

impl<I> Shared<I> {
    async fn ended(&self, place: Place, error: StreamError) {
        let Place { peer, connection, .. } = place;
        let _ = self.tell.send(News::Ended { peer, connection, error }).await;
    }
}

/// Reads one stream of a peer into the inbox.
pub(super) async fn read<I: Inbox>(
    shared: Arc<Shared<I>>,
    place: Place,
    stream: Stream,
    welcomed: watch::Sender<bool>,
) {
    let mut stream = stream.compat();
    let error = match admit(&shared, place, &mut stream, &welcomed).await {
        Ok(true) => read_frames(&shared, place, stream).await,
        Ok(false) => return,
        Err(error) => error,
    };
    shared.ended(place, error).await;
}

/// Whether the process at the other end may be heard. On the first way it says who it is; the others wait for that.
async fn admit<I>(
    shared: &Shared<I>,
    place: Place,
    stream: &mut Compat<Stream>,
    welcomed: &watch::Sender<bool>,
) -> Result<bool, StreamError> {
    let silent = |_| StreamError::Silent;
    if place.way != Way::Consensus {
        let mut welcome = welcomed.subscribe();
        let is_welcome = welcome.wait_for(|is_welcome| *is_welcome);
        return Ok(timeout(SILENCE, is_welcome).await.map_err(silent)?.is_ok());
    }
    let process = hello::hear(stream).await?;
    let is_welcome = shared.claims.claim(place.peer, process, place.connection, Instant::now());
    hello::answer(stream, if is_welcome { Answer::Welcome } else { Answer::Busy }).await?;
    welcomed.send_replace(is_welcome);
    if is_welcome {
        let Place { peer, connection, .. } = place;
        let _ = shared.tell.send(News::Heard { peer, connection }).await;
    }
    if !is_welcome {
        tracing::warn!(peer = %place.peer, "two processes use the key of this peer; the second is not heard");
        // The other side closes the connection when it has read the answer.
        let _ = timeout(SILENCE, stream.read_u8()).await;
    }
    Ok(is_welcome)
}

async fn read_frames<I: Inbox>(shared: &Shared<I>, place: Place, stream: Compat<Stream>) -> StreamError {
    let Place { peer, connection, way } = place;
    let Some(end) = shared.links.peers.get(&peer) else { return StreamError::Silent };
    let track = end.track(way);
    let mut frames = FrameReader::new(stream, &track.meter);
    loop {
        let frame = match frames.next(|| shared.claims.heard(peer, Instant::now())).await {
            Ok(frame) => frame,
            Err(error) => return error,
        };
        if !shared.claims.holds(peer, connection) {
            return StreamError::Silent;
        }
        track.received.add(frame.len());
        if let Err(reason) = shared.inbox.take(peer, way, frame).await {
            return StreamError::Junk(reason);
        }
    }
}

/// Writes one stream to a peer from its lane.
pub(super) async fn write<I: Inbox>(shared: Arc<Shared<I>>, place: Place, stream: Stream) {
    let Place { peer, connection, way } = place;
    let mut stream = stream.compat();
    let Some(end) = shared.links.peers.get(&peer) else { return };
    if way == Way::Consensus {
        match hello::ask(&mut stream, shared.process).await {
            Ok(Answer::Welcome) => {
                end.set_up();
                let _ = shared.tell.send(News::Up { peer }).await;
            }
            Ok(Answer::Busy) => {
                let _ = shared.tell.send(News::Busy { peer, connection }).await;
                return;
            }
            Err(error) => return shared.ended(place, error).await,
        }
    }
    let track = end.track(way);
    let error = send_all(&track.lane, &track.sent, stream).await;
    shared.ended(place, error).await;
}
