//! Serving connections: only so many at a time, and none for ever.

use std::future::{Future, IntoFuture as _};
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::Router;
use axum::serve::Listener;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};
use tokio::time::{Sleep, sleep};

use crate::limits::ApiLimits;

/// Serves until `shutdown` completes, then lets requests in progress end within the grace.
///
/// # Errors
/// When the listener fails.
pub async fn serve(
    listener: TcpListener,
    router: Router,
    limits: &ApiLimits,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> io::Result<()> {
    let gate = Gate {
        listener,
        slots: Arc::new(Semaphore::new(limits.connections.clamp(1, Semaphore::MAX_PERMITS))),
        // A client that waits for a status sends nothing for as long as that may take.
        read_timeout: limits.wait_max + limits.body_timeout,
        write_timeout: limits.write_timeout,
    };
    let (stop, stopping) = oneshot::channel();
    let signal = async move {
        shutdown.await;
        // Nobody listens any more when serving failed before.
        let _ = stop.send(());
    };
    let grace = limits.shutdown_grace;
    let cut_off = async move {
        match stopping.await {
            Ok(()) => sleep(grace).await,
            Err(_never_sent) => std::future::pending().await,
        }
    };
    tokio::select! {
        result = axum::serve(gate, router).with_graceful_shutdown(signal).into_future() => result,
        () = cut_off => {
            tracing::info!("requests still in progress are cut off");
            Ok(())
        }
    }
}

/// Accepts a connection only when a slot is free; the others wait in the kernel's queue.
struct Gate {
    listener: TcpListener,
    slots: Arc<Semaphore>,
    read_timeout: Duration,
    write_timeout: Duration,
}

impl Listener for Gate {
    type Io = Guarded;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Guarded, SocketAddr) {
        let slot = Arc::clone(&self.slots).acquire_owned().await.expect("invariant: never closed");
        let (stream, address) = Listener::accept(&mut self.listener).await;
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%error, "answers may be delayed");
        }
        let (reading, writing) = (Patience::new(self.read_timeout), Patience::new(self.write_timeout));
        (Guarded { stream, reading, writing, _slot: slot }, address)
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }
}

/// A connection that holds a slot and fails when the client neither sends nor takes anything for too long.
struct Guarded {
    stream: TcpStream,
    reading: Patience,
    writing: Patience,
    _slot: OwnedSemaphorePermit,
}

/// How long an operation may make no progress.
struct Patience {
    timeout: Duration,
    timer: Option<Pin<Box<Sleep>>>,
}

impl Patience {
    fn new(timeout: Duration) -> Self {
        Self { timeout, timer: None }
    }

    /// Passes on what an operation came to, or fails when it has been pending for too long.
    fn limit<T>(&mut self, context: &mut Context<'_>, outcome: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if outcome.is_ready() {
            self.timer = None;
            return outcome;
        }
        let timeout = self.timeout;
        ready!(self.timer.get_or_insert_with(|| Box::pin(sleep(timeout))).as_mut().poll(context));
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
    }
}

impl AsyncRead for Guarded {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let outcome = Pin::new(&mut self.stream).poll_read(context, buffer);
        self.reading.limit(context, outcome)
    }
}

impl AsyncWrite for Guarded {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let outcome = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.writing.limit(context, outcome)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let outcome = Pin::new(&mut self.stream).poll_write_vectored(context, slices);
        self.writing.limit(context, outcome)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let outcome = Pin::new(&mut self.stream).poll_flush(context);
        self.writing.limit(context, outcome)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let outcome = Pin::new(&mut self.stream).poll_shutdown(context);
        self.writing.limit(context, outcome)
    }
}
