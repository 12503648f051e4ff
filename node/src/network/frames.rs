//! Frames on a stream: a length of four bytes, big endian, then so many bytes. An empty frame is a sign of life.

use std::io;
use std::time::Duration;

use bytes::{Buf as _, BufMut as _, Bytes, BytesMut};
use consensus::message::MESSAGE_BYTES;
use parking_lot::Mutex;
use thiserror::Error;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::time::{Instant, sleep_until, timeout};

use super::Way;
use super::budget::Budget;
use super::lane::Lane;
use super::peer::Traffic;

/// How long a peer may be silent, or leave what is sent to it unread.
pub(super) const SILENCE: Duration = Duration::from_secs(5);
/// How often a sign of life is given when there is nothing to say.
const LIFE: Duration = Duration::from_secs(1);
/// Bytes of memory taken at a time: what a frame claims to be costs nothing until it comes.
const CHUNK: usize = 64 << 10;
/// Bytes read at a time: as many as come in one piece. The stream clears the room it is given, so more would cost time.
const PIECE: usize = 16 << 10;
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
    /// Whether the peer, or the way there, seems to be gone.
    pub(super) fn is_silence(&self) -> bool {
        matches!(self, Self::Silent | Self::Stuck)
    }

    /// Whether only a liar or a broken program sends this.
    pub(super) fn is_fault(&self) -> bool {
        matches!(self, Self::TooLarge(_) | Self::Junk(_))
    }
}

/// Seconds' worth of frames that may come at once.
const BURST: f64 = 4.0;
/// Bytes that come with each signature of a certificate, at least; a unit of work is about one verified signature.
const UNIT_BYTES: usize = 72;
/// Units of one frame at most: a large one is a proposal, whose bytes are batch ids.
const FRAME_UNITS: usize = 64;

/// What a peer may send on a way, over all of its connections.
#[derive(Debug)]
pub(super) struct Meter {
    units: Mutex<Budget>,
    bytes: Mutex<Budget>,
}

impl Meter {
    /// Consensus: a fifth of a core for a peer that does nothing but lie. A run or a frame of batches is worth many of the
    /// others, and its bytes are what counts.
    pub(super) fn new(way: Way) -> Self {
        let (units, bytes) = match way {
            Way::Consensus => (4_000.0, 16e6),
            Way::Blocks => (4_000.0, 64e6),
            Way::Batches => (30_000.0, 32e6),
        };
        Self { units: Mutex::new(Budget::new(units, BURST)), bytes: Mutex::new(Budget::new(bytes, BURST)) }
    }

    /// Waits if more came than may come.
    async fn count(&self, length: usize) {
        let now = Instant::now();
        let units = 1 + (length / UNIT_BYTES).min(FRAME_UNITS);
        let for_units = self.units.lock().take(as_f64(units), now);
        let for_bytes = self.bytes.lock().take(as_f64(length), now);
        let wait = for_units.max(for_bytes);
        if !wait.is_zero() {
            sleep_until(now + wait).await;
        }
    }
}

/// Reads the frames of one stream, no faster than its meter allows.
pub(super) struct FrameReader<'a, S> {
    stream: S,
    meter: &'a Meter,
    /// What has come of a length or a frame.
    buffer: BytesMut,
}

impl<'a, S: AsyncRead + Unpin> FrameReader<'a, S> {
    pub(super) fn new(stream: S, meter: &'a Meter) -> Self {
        Self { stream, meter, buffer: BytesMut::new() }
    }

    /// The next frame that is not empty, in memory of its own. `heard` is called for whatever comes.
    pub(super) async fn next(&mut self, mut heard: impl FnMut()) -> Result<Bytes, StreamError> {
        loop {
            let length = usize::try_from(self.read(LENGTH).await?.get_u32()).unwrap_or(usize::MAX);
            if length > MESSAGE_BYTES {
                return Err(StreamError::TooLarge(length));
            }
            let frame = self.read(length).await?;
            heard();
            self.meter.count(length).await;
            if length > 0 {
                return Ok(frame);
            }
        }
    }

    /// Bytes that are held for what is not read yet.
    #[cfg(test)]
    pub(super) fn held(&self) -> usize {
        self.buffer.capacity()
    }

    async fn read(&mut self, length: usize) -> Result<Bytes, StreamError> {
        while self.buffer.len() < length {
            let missing = length - self.buffer.len();
            self.buffer.reserve(missing.min(CHUNK));
            let mut room = (&mut self.buffer).limit(missing.min(PIECE));
            let read = self.stream.read_buf(&mut room);
            if timeout(SILENCE, read).await.map_err(|_| StreamError::Silent)?? == 0 {
                return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into());
            }
        }
        Ok(std::mem::take(&mut self.buffer).freeze())
    }
}

#[allow(clippy::cast_precision_loss, reason = "a frame's length is far below 2^52")]
fn as_f64(count: usize) -> f64 {
    count as f64
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

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::super::lane::{Lane, Overflow};
    use super::super::peer::Traffic;
    use super::{Bytes, FrameReader, MESSAGE_BYTES, Meter, StreamError, Way, send_all};

    #[tokio::test]
    async fn frames_are_read_as_they_were_sent() {
        let (near, far) = tokio::io::duplex(1 << 10);
        let lane = Lane::new(1 << 20, Overflow::Refuse);
        let frames =
            [Bytes::from_static(b"one"), Bytes::from(vec![7; 200_000]), Bytes::from_static(b"three")];
        frames.iter().for_each(|frame| lane.push(frame.clone()));
        let (traffic, meter) = (Traffic::default(), Meter::new(Way::Blocks));
        let mut reader = FrameReader::new(far, &meter);
        let reading = async {
            for frame in &frames {
                assert_eq!(reader.next(|| {}).await.unwrap(), frame);
            }
        };
        tokio::select! {
            () = reading => {}
            error = send_all(&lane, &traffic, near) => unreachable!("{error}"),
        }
    }

    #[tokio::test]
    async fn a_length_beyond_the_limit_is_refused_and_costs_nothing() {
        let meter = Meter::new(Way::Consensus);
        let length = u32::try_from(MESSAGE_BYTES + 1).unwrap().to_be_bytes();
        let mut reader = FrameReader::new(&length[..], &meter);
        let error = reader.next(|| {}).await.unwrap_err();
        assert!(matches!(error, StreamError::TooLarge(_)) && error.is_fault(), "{error}");
        // The largest that is allowed, claimed and not sent.
        let length = u32::try_from(MESSAGE_BYTES).unwrap().to_be_bytes();
        let mut reader = FrameReader::new(&length[..], &meter);
        assert!(matches!(reader.next(|| {}).await.unwrap_err(), StreamError::Io(_)));
        assert!(reader.buffer.capacity() <= 1 << 17, "{}", reader.buffer.capacity());
    }

    #[tokio::test]
    async fn a_flood_is_read_at_the_rate_of_its_way() {
        let meter = Meter::new(Way::Consensus);
        // Two seconds' worth beyond the burst.
        let count = 6 * 4_000;
        let flood: Vec<u8> = std::iter::repeat_n([0, 0, 0, 1, 9], count).flatten().collect();
        let mut reader = FrameReader::new(&flood[..], &meter);
        let began = Instant::now();
        for _ in 0..count {
            reader.next(|| {}).await.unwrap();
        }
        assert!(began.elapsed() >= Duration::from_millis(1_900), "{:?}", began.elapsed());
    }
}
