//! Accepting connections, serving them within limits, and letting them finish.

use std::sync::Arc;
use std::time::{Duration, Instant};

use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use hyper_util::server::graceful::{GracefulShutdown, Watcher};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::time::{sleep, timeout, timeout_at};
use tokio_io_timeout::TimeoutStream;

use super::Edge;
use crate::metrics::Metrics;
use crate::telemetry;

/// The most bytes that a connection buffers of what it reads.
const READ_BUFFER: usize = 64 * 1024;
/// Requests under way on one HTTP/2 connection.
const MAX_STREAMS: u32 = 100;
/// The bytes that one stream, and all streams of an HTTP/2 connection, may send before they are
/// read: no more than an HTTP/1 connection buffers, and some more for many streams.
const STREAM_WINDOW: u32 = 64 * 1024;
const CONNECTION_WINDOW: u32 = 256 * 1024;
/// How often an HTTP/2 connection is asked whether it is still there, and how long it may take
/// to say so.
const HTTP2_PING: Duration = Duration::from_secs(20);
/// How long accepting pauses when the system has no descriptors left.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Tells servers to stop: once set, the time by which the last request should be answered.
pub type Stop = watch::Receiver<Option<Instant>>;

/// A listener and what it serves.
pub struct Server {
    /// Where connections come from.
    pub listener: TcpListener,
    /// What answers the requests.
    pub edge: Edge,
    /// Connections at once; further ones wait to be accepted.
    pub max_connections: usize,
    /// How long a connection may go without a complete request head.
    pub idle_timeout: Duration,
    /// How long a client may leave its answer unread.
    pub write_timeout: Duration,
    /// The service's metrics.
    pub metrics: Arc<Metrics>,
}

impl Server {
    /// Serves until told to stop, then lets the requests under way finish. Returns how many
    /// connections had not finished by the deadline; they are cut.
    pub async fn run(self, mut stop: Stop) -> usize {
        let graceful = GracefulShutdown::new();
        let slots = Arc::new(Semaphore::new(self.max_connections));
        let deadline = loop {
            tokio::select! {
                biased;
                deadline = stopped(&mut stop) => break deadline,
                connection = self.accept(&slots) => {
                    if let Some((stream, slot)) = connection {
                        tokio::spawn(self.serve(stream, slot, graceful.watcher(), stop.clone()));
                    }
                }
            }
        };
        drop(self.listener);
        let finished = timeout_at(deadline.into(), graceful.shutdown()).await;
        if finished.is_ok() { 0 } else { self.max_connections - slots.available_permits() }
    }

    async fn accept(&self, slots: &Arc<Semaphore>) -> Option<(TcpStream, OwnedSemaphorePermit)> {
        let slot = Arc::clone(slots).acquire_owned().await.ok()?;
        match self.listener.accept().await {
            Ok((stream, _)) => Some((stream, slot)),
            Err(error) => {
                telemetry::warn_limited!("cannot accept a connection: {error}");
                sleep(ACCEPT_PAUSE).await;
                None
            }
        }
    }

    fn serve(
        &self,
        stream: TcpStream,
        slot: OwnedSemaphorePermit,
        watcher: Watcher,
        mut stop: Stop,
    ) -> impl Future<Output = ()> + use<> {
        let builder = self.builder();
        let edge = self.edge.clone();
        let metrics = Arc::clone(&self.metrics);
        let (idle_timeout, write_timeout) = (self.idle_timeout, self.write_timeout);
        async move {
            let _slot = slot;
            let _open = Open::count(metrics);
            // hyper's own timers start with the first byte.
            let mut first_byte = [0];
            tokio::select! {
                first = timeout(idle_timeout, stream.peek(&mut first_byte)) => if first.is_err() { return },
                _ = stopped(&mut stop) => return,
            }
            if let Err(error) = stream.set_nodelay(true) {
                tracing::debug!("cannot turn Nagle's algorithm off: {error}");
            }
            let service = service_fn(move |request| edge.clone().handle(request));
            let mut stream = Box::pin(TimeoutStream::new(stream));
            stream.as_mut().set_write_timeout_pinned(Some(write_timeout));
            let connection = builder.serve_connection(TokioIo::new(stream), service);
            if let Err(error) = watcher.watch(connection.into_owned()).await {
                // The client's doing: it hung up, was too slow, or spoke no HTTP.
                tracing::debug!("connection ended: {error}");
            }
        }
    }

    fn builder(&self) -> auto::Builder<TokioExecutor> {
        let mut builder = auto::Builder::new(TokioExecutor::new());
        builder
            .http1()
            .timer(TokioTimer::new())
            .header_read_timeout(self.idle_timeout)
            // A client may say that it sends no more, and wait for the answer.
            .half_close(true)
            .max_buf_size(READ_BUFFER);
        builder
            .http2()
            .timer(TokioTimer::new())
            .keep_alive_interval(HTTP2_PING)
            .keep_alive_timeout(HTTP2_PING)
            .initial_stream_window_size(STREAM_WINDOW)
            .initial_connection_window_size(CONNECTION_WINDOW)
            .max_concurrent_streams(MAX_STREAMS);
        builder
    }
}

/// Counts a connection for as long as it is open, however it ends.
struct Open {
    metrics: Arc<Metrics>,
}

impl Open {
    fn count(metrics: Arc<Metrics>) -> Self {
        metrics.connections.inc();
        Open { metrics }
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.metrics.connections.dec();
    }
}

async fn stopped(stop: &mut Stop) -> Instant {
    match stop.wait_for(Option::is_some).await {
        Ok(deadline) => deadline.unwrap_or_else(Instant::now),
        // Whoever could have told is gone.
        Err(_) => Instant::now(),
    }
}
