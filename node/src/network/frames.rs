//! Frames on a stream: a length of four bytes, big endian, then so many bytes. An empty frame is a sign of life.

use std::io;
use std::time::Duration;

use bytes::{Buf as _, Bytes, BytesMut};
use consensus::message::MESSAGE_BYTES;
use thiserror::Error;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::time::{Instant, sleep_until, timeout};

use super::lane::Lane;
use super::{Traffic, Way};

/// How long a peer may be silent, or leave what is sent to it unread.
pub(super) const SILENCE: Duration = Duration::from_secs(5);
/// How often a sign of life is given when there is nothing to say.
const LIFE: Duration = Duration::from_secs(1);
/// Bytes read at a time: what a frame claims to be costs nothing until it comes.
const CHUNK: usize = 64 << 10;
const LENGTH: usize = 4;

/// Why a stream ended.
#[derive(Debug, Error)]
pub(super) enum StreamError {
    #[error("{0}")]
    Io(#[from] io::Error),
    #[error("silent for {} s", SILENCE.as_secs())]
    Silent,
    #[error("does not read what is sent to it")]
    Stuck,
    #[error("a frame of {0} bytes, more than its way allows")]
    TooLarge(usize),
    #[error("{0}")]
    Junk(String),
}

impl StreamError {
    /// Whether only a liar or a broken program sends this.
    pub(super) fn is_fault(&self) -> bool {
        matches!(self, Self::TooLarge(_) | Self::Junk(_))
    }
}

/// What a peer may send on a way: bytes of a frame, and frames and bytes a second with four seconds' worth at once.
struct Limits {
    frame: usize,
    frames: f64,
    bytes: f64,
}

/// Seconds' worth of frames that may come at once.
const BURST: f64 = 4.0;

impl Limits {
    const fn of(way: Way) -> Self {
        match way {
            Way::Consensus => Self { frame: MESSAGE_BYTES, frames: 2_000.0, bytes: 16e6 },
            Way::Blocks => Self { frame: MESSAGE_BYTES, frames: 200.0, bytes: 64e6 },
            Way::Batches => Self { frame: MESSAGE_BYTES, frames: 500.0, bytes: 32e6 },
        }
    }
}

/// Reads the frames of one stream, no faster than its way allows.
pub(super) struct FrameReader<S> {
    stream: S,
    way: Way,
    buffer: BytesMut,
    frames: f64,
    bytes: f64,
    counted: Instant,
}

impl<S: AsyncRead + Unpin> FrameReader<S> {
    pub(super) fn new(stream: S, way: Way) -> Self {
        let Limits { frames, bytes, .. } = Limits::of(way);
        let buffer = BytesMut::new();
        Self { stream, way, buffer, frames: frames * BURST, bytes: bytes * BURST, counted: Instant::now() }
    }

    /// The next frame that is not empty. `heard` is called for whatever comes.
    pub(super) async fn next(&mut self, mut heard: impl FnMut()) -> Result<Bytes, StreamError> {
        loop {
            self.fill(LENGTH).await?;
            let length = usize::try_from(self.buffer.get_u32()).unwrap_or(usize::MAX);
            if length > Limits::of(self.way).frame {
                return Err(StreamError::TooLarge(length));
            }
            self.fill(length).await?;
            heard();
            self.count(length).await;
            if length > 0 {
                let frame = self.buffer.split_to(length).freeze();
                if self.buffer.is_empty() {
                    // What is left of a large buffer would stay as long as the link.
                    self.buffer = BytesMut::new();
                }
                return Ok(frame);
            }
        }
    }

    async fn fill(&mut self, length: usize) -> Result<(), StreamError> {
        while self.buffer.len() < length {
            self.buffer.reserve(CHUNK);
            let read = self.stream.read_buf(&mut self.buffer);
            if timeout(SILENCE, read).await.map_err(|_| StreamError::Silent)?? == 0 {
                return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into());
            }
        }
        Ok(())
    }

    /// Waits if more came than may come.
    async fn count(&mut self, length: usize) {
        let Limits { frames, bytes, .. } = Limits::of(self.way);
        let now = Instant::now();
        let passed = now.duration_since(self.counted).as_secs_f64();
        self.counted = now;
        #[allow(clippy::cast_precision_loss, reason = "a frame's length is far below 2^52")]
        let length = length as f64;
        self.frames = (self.frames + passed * frames).min(frames * BURST) - 1.0;
        self.bytes = (self.bytes + passed * bytes).min(bytes * BURST) - length;
        let owed = (-self.frames / frames).max(-self.bytes / bytes);
        if owed > 0.0 {
            sleep_until(now + Duration::from_secs_f64(owed)).await;
        }
    }
}

/// Sends what is put into a lane, for as long as the stream lasts.
pub(super) async fn send_all<S: AsyncWrite + Unpin>(
    lane: &Lane,
    sent: &Traffic,
    mut stream: S,
) -> StreamError {
    loop {
        let frames = timeout(LIFE, lane.take()).await.unwrap_or_else(|_| [Bytes::new()].into());
        for frame in &frames {
            if let Err(error) = send(&mut stream, frame).await {
                return error;
            }
            if !frame.is_empty() {
                sent.add(frame.len());
            }
        }
        match timeout(SILENCE, stream.flush()).await {
            Err(_) => return StreamError::Stuck,
            Ok(Err(error)) => return error.into(),
            Ok(Ok(())) => {}
        }
    }
}

/// Writes a frame piece by piece: the peer's time is counted anew for each.
async fn send<S: AsyncWrite + Unpin>(stream: &mut S, frame: &Bytes) -> Result<(), StreamError> {
    let length = u32::try_from(frame.len()).map_err(|_| StreamError::TooLarge(frame.len()))?;
    let head = length.to_be_bytes();
    for piece in std::iter::once(&head[..]).chain(frame.chunks(CHUNK)) {
        timeout(SILENCE, stream.write_all(piece)).await.map_err(|_| StreamError::Stuck)??;
    }
    Ok(())
}
