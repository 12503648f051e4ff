//! Any bytes at all where a peer's frames are expected.
//!
//! `DGT_FUZZ_CASES` says how many inputs are tried (default 1,000); proptest prints the input that fails, and its seed.

use std::collections::VecDeque;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use consensus::message::MESSAGE_BYTES;
use futures_util::FutureExt as _;
use proptest::prelude::*;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::Way;
use super::frames::{FrameReader, Meter, StreamError, send_all};
use super::lane::{Lane, Overflow};
use super::peer::Traffic;

/// What a reader may hold beside what was sent to it.
const SLACK: usize = 256 << 10;

fn cases() -> u32 {
    std::env::var("DGT_FUZZ_CASES").map_or(1_000, |text| text.parse().expect("a number"))
}

/// Bytes that come piece by piece, and then end.
struct Pieces(VecDeque<Vec<u8>>);

impl AsyncRead for Pieces {
    fn poll_read(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if let Some(piece) = self.0.front_mut() {
            let rest = piece.split_off(piece.len().min(buffer.remaining()));
            buffer.put_slice(piece);
            match rest.is_empty() {
                true => _ = self.0.pop_front(),
                false => *piece = rest,
            }
        }
        Poll::Ready(Ok(()))
    }
}

/// Takes what is written, and breaks when there is enough.
struct Sink(Vec<u8>, usize);

impl AsyncWrite for Sink {
    fn poll_write(mut self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        if self.0.len() >= self.1 {
            return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
        }
        self.0.extend_from_slice(bytes);
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

fn written(frames: &[Vec<u8>]) -> Vec<u8> {
    let head = |frame: &Vec<u8>| u32::try_from(frame.len()).unwrap().to_be_bytes();
    frames.iter().flat_map(|frame| head(frame).into_iter().chain(frame.iter().copied())).collect()
}

/// Reads until the end: the frames, why it ended, and the most that was held.
fn read(pieces: Vec<Vec<u8>>) -> (Vec<Vec<u8>>, StreamError, usize) {
    let meter = Meter::new(Way::Batches);
    let mut reader =
        FrameReader::new(Pieces(pieces.into_iter().filter(|it| !it.is_empty()).collect()), &meter);
    let (mut frames, mut most) = (Vec::new(), 0);
    loop {
        let next = reader.next(|| {}).now_or_never().expect("nothing here is waited for");
        most = most.max(reader.held());
        match next {
            Ok(frame) => frames.push(frame.to_vec()),
            Err(error) => return (frames, error, most),
        }
    }
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap()
}

/// Lengths that matter: small ones, those around the limit, and any.
fn length() -> impl Strategy<Value = u32> {
    let limit = u32::try_from(MESSAGE_BYTES).unwrap();
    prop_oneof![0..40_u32, limit - 2..limit + 3, any::<u32>()]
}

/// Frames, and then bytes that need not be one.
fn stream() -> impl Strategy<Value = (Vec<Vec<u8>>, Vec<u8>)> {
    let bytes = |most| prop::collection::vec(any::<u8>(), 0..most);
    let claimed =
        (length(), bytes(60)).prop_map(|(length, bytes)| [&length.to_be_bytes()[..], &bytes].concat());
    (prop::collection::vec(bytes(300), 0..12), prop_oneof![bytes(60), claimed])
}

proptest! {
    #![proptest_config(ProptestConfig { cases: cases(), failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whatever_comes_is_frames_and_then_an_error((sent, rest) in stream(), step in 1..400_usize) {
        let runtime = runtime();
        let _runtime = runtime.enter();
        let bytes = [written(&sent), rest].concat();
        let (frames, error, most) = read(bytes.chunks(step).map(<[u8]>::to_vec).collect());
        prop_assert!(most <= bytes.len() + SLACK, "{most} bytes held of {}", bytes.len());
        // What was read is how it was written, but for the signs of life.
        let spoken: Vec<Vec<u8>> = sent.into_iter().filter(|frame| !frame.is_empty()).collect();
        prop_assert!(frames.starts_with(&spoken), "{frames:?}");
        let mut left = &bytes[..];
        for frame in &frames {
            while left.starts_with(&[0; 4]) {
                left = &left[4..];
            }
            let again = written(std::slice::from_ref(frame));
            prop_assert!(left.starts_with(&again));
            left = &left[again.len()..];
        }
        while left.starts_with(&[0; 4]) {
            left = &left[4..];
        }
        let claimed = left.first_chunk().map(|head| u32::from_be_bytes(*head) as usize);
        match error {
            StreamError::TooLarge(length) => prop_assert!(length > MESSAGE_BYTES && claimed == Some(length)),
            StreamError::Io(error) => {
                prop_assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof);
                prop_assert!(claimed.is_none_or(|length| length <= MESSAGE_BYTES && left.len() < length + 4));
            }
            error => prop_assert!(false, "{error}"),
        }
    }

    #[test]
    fn what_is_sent_reads_back(frames in prop::collection::vec(prop::collection::vec(any::<u8>(), 1..3_000), 1..12)) {
        let runtime = runtime();
        let lane = Lane::new(1 << 20, Overflow::Refuse);
        frames.iter().for_each(|frame| lane.push(Bytes::from(frame.clone())));
        let traffic = Traffic::default();
        let expected = written(&frames);
        let mut sink = Sink(Vec::new(), expected.len());
        // The sign of life that follows breaks the stream.
        lane.push(Bytes::from_static(b"last"));
        runtime.block_on(send_all(&lane, &traffic, &mut sink));
        prop_assert_eq!(&sink.0, &expected);
        let _runtime = runtime.enter();
        prop_assert_eq!(read(vec![sink.0]).0, frames);
    }
}
