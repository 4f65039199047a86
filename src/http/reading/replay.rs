//! A replay as lines: read as fast as the client takes it, and no faster.

use axum::BoxError;
use axum::body::{Body, Bytes};
use axum::http::HeaderValue;
use axum::http::header::{CONTENT_TYPE, X_CONTENT_TYPE_OPTIONS};
use axum::response::Response;
use futures_util::stream;

use super::super::unread::Flowing;
use super::accept::Format;
use super::encode;
use crate::reader::{ReadError, ReplayStream};
use crate::telemetry;

/// The most bytes that are handed to the connection at once.
const PIECE: usize = 64 * 1024;

/// Lines from a replay, until its end. Where it fails midway there is no end: the connection is
/// cut, so that no client takes a part for the whole.
pub(super) fn answer(replay: ReplayStream) -> Response {
    let lines = Lines { replay, encoded: Bytes::new() };
    let body = Body::from_stream(stream::try_unfold(lines, Lines::next));
    let mut response = Response::new(body);
    let media_type = HeaderValue::from_static(Format::Lines.media_type());
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, media_type);
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response.extensions_mut().insert(Flowing { closed: None });
    response
}

struct Lines {
    replay: ReplayStream,
    /// What has been read and not been handed on.
    encoded: Bytes,
}

impl Lines {
    async fn next(mut self) -> Result<Option<(Bytes, Self)>, BoxError> {
        if self.encoded.is_empty() {
            let Some(events) = self.replay.next().await else { return Ok(None) };
            self.encoded = encode::lines(&events.map_err(cut)?).into();
        }
        let piece = self.encoded.split_to(self.encoded.len().min(PIECE));
        Ok(Some((piece, self)))
    }
}

fn cut(error: ReadError) -> BoxError {
    telemetry::warn_limited!(?error, "a replay was cut");
    "the replay failed".into()
}
