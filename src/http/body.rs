//! Receiving a body: bounded in bytes and time; a small one is admitted when it is there, a large
//! one when its first part is.

use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::Request;
use axum::http::HeaderMap;
use axum::http::header::EXPECT;
use axum::response::Response;
use http_body_util::BodyExt;
use hyper::body::Body as _;
use tokio::time::{Instant, timeout, timeout_at};

use super::pieces::Pieces;
use super::problem::{Kind, Problem};
use super::{App, answer};
use crate::kafka::Reason;
use crate::publisher::{Full, Permit};

/// A body that is posted, unread or in part.
pub(super) struct Posted {
    body: Body,
    /// A client that waits for `100 Continue` sends nothing before the first read.
    is_begun: bool,
}

/// A body in memory, and the permit for its bytes.
pub(super) struct Received {
    pub(super) bytes: Bytes,
    pub(super) permit: Permit,
}

/// Up to here a body is received before room is asked for: no more than its connection may
/// buffer anyway, and a slow sender holds nothing that others need.
const SMALL: usize = 64 * 1024;

/// The share of `http.body_timeout` by which a body that holds room may be behind the pace that
/// brings it in by then.
const SLACK: f64 = 0.25;

/// How long, and for how many bytes, the rest of a refused body is read and thrown away. A client
/// that is still sending when the connection closes loses the answer.
const LINGER: Duration = Duration::from_secs(2);
const LINGER_BYTES: usize = 32 * 1024 * 1024;

/// Splits a request into what the handlers look at and its body.
pub(super) fn split(request: Request) -> (HeaderMap, Posted) {
    let (parts, body) = request.into_parts();
    (parts.headers, Posted { body, is_begun: false })
}

/// Receives a body of at most `limit` bytes.
pub(super) async fn receive(
    app: &App,
    posted: &mut Posted,
    limit: usize,
) -> Result<Received, Problem> {
    let announced = posted.body.size_hint().exact();
    let announced = announced.map(|bytes| usize::try_from(bytes).unwrap_or(usize::MAX));
    // Before the first byte is read, so that a client who asked by Expect: 100-continue sends none.
    if announced.is_some_and(|bytes| bytes > limit) {
        return Err(too_large(limit));
    }
    posted.is_begun = true;
    let mut arriving = Arriving::new(app, &mut posted.body);
    if !arriving.read(limit.min(SMALL)).await? {
        arriving.read_large(announced, limit).await?;
    }
    arriving.admit().await
}

/// The answer for a body that was refused, once its sender can take it.
pub(super) async fn refuse(problem: Problem, headers: &HeaderMap, posted: Posted) -> Response {
    if problem.kind != Kind::BodyTimeout {
        linger(headers, posted).await;
    }
    problem.into_response()
}

/// Reads on after a refusal, so that the answer arrives. A client who asked first, and was not
/// told to go on, sends nothing.
async fn linger(headers: &HeaderMap, mut posted: Posted) {
    if headers.contains_key(EXPECT) && !posted.is_begun {
        return;
    }
    let mut left = LINGER_BYTES;
    let discard = async {
        while let Some(Ok(frame)) = posted.body.frame().await {
            let length = frame.data_ref().map_or(0, Bytes::len);
            let Some(less) = left.checked_sub(length) else { return };
            left = less;
        }
    };
    let _ = timeout(LINGER, discard).await;
}

/// A body as far as it has arrived.
struct Arriving<'a> {
    app: &'a App,
    body: &'a mut Body,
    permit: Permit,
    /// A body that is complete in its first piece, as most are: it needs no copy.
    whole: Bytes,
    /// Any other.
    pieces: Pieces,
    deadline: Instant,
    /// The length that was announced, once as much room is held.
    held_for: Option<usize>,
}

impl<'a> Arriving<'a> {
    fn new(app: &'a App, body: &'a mut Body) -> Self {
        Arriving {
            app,
            body,
            permit: app.admission.permit(),
            whole: Bytes::new(),
            pieces: Pieces::default(),
            deadline: Instant::now() + app.body_timeout,
            held_for: None,
        }
    }

    /// Reads to the end of the body, which gives true, or until there is more than `most`.
    async fn read(&mut self, most: usize) -> Result<bool, Problem> {
        while self.len() <= most {
            if !self.read_piece().await? {
                return Ok(self.len() <= most);
            }
            self.permit.arrive(self.len()).map_err(|full| no_room(self.app, full))?;
        }
        Ok(false)
    }

    /// Reads the rest of a body with room for it. One that announced its length gets it in one
    /// go. Any other gets no more than twice what it has sent.
    async fn read_large(&mut self, announced: Option<usize>, limit: usize) -> Result<(), Problem> {
        let mut room = announced.unwrap_or(2 * self.len()).min(limit);
        self.reserve(room).await?;
        self.held_for = announced;
        while !self.read(room).await? {
            if room == limit {
                return Err(too_large(limit));
            }
            room = (2 * room).min(limit);
            self.permit.extend_large(room).map_err(|full| no_room(self.app, full))?;
            self.pieces.make_room(self.permit.held());
        }
        Ok(())
    }

    async fn reserve(&mut self, room: usize) -> Result<(), Problem> {
        let asked = Instant::now();
        self.permit.reserve_large(room).await.map_err(|full| no_room(self.app, full))?;
        // The wait was ours, not the client's.
        self.deadline += asked.elapsed();
        if self.whole.is_empty() {
            self.pieces.make_room(self.permit.held());
        }
        Ok(())
    }

    /// Whether there may be more to read.
    async fn read_piece(&mut self) -> Result<bool, Problem> {
        let frame = timeout_at(self.due(), self.body.frame());
        let Some(frame) = frame.await.map_err(|_| self.too_slow())? else { return Ok(false) };
        let ended_early = |_| Problem::new(Kind::MalformedJson, "The body ended early.");
        let data = frame.map_err(ended_early)?.into_data().unwrap_or_default();
        let has_ended = self.body.is_end_stream();
        if has_ended && self.len() == 0 {
            self.whole = data;
        } else {
            self.pieces.push(&data);
        }
        Ok(!has_ended)
    }

    /// When the next piece has to be there. Whoever holds room that others wait for has to come
    /// at the pace that fills it in time.
    fn due(&self) -> Instant {
        let Some(announced) = self.held_for else { return self.deadline };
        let ahead = 1.0 - SLACK - self.len() as f64 / announced as f64;
        self.deadline - self.app.body_timeout.mul_f64(ahead.max(0.0))
    }

    fn len(&self) -> usize {
        self.whole.len() + self.pieces.len()
    }

    async fn admit(mut self) -> Result<Received, Problem> {
        self.permit.settle(self.len()).await.map_err(|full| no_room(self.app, full))?;
        let is_whole = self.pieces.len() == 0;
        let bytes = if is_whole { self.whole } else { self.pieces.into_bytes() };
        Ok(Received { bytes, permit: self.permit })
    }

    fn too_slow(&self) -> Problem {
        let seconds = self.app.body_timeout.as_secs_f64();
        let detail = if Instant::now() < self.deadline {
            format!("The body comes too slowly to arrive within {seconds} s. Nothing was written.")
        } else {
            format!("The body did not arrive within {seconds} s. Nothing was written.")
        };
        Problem::new(Kind::BodyTimeout, detail)
    }
}

fn no_room(app: &App, _: Full) -> Problem {
    answer::not_stored(app, Reason::BufferFull)
}

fn too_large(limit: usize) -> Problem {
    let detail = format!("The body is larger than {limit} bytes. Nothing was written: send less.");
    Problem::new(Kind::TooLarge, detail)
}
