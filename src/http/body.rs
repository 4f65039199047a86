//! Receiving a body: bounded in bytes and time, and admitted as it arrives.

use axum::body::{Body, Bytes};
use axum::extract::Request;
use bytes::BytesMut;
use http_body_util::BodyExt;
use hyper::body::Body as _;
use tokio::time::timeout;

use super::App;
use super::problem::{Kind, Problem};
use crate::kafka::Reason;
use crate::publisher::Permit;

/// A body in memory, and the permit for its bytes.
pub(super) struct Received {
    pub(super) bytes: Bytes,
    pub(super) permit: Permit,
}

/// Receives a body of at most `limit` bytes.
pub(super) async fn receive(app: &App, body: Body, limit: usize) -> Result<Received, Problem> {
    // Before the first byte is read, so that a client who asked by Expect: 100-continue sends none.
    if body.size_hint().lower() > limit as u64 {
        return Err(too_large(limit));
    }
    timeout(app.body_timeout, collect(app, body, limit)).await.unwrap_or_else(|_| {
        let seconds = app.body_timeout.as_secs_f64();
        let detail = format!("The body did not arrive within {seconds} s. Nothing was written.");
        Err(Problem::new(Kind::BodyTimeout, detail))
    })
}

async fn collect(app: &App, mut body: Body, limit: usize) -> Result<Received, Problem> {
    let mut permit = app.admission.permit();
    let mut bytes = Bytes::new();
    let mut more = BytesMut::new();
    while let Some(frame) = body.frame().await {
        let frame =
            frame.map_err(|_| Problem::new(Kind::MalformedJson, "The body ended early."))?;
        let Ok(data) = frame.into_data() else { continue };
        if bytes.len() + more.len() + data.len() > limit {
            return Err(too_large(limit));
        }
        permit
            .grow(data.len())
            .await
            .map_err(|_| super::answer::not_stored(app, Reason::BufferFull))?;
        // The body of most requests is one frame, which needs no copy.
        if bytes.is_empty() && more.is_empty() {
            bytes = data;
        } else {
            more.extend_from_slice(&std::mem::take(&mut bytes));
            more.extend_from_slice(&data);
        }
    }
    let bytes = if more.is_empty() { bytes } else { more.freeze() };
    Ok(Received { bytes, permit })
}

fn too_large(limit: usize) -> Problem {
    let detail = format!("The body is larger than {limit} bytes. Nothing was written: send less.");
    Problem::new(Kind::TooLarge, detail)
}

/// Splits a request into what the handlers look at and its body.
pub(super) fn split(request: Request) -> (axum::http::HeaderMap, Body) {
    let (parts, body) = request.into_parts();
    (parts.headers, body)
}
