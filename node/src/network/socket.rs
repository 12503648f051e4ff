//! A socket whose other end must read: without that, closing a connection could wait for ever.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use futures_util::io::{AsyncRead, AsyncWrite};
use tokio::time::{Instant, Sleep, sleep};

use super::frames::SILENCE;

/// A socket on which writing fails once it made no progress for [`SILENCE`].
#[derive(Debug)]
pub(super) struct Socket<S> {
    inner: S,
    /// Runs while a write waits.
    due: Option<Pin<Box<Sleep>>>,
}

impl<S> Socket<S> {
    pub(super) fn new(inner: S) -> Self {
        Self { inner, due: None }
    }

    /// Passes on how a write went, or ends one that waits too long.
    fn watch<T>(&mut self, context: &mut Context<'_>, outcome: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if outcome.is_ready() {
            self.due = None;
            return outcome;
        }
        let due = self.due.get_or_insert_with(|| Box::pin(sleep(SILENCE)));
        if due.deadline() > Instant::now() {
            ready!(due.as_mut().poll(context));
        }
        Poll::Ready(Err(io::Error::new(io::ErrorKind::TimedOut, "the peer does not read")))
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Socket<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.inner).poll_read(context, buffer)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Socket<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &[u8],
    ) -> Poll<io::Result<usize>> {
        let outcome = Pin::new(&mut self.inner).poll_write(context, buffer);
        self.watch(context, outcome)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffers: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let outcome = Pin::new(&mut self.inner).poll_write_vectored(context, buffers);
        self.watch(context, outcome)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let outcome = Pin::new(&mut self.inner).poll_flush(context);
        self.watch(context, outcome)
    }

    fn poll_close(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let outcome = Pin::new(&mut self.inner).poll_close(context);
        self.watch(context, outcome)
    }
}

#[cfg(test)]
mod tests {
    use futures_util::AsyncWriteExt as _;
    use tokio_util::compat::TokioAsyncReadCompatExt as _;

    use super::{SILENCE, Socket};

    #[tokio::test]
    async fn a_peer_that_does_not_read_is_given_up() {
        let (near, far) = tokio::io::duplex(1 << 10);
        let mut socket = Socket::new(near.compat());
        let began = std::time::Instant::now();
        let error = socket.write_all(&[0; 1 << 12]).await.unwrap_err();
        assert_eq!(error.kind(), std::io::ErrorKind::TimedOut);
        assert!(began.elapsed() >= SILENCE);
        drop(far);
    }
}
