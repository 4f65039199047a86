//! `GET /events/{cursor}`.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use axum::http::header::{
    CACHE_CONTROL, CONTENT_TYPE, ETAG, HeaderName, LAST_MODIFIED, X_CONTENT_TYPE_OPTIONS,
};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::Response;
use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};

use super::super::problem::{Kind, ParameterFault, Problem};
use super::super::{App, etag};
use super::refusal;
use crate::cursor::{Cursor, ParseCursorError};
use crate::reader::{Found, StoredEvent};
use crate::time;

/// An event never changes, and its cursor names no other.
const IMMUTABLE: HeaderValue = HeaderValue::from_static("public, max-age=31536000, immutable");

/// What an id in a header does not show as it is: all that is not plain ASCII is encoded anyway.
const HIDDEN: &AsciiSet = &CONTROLS.add(b' ').add(b'%');

/// The event at a cursor.
pub(in super::super) async fn event(
    State(app): State<Arc<App>>,
    cursor: Result<Path<String>, PathRejection>,
    headers: HeaderMap,
) -> Response {
    let text = cursor.map(|Path(text)| text).unwrap_or_default();
    read(&app, &text, &headers).await.unwrap_or_else(Problem::into_response)
}

async fn read(app: &App, text: &str, headers: &HeaderMap) -> Result<Response, Problem> {
    let cursor = text.parse().map_err(malformed)?;
    app.answers.check()?;
    match app.reader.event(cursor).await.map_err(refusal::unread)? {
        Found::Event(event) => answer(app, &event, headers),
        Found::NoEvent => Err(refusal::no_event(cursor)),
        Found::NotYet => Err(refusal::not_yet(cursor)),
        Found::Removed { earliest } => Err(refusal::removed(cursor, earliest)),
        Found::NoPartition { count } => Err(refusal::no_partition(cursor, count)),
    }
}

fn malformed(error: ParseCursorError) -> Problem {
    let fault = ParameterFault { parameter: "cursor".to_owned(), detail: format!("is {error}") };
    let detail = "The last part of the path is not a cursor; see errors.";
    Problem::new(Kind::InvalidParameter, detail).parameters(vec![fault])
}

fn answer(app: &App, event: &StoredEvent, headers: &HeaderMap) -> Result<Response, Problem> {
    let tag = tag(event.cursor());
    let (status, body) = if etag::has(headers, &tag) {
        (StatusCode::NOT_MODIFIED, Body::empty())
    } else {
        (StatusCode::OK, app.answers.hold(event.value())?.into())
    };
    let mut response = Response::new(body);
    *response.status_mut() = status;
    describe(event, tag, response.headers_mut());
    Ok(response)
}

fn tag(cursor: Cursor) -> String {
    format!("\"{cursor}\"")
}

fn describe(event: &StoredEvent, tag: String, headers: &mut HeaderMap) {
    // Whoever wrote the record, its value is JSON: no other type that a browser would run.
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(CACHE_CONTROL, IMMUTABLE);
    let id = utf8_percent_encode(event.id(), HIDDEN).to_string();
    let texts = [
        (ETAG, tag),
        (LAST_MODIFIED, time::http_date(event.time())),
        (HeaderName::from_static("event-cursor"), event.cursor().to_string()),
        (HeaderName::from_static("event-id"), id),
        (HeaderName::from_static("event-time"), time::shown(event.time()).to_string()),
    ];
    let values = texts.map(|(name, text)| (name, HeaderValue::try_from(text)));
    headers.extend(values.into_iter().filter_map(|(name, value)| Some((name, value.ok()?))));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_id_fits_a_header_and_can_be_read_from_it() {
        let encoded = |id| utf8_percent_encode(id, HIDDEN).to_string();
        assert_eq!(encoded("star-1/a:b\"c"), "star-1/a:b\"c");
        assert_eq!(encoded("100 % ü🎉"), "100%20%25%20%C3%BC%F0%9F%8E%89");
    }
}
