//! Serving connections: only so many at a time, and none for ever.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::serve::Listener;
use axum::{Extension, Router};
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Sleep, sleep, timeout};

use crate::closing::Closing;
use crate::limits::ApiLimits;
use crate::tls::{OverTls, Tls};

/// Bytes of a connection's buffer: room for the longest request line that the parser takes, 64 KiB, and its headers.
const BUFFER_BYTES: usize = 128 * 1024;

/// Serves until `shutdown` completes, then lets requests in progress end within the grace. Subscriptions are closed. With
/// `tls`, nothing else is spoken.
///
/// # Errors
/// When the listener has no address.
pub async fn serve(
    listener: TcpListener,
    router: Router,
    limits: &ApiLimits,
    tls: Option<Tls>,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> io::Result<()> {
    tracing::debug!(address = %listener.local_addr()?, "serving");
    let (close, closing) = Closing::new();
    let router = router.layer(Extension(closing.clone()));
    let router = if tls.is_some() { router.layer(Extension(OverTls)) } else { router };
    let connections = limits.connections.clamp(1, Semaphore::MAX_PERMITS.min(u32::MAX as usize));
    let slots = Arc::new(Semaphore::new(connections));
    let mut gate = Gate { listener, slots: Arc::clone(&slots), limits: limits.clone() };
    tokio::pin!(shutdown);
    loop {
        tokio::select! {
            () = &mut shutdown => break,
            stream = gate.accept() => {
                let (router, closing, patience) = (router.clone(), closing.clone(), limits.header_timeout);
                match tls.clone() {
                    None => tokio::spawn(converse(stream, router, closing, patience)),
                    Some(tls) => tokio::spawn(converse_over(tls, stream, router, closing, patience)),
                };
            }
        }
    }
    drop(gate);
    close.send_replace(true);
    // A connection holds its slot to its end, also when it became a WebSocket.
    let all = u32::try_from(connections).expect("invariant: clamped above");
    if timeout(limits.shutdown_grace, slots.acquire_many(all)).await.is_err() {
        tracing::info!("requests still in progress are cut off");
    }
    Ok(())
}

/// Shakes hands, which may take as long as the head of a request, and then converses.
async fn converse_over(
    tls: Tls,
    stream: Guarded,
    router: Router,
    closing: Closing,
    header_timeout: Duration,
) {
    match timeout(header_timeout, tls.0.accept(stream)).await {
        Ok(Ok(stream)) => converse(stream, router, closing, header_timeout).await,
        Ok(Err(error)) => tracing::debug!(%error, "a TLS handshake failed"),
        Err(_elapsed) => tracing::debug!("a TLS handshake took too long"),
    }
}

/// Answers the requests of one connection, one after the other.
async fn converse<S>(stream: S, router: Router, mut closing: Closing, header_timeout: Duration)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(header_timeout)
        .max_buf_size(BUFFER_BYTES)
        .serve_connection(TokioIo::new(stream), TowerToHyperService::new(router))
        .with_upgrades();
    tokio::pin!(connection);
    let result = tokio::select! {
        result = connection.as_mut() => result,
        () = closing.begun() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = result {
        tracing::debug!(%error, "a connection broke off");
    }
}

/// Accepts a connection only when a slot is free; the others wait in the kernel's queue.
struct Gate {
    listener: TcpListener,
    slots: Arc<Semaphore>,
    limits: ApiLimits,
}

impl Gate {
    async fn accept(&mut self) -> Guarded {
        let slot = Arc::clone(&self.slots).acquire_owned().await.expect("invariant: never closed");
        let (stream, _): (TcpStream, SocketAddr) = Listener::accept(&mut self.listener).await;
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%error, "answers may be delayed");
        }
        // A client that waits for a status sends nothing for as long as that may take.
        let reading = Patience::new(self.limits.wait_max + self.limits.body_timeout);
        let writing = Patience::new(self.limits.write_timeout);
        Guarded { stream, reading, writing, _slot: slot }
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
