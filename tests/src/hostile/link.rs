//! A link to a node as another node holds it: libp2p's Yamux, the three ways, frames.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::task::{Context, Poll};

use bytes::Bytes;
use ledger_types::NetworkId;
use libp2p::core::muxing::StreamMuxerExt as _;
use libp2p::core::upgrade::OutboundConnectionUpgrade as _;
use libp2p::identity::Keypair;
use libp2p::yamux;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinSet;
use tokio_util::compat::{Compat, FuturesAsyncReadCompatExt as _};

use super::dial::{self, Secured};

/// The name of the multiplexer.
pub const YAMUX: &str = "/yamux/1.0.0";
/// The names of the ways.
pub const CONSENSUS: &str = "/dgt/consensus/1";
/// Entries and runs.
pub const BLOCKS: &str = "/dgt/blocks/1";
/// Clients' batches.
pub const BATCHES: &str = "/dgt/batches/1";
/// What is answered to a process that is heard.
const WELCOME: u8 = 1;
/// Frames that were heard and not looked at; more are lost.
const HEARD: usize = 4_096;
/// The largest frame that a node sends.
const FRAME_BYTES: usize = consensus::message::MESSAGE_BYTES;

/// A stream of a link.
pub type Stream = Compat<yamux::Stream>;
type Muxer = yamux::Muxer<Secured>;

/// A connection with streams. With it all of them end.
pub struct Link {
    opens: mpsc::Sender<oneshot::Sender<yamux::Stream>>,
    heard: mpsc::Receiver<Bytes>,
    _tasks: JoinSet<()>,
}

/// Whether what a node sends is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ears {
    /// As soon as it comes.
    Open,
    /// Never; the node is welcomed, and then nothing of what it says is taken.
    Closed,
}

/// The three streams on which a node is told things.
pub struct Ways {
    /// Votes, certificates, proposals, questions.
    pub consensus: Stream,
    /// Entries and runs.
    pub blocks: Stream,
    /// Clients' batches.
    pub batches: Stream,
}

impl Link {
    /// Connects with a key.
    ///
    /// # Errors
    /// When the node does not want.
    pub async fn dial(
        (from, to): (Ipv4Addr, SocketAddr),
        network: NetworkId,
        key: &Keypair,
        ears: Ears,
    ) -> io::Result<Self> {
        let secured = dial::secure(dial::connect(from, to).await?, network, key).await?;
        let mut secured = tokio_util::compat::FuturesAsyncReadCompatExt::compat(secured);
        dial::propose(&mut secured, YAMUX).await?;
        let muxer = yamux::Config::default().upgrade_outbound(secured.into_inner(), YAMUX).await?;
        let (opens, to_open) = mpsc::channel(64);
        let (inbound, opened) = mpsc::channel(64);
        let (tell, heard) = mpsc::channel(HEARD);
        let mut tasks = JoinSet::new();
        tasks.spawn(drive(muxer, to_open, inbound));
        tasks.spawn(listen(opened, tell, ears));
        Ok(Self { opens, heard, _tasks: tasks })
    }

    /// A new stream on which nothing is agreed.
    ///
    /// # Errors
    /// When the connection is gone.
    pub async fn open(&self) -> io::Result<Stream> {
        let (give, given) = oneshot::channel();
        let gone = |_| io::Error::from(io::ErrorKind::BrokenPipe);
        self.opens.send(give).await.map_err(|_| io::Error::from(io::ErrorKind::BrokenPipe))?;
        Ok(given.await.map_err(gone)?.compat())
    }

    /// Opens a way.
    ///
    /// # Errors
    /// When the node does not want.
    pub async fn open_way(&self, name: &str) -> io::Result<Stream> {
        let mut stream = self.open().await?;
        dial::propose(&mut stream, name).await?;
        Ok(stream)
    }

