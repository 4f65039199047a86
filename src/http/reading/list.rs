//! `GET /events`: the events of one source, in pages or as lines.

use std::sync::Arc;

use axum::extract::State;
use axum::http::header::{CACHE_CONTROL, VARY};
use axum::http::{HeaderMap, HeaderValue, StatusCode, Uri};
use axum::response::Response;

use super::super::problem::{Kind, Problem};
use super::super::{App, answer};
use super::accept::{self, Format};
use super::query::{Query, Range};
use super::{encode, refusal, replay};
use crate::reader::{Page, Start};

/// The events of a source.
pub(in super::super) async fn list(
    State(app): State<Arc<App>>,
    uri: Uri,
    headers: HeaderMap,
) -> Response {
    let answer = read(&app, &uri, &headers).await;
    let mut response = answer.unwrap_or_else(Problem::into_response);
    let headers = response.headers_mut();
    headers.insert(VARY, HeaderValue::from_static("accept"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

async fn read(app: &App, uri: &Uri, headers: &HeaderMap) -> Result<Response, Problem> {
    let query = Query::read(uri.query())?;
    let format = accept::choose(headers, query.formats()).ok_or_else(|| not_acceptable(&query))?;
    app.answers.check()?;
    match (format, &query.range) {
        (Format::Lines, Range::Oldest(start)) => lines(app, &query, start).await,
        _ => page(app, &query).await,
    }
}

async fn page(app: &App, query: &Query) -> Result<Response, Problem> {
    let (source, limit) = (&query.source, query.limit());
    let page: Page = match &query.range {
        Range::Newest(before) => app.reader.recent(source, before.as_ref(), limit).await,
        Range::Oldest(start) => app.reader.replay(source, start, limit).await,
    }
    .map_err(refusal::unread)?;
    let body = app.answers.hold(encode::page(&page))?;
    Ok(answer::of_json(StatusCode::OK, body.into()))
}

async fn lines(app: &App, query: &Query, start: &Start) -> Result<Response, Problem> {
    let stream = app.reader.replay_stream(query.source.clone(), start.clone()).await;
    Ok(replay::answer(stream.map_err(refusal::unread)?))
}

fn not_acceptable(query: &Query) -> Problem {
    let detail = if query.formats().contains(&Format::Lines) {
        "Events are application/json, or lines of it, application/x-ndjson: accept one of these."
    } else {
        "Here events are application/json. Lines, application/x-ndjson, go on to the end of the \
         log: for these say where to begin, as in after=beginning, and no limit."
    };
    Problem::new(Kind::NotAcceptable, detail)
}
