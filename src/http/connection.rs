//! One connection, from its first byte to its end.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::BoxError;
use axum::http::header::CONNECTION;
use axum::http::{HeaderValue, Request, StatusCode, Version};
use axum::response::Response;
use futures_util::future::{AbortHandle, Abortable, Aborted};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use hyper_util::server::graceful::Watcher;
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};

use super::Edge;
use super::open::Open;
use super::phase::{Phase, Stop, stopped};
use super::quiet::Quiet;
use super::unread::Unread;
use super::upgrade::Handover;
use super::wire::{Endless, Wire};

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
/// How the first line of an HTTP/2 connection begins, and that of no request that is taken here.
const HTTP2: &[u8; 3] = b"PRI";

/// A connection that was accepted.
pub(super) struct Connection {
    pub(super) stream: TcpStream,
    pub(super) edge: Edge,
    pub(super) idle_timeout: Duration,
    pub(super) write_timeout: Duration,
    pub(super) farewell: Duration,
    pub(super) open: Open,
}

impl Connection {
    /// Serves it until it ends, or is told to stop and has answered what was under way.
    pub(super) async fn serve(self, watcher: Watcher, stop: Stop) {
        let Some(is_http1) = self.begins_as_http1(stop.clone()).await else { return };
        if let Err(error) = self.stream.set_nodelay(true) {
            tracing::debug!("cannot turn Nagle's algorithm off: {error}");
        }
        // Over HTTP/1 hyper has a timer for this, and it costs nothing.
        let quiet = (!is_http1).then(Quiet::new);
        let (cut, is_cut) = AbortHandle::new_pair();
        let open = Arc::new(self.open);
        let endless = Endless::default();
        let wire = Wire::new(self.stream, self.write_timeout, endless.clone());
        let wire = wire.known_as_http1(is_http1);
        let requests = Requests {
            edge: self.edge,
            unread: Unread::new(self.write_timeout, (cut, endless), stop.clone()),
            quiet: quiet.clone(),
            open: Arc::clone(&open),
            stop,
        };
        // Boxed, or each idle connection would have room for it.
        let service = service_fn(move |request| Box::pin(requests.clone().answer(request)));
        let builder = builder(self.idle_timeout);
        let wire = TokioIo::new(wire);
        let connection = builder.serve_connection_with_upgrades(wire, service).into_owned();
        let connection = Abortable::new(watcher.watch(connection), is_cut);
        match quiet {
            None => tell(connection.await),
            Some(quiet) => tokio::select! {
                end = connection => tell(end),
                () = quiet.lasts(self.idle_timeout) => tracing::debug!("connection closed: idle"),
            },
        }
        drop(open);
    }

    /// Waits for its first bytes, with which hyper's timers start. None: none come.
    async fn begins_as_http1(&self, mut stop: Stop) -> Option<bool> {
        let mut first = [0; HTTP2.len()];
        let is_late = async {
            stopped(&mut stop).await;
            sleep(self.farewell).await;
        };
        tokio::select! {
            read = timeout(self.idle_timeout, self.stream.peek(&mut first)) => {
                let length = read.ok()?.ok()?;
                Some(!HTTP2.starts_with(&first[..length]))
            }
            () = is_late => None,
        }
    }
}

/// What answers the requests of one connection.
#[derive(Clone)]
struct Requests {
    edge: Edge,
    unread: Unread,
    quiet: Option<Quiet>,
    open: Arc<Open>,
    stop: Stop,
}

impl Requests {
    async fn answer(self, mut request: Request<Incoming>) -> Result<Response, Infallible> {
        let version = request.version();
        Handover::offer(&mut request, (&self.open, &self.unread), self.quiet.as_ref());
        let under_way = self.quiet.as_ref().map(Quiet::request);
        let mut response = self.edge.handle(request).await?;
        let goes_on =
            version == Version::HTTP_2 || response.status() == StatusCode::SWITCHING_PROTOCOLS;
        if !goes_on && *self.stop.borrow() != Phase::Serving {
            response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
        }
        Ok(self.unread.watch(version, response, under_way))
    }
}

fn tell(end: Result<Result<(), BoxError>, Aborted>) {
    // The client's doing: it hung up, was too slow, or spoke no HTTP.
    match end {
        Ok(Ok(())) => {}
        Ok(Err(error)) => tracing::debug!("connection ended: {error}"),
        Err(Aborted) => tracing::debug!("connection cut: an answer was left unread"),
    }
}

fn builder(idle_timeout: Duration) -> auto::Builder<TokioExecutor> {
    let mut builder = auto::Builder::new(TokioExecutor::new());
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(idle_timeout)
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
        .max_concurrent_streams(MAX_STREAMS)
        // WebSockets, as RFC 8441 has them.
        .enable_connect_protocol();
    builder
}