    /// Opens all three ways and says which process this is.
    ///
    /// # Errors
    /// When the node hears another process with this key, or does not want.
    pub async fn introduce(&self, process: [u8; 16]) -> io::Result<Ways> {
        let mut consensus = self.open_way(CONSENSUS).await?;
        consensus.write_all(&process).await?;
        consensus.flush().await?;
        let answer = consensus.read_u8().await?;
        if answer != WELCOME {
            return Err(io::Error::other(format!("not welcome: {answer}")));
        }
        let (blocks, batches) = (self.open_way(BLOCKS).await?, self.open_way(BATCHES).await?);
        Ok(Ways { consensus, blocks, batches })
    }

    /// The next frame that the node sent on any way; `None` when the connection is gone.
    pub async fn heard(&mut self) -> Option<Bytes> {
        self.heard.recv().await
    }
}

/// Writes a frame.
///
/// # Errors
/// When the stream is gone.
pub async fn say(stream: &mut Stream, frame: &[u8]) -> io::Result<()> {
    stream.write_u32(u32::try_from(frame.len()).map_err(io::Error::other)?).await?;
    stream.write_all(frame).await?;
    stream.flush().await
}

/// Keeps a connection going, until it or its owner is gone.
async fn drive(
    mut muxer: Muxer,
    mut to_open: mpsc::Receiver<oneshot::Sender<yamux::Stream>>,
    inbound: mpsc::Sender<yamux::Stream>,
) {
    let mut wanted = VecDeque::new();
    poll_fn(|context| {
        while let Poll::Ready(Some(open)) = to_open.poll_recv(context) {
            wanted.push_back(open);
        }
        loop {
            match step(&mut muxer, &mut wanted, &inbound, context) {
                Ok(true) => {}
                Ok(false) => return Poll::Pending,
                Err(_) => return Poll::Ready(()),
            }
        }
    })
    .await;
}

/// Does what can be done at once; whether something was.
fn step(
    muxer: &mut Muxer,
    wanted: &mut VecDeque<oneshot::Sender<yamux::Stream>>,
    inbound: &mpsc::Sender<yamux::Stream>,
    context: &mut Context<'_>,
) -> Result<bool, yamux::Error> {
    let mut is_busy = false;
    if !wanted.is_empty()
        && let Poll::Ready(stream) = muxer.poll_outbound_unpin(context)
    {
        let stream = stream?;
        let _ = wanted.pop_front().map(|open| open.send(stream));
        is_busy = true;
    }
    if let Poll::Ready(stream) = muxer.poll_inbound_unpin(context) {
        let _ = inbound.try_send(stream?);
        is_busy = true;
    }
    if let Poll::Ready(event) = muxer.poll_unpin(context) {
        event?;
        is_busy = true;
    }
    Ok(is_busy)
}

/// Takes the streams that the node opens.
async fn listen(mut opened: mpsc::Receiver<yamux::Stream>, tell: mpsc::Sender<Bytes>, ears: Ears) {
    let mut readers = JoinSet::new();
    while let Some(stream) = opened.recv().await {
        readers.spawn(read(stream.compat(), tell.clone(), ears));
    }
}

/// Reads what the node says on a stream, until that ends.
async fn read(mut stream: Stream, tell: mpsc::Sender<Bytes>, ears: Ears) -> io::Result<()> {
    if dial::accept(&mut stream).await? == CONSENSUS {
        stream.read_exact(&mut [0; 16]).await?;
        stream.write_u8(WELCOME).await?;
        stream.flush().await?;
    }
    if ears == Ears::Closed {
        // The stream stays open.
        return std::future::pending().await;
    }
    loop {
        let length = usize::try_from(stream.read_u32().await?).map_err(io::Error::other)?;
        if length > FRAME_BYTES {
            return Err(io::Error::other("a node sends more than it may"));
        }
        let mut frame = vec![0; length];
        stream.read_exact(&mut frame).await?;
        if length > 0 {
            let _ = tell.try_send(frame.into());
        }
    }
}
