//! `POST /events/fetch`: many cursors, read together.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::header::CACHE_CONTROL;
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::Response;
use serde_json::Value;

use super::super::body::{self, Posted, Received};
use super::super::problem::{Kind, Problem};
use super::super::{App, answer, media};
use super::{encode, refusal};
use crate::cursor::Cursor;
use crate::event::Fault;
use crate::reader::{Found, ReadError};

/// Bytes of a body for each cursor that it may have: twice the longest, for white space.
const BYTES_A_CURSOR: usize = 64;
/// How many faults are listed.
const LISTED: usize = 100;

/// What is at each of the cursors in the body.
pub(in super::super) async fn fetch(State(app): State<Arc<App>>, request: Request) -> Response {
    let (headers, mut posted) = body::split(request);
    match read(&app, &headers, &mut posted).await {
        Ok(response) => response,
        Err(problem) => body::refuse(problem, &headers, posted).await,
    }
}

async fn read(app: &App, headers: &HeaderMap, posted: &mut Posted) -> Result<Response, Problem> {
    media::of_cursors(headers)?;
    app.answers.check()?;
    let cursors = receive(app, posted).await?;
    let outcomes = app.reader.events(&cursors).await;
    if let Some(error) = none(&outcomes) {
        return Err(refusal::unread(error));
    }
    let body = app.answers.hold(encode::results(&cursors, &outcomes))?;
    let mut response = answer::of_json(StatusCode::OK, body.into());
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    Ok(response)
}

/// Why there is nothing to answer with, when there is not.
fn none(outcomes: &[Result<Found, ReadError>]) -> Option<ReadError> {
    let is_none = outcomes.iter().all(Result::is_err);
    outcomes.first().filter(|_| is_none)?.clone().err()
}

/// The cursors of the body. Its bytes count as in flight only until they are read.
async fn receive(app: &App, posted: &mut Posted) -> Result<Vec<Cursor>, Problem> {
    let limit = BYTES_A_CURSOR * (app.max_fetch + 1);
    let Received { bytes, .. } = body::receive(app, posted, limit).await.map_err(for_reading)?;
    cursors(&bytes, app.max_fetch)
}

/// The service is as full as for a write, and what a writer is told is not for a reader.
fn for_reading(problem: Problem) -> Problem {
    if problem.kind == Kind::NotStored { refusal::no_room() } else { problem }
}

fn cursors(body: &[u8], most: usize) -> Result<Vec<Cursor>, Problem> {
    let body: Value = serde_json::from_slice(body).map_err(|error| malformed(&error))?;
    let list = list(&body)?;
    if list.len() > most {
        let detail = format!("holds {} cursors and the limit is {most}; ask in parts", list.len());
        return Err(faulty(Kind::InvalidRequest, vec![fault("/cursors", detail)]));
    }
    let parsed = list.iter().enumerate().map(|(index, value)| cursor(index, value));
    let (good, bad): (Vec<_>, Vec<_>) = parsed.partition(Result::is_ok);
    if bad.is_empty() {
        return Ok(good.into_iter().flatten().collect());
    }
    let omitted = bad.len().saturating_sub(LISTED);
    let faults = bad.into_iter().filter_map(Result::err).take(LISTED).collect();
    Err(faulty(Kind::InvalidRequest, faults).omitted(omitted))
}

/// The list in a body that has nothing else.
fn list(body: &Value) -> Result<&Vec<Value>, Problem> {
    let invalid = |pointer, detail: &str| {
        let fault = fault(pointer, detail.to_owned());
        Err(faulty(Kind::InvalidRequest, vec![fault]))
    };
    let Some(members) = body.as_object() else {
        return invalid("", r#"is no object; send {"cursors":["3-42"]}"#);
    };
    if let Some(name) = members.keys().find(|name| *name != "cursors") {
        let pointer = format!("/{}", name.replace('~', "~0").replace('/', "~1"));
        return invalid(&pointer, "is not known; send cursors alone");
    }
    match members.get("cursors").map(Value::as_array) {
        Some(Some(list)) if !list.is_empty() => Ok(list),
        Some(Some(_)) => invalid("/cursors", "is empty; send at least one cursor"),
        Some(None) => invalid("/cursors", "is no array; send an array of cursors"),
        None => invalid("/cursors", "is missing; send an array of cursors"),
    }
}

fn cursor(index: usize, value: &Value) -> Result<Cursor, Fault> {
    let pointer = format!("/cursors/{index}");
    let Some(text) = value.as_str() else {
        return Err(fault(&pointer, "is no string; send a cursor, as in \"3-42\"".to_owned()));
    };
    text.parse().map_err(|error| fault(&pointer, format!("is {error}")))
}

fn malformed(error: &serde_json::Error) -> Problem {
    faulty(Kind::MalformedJson, vec![fault("", error.to_string())])
}

fn fault(pointer: &str, detail: String) -> Fault {
    Fault { pointer: pointer.to_owned(), detail }
}

fn faulty(kind: Kind, faults: Vec<Fault>) -> Problem {
    Problem::new(kind, "The body is not what this route takes; see errors.").faults(faults)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kind(body: &str) -> Kind {
        cursors(body.as_bytes(), 3).unwrap_err().kind
    }

    #[test]
    fn cursors_keep_their_order_and_may_repeat() {
        let body = br#" {"cursors": ["3-42", "0-1", "3-42"]} "#;
        let texts: Vec<_> =
            cursors(body, 3).unwrap().into_iter().map(|cursor| cursor.to_string()).collect();
        assert_eq!(texts, ["3-42", "0-1", "3-42"]);
    }

    #[test]
    fn what_is_wrong_is_told_apart() {
        for body in ["", "{", r#"{"cursors":["3-42",]}"#, "{\"cursors\":[\"\u{1}\"]}"] {
            assert_eq!(kind(body), Kind::MalformedJson, "{body}");
        }
        for body in [
            "[]",
            "{}",
            r#"{"cursors":[]}"#,
            r#"{"cursors":"3-42"}"#,
            r#"{"cursors":[3]}"#,
            r#"{"cursors":["3-042"]}"#,
            r#"{"cursors":["3-42"],"more":1}"#,
        ] {
            assert_eq!(kind(body), Kind::InvalidRequest, "{body}");
        }
        assert_eq!(kind(r#"{"cursors":["0-0","0-1","0-2","0-3"]}"#), Kind::InvalidRequest);
    }
}
