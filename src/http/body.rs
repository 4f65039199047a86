//! Receiving a body: bounded in bytes and time; a small one is admitted when it is there, a large
//! one before it is read.

use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::Request;
use axum::http::HeaderMap;
use axum::http::header::EXPECT;
use bytes::BytesMut;
use http_body_util::BodyExt;
use hyper::body::Body as _;
use tokio::time::{Instant, timeout, timeout_at};

use super::problem::{Kind, Problem};
use super::{App, answer};
use crate::kafka::Reason;
use crate::publisher::{Full, Permit};

/// A body in memory, and the permit for its bytes.
pub(super) struct Received {
    pub(super) bytes: Bytes,
    pub(super) permit: Permit,
}

/// Up to here a body is received before room is asked for: no more than its connection may
/// buffer anyway, and a slow sender holds nothing that others need.
const SMALL: usize = 64 * 1024;

/// How long, and for how many bytes, the rest of a refused body is read and thrown away. A client
/// that is still sending when the connection closes loses the answer.
const LINGER: Duration = Duration::from_secs(2);
const LINGER_BYTES: usize = 32 * 1024 * 1024;

/// Receives a body of at most `limit` bytes.
pub(super) async fn receive(app: &App, body: &mut Body, limit: usize) -> Result<Received, Problem> {
    let announced = usize::try_from(body.size_hint().lower()).unwrap_or(usize::MAX);
    // Before the first byte is read, so that a client who asked by Expect: 100-continue sends none.
    if announced > limit {
        return Err(too_large(limit));
    }
    let mut permit = app.admission.permit();
    let deadline = Instant::now() + app.body_timeout;
    let mut arriving = Arriving { body, bytes: Bytes::new(), more: BytesMut::new(), deadline };
    let has_ended = announced <= SMALL && arriving.read(limit.min(SMALL), app).await?;
    if !has_ended {
        // A length that was not announced may turn out to be anything.
        let most = if announced > SMALL { announced } else { limit };
        if most <= SMALL {
            return Err(too_large(limit));
        }
        let asked = Instant::now();
        permit.reserve_large(most).await.map_err(|full| no_room(app, full))?;
        // The wait was ours, not the client's.
        arriving.deadline += asked.elapsed();
        if !arriving.read(limit, app).await? {
            return Err(too_large(limit));
        }
    }
    let bytes = arriving.finish();
    permit.settle(bytes.len()).await.map_err(|full| no_room(app, full))?;
    Ok(Received { bytes, permit })
}

/// Reads on after a refusal, so that the answer arrives. A client who asked first sends nothing.
pub(super) async fn linger(headers: &HeaderMap, mut body: Body) {
    if headers.contains_key(EXPECT) {
        return;
    }
    let mut left = LINGER_BYTES;
    let discard = async {
        while let Some(Ok(frame)) = body.frame().await {
            let length = frame.data_ref().map_or(0, Bytes::len);
            let Some(less) = left.checked_sub(length) else { return };
            left = less;
        }
    };
    let _ = timeout(LINGER, discard).await;
}

/// A body as far as it has arrived. That of most requests is one frame, which needs no copy.
struct Arriving<'b> {
    body: &'b mut Body,
    bytes: Bytes,
    more: BytesMut,
    deadline: Instant,
}

impl Arriving<'_> {
    /// Reads to the end of the body, which gives true, or until there is more than `limit`.
    async fn read(&mut self, limit: usize, app: &App) -> Result<bool, Problem> {
        loop {
            let frame = timeout_at(self.deadline, self.body.frame());
            let Some(frame) = frame.await.map_err(|_| too_slow(app))? else { return Ok(true) };
            let ended_early = |_| Problem::new(Kind::MalformedJson, "The body ended early.");
            if let Ok(data) = frame.map_err(ended_early)?.into_data() {
                self.add(data);
            }
            if self.bytes.len() + self.more.len() > limit {
                return Ok(false);
            }
        }
    }

    fn add(&mut self, data: Bytes) {
        if self.bytes.is_empty() && self.more.is_empty() {
            self.bytes = data;
        } else {
            self.more.extend_from_slice(&std::mem::take(&mut self.bytes));
            self.more.extend_from_slice(&data);
        }
    }

    fn finish(self) -> Bytes {
        if self.more.is_empty() { self.bytes } else { self.more.freeze() }
    }
}

fn no_room(app: &App, _: Full) -> Problem {
    answer::not_stored(app, Reason::BufferFull)
}

fn too_slow(app: &App) -> Problem {
    let seconds = app.body_timeout.as_secs_f64();
    let detail = format!("The body did not arrive within {seconds} s. Nothing was written.");
    Problem::new(Kind::BodyTimeout, detail)
}

fn too_large(limit: usize) -> Problem {
    let detail = format!("The body is larger than {limit} bytes. Nothing was written: send less.");
    Problem::new(Kind::TooLarge, detail)
}

/// Splits a request into what the handlers look at and its body.
pub(super) fn split(request: Request) -> (HeaderMap, Body) {
    let (parts, body) = request.into_parts();
    (parts.headers, body)
}
