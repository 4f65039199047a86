//! From outcomes to answers: the only place that turns *stored*, *not stored* and *unknown*
//! into statuses.

use axum::http::StatusCode;
use axum::http::header::{CONTENT_TYPE, HeaderValue, LOCATION};
use axum::response::Response;
use serde::Serialize;

use super::App;
use super::item::{Item, items};
use super::problem::{Kind, Problem};
use crate::cursor::Cursor;
use crate::event::Event;
use crate::kafka::{Outcome, Reason};

/// When a client should come back, in seconds, if it is not the buffer that is in the way.
const RETRY_SOON: u32 = 5;

#[derive(Serialize)]
struct Stored<'a> {
    id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    cursor: Option<Cursor>,
}

#[derive(Serialize)]
struct Results<'a> {
    results: Vec<Item<'a>>,
}

#[derive(Serialize)]
struct Minimal {
    stored: usize,
}

/// The answer for one event.
pub(super) fn single(
    app: &App,
    event: &Event<'_>,
    outcomes: &[Outcome],
) -> Result<Response, Problem> {
    match outcomes {
        [Outcome::Stored(cursor)] => Ok(created(event.id(), *cursor)),
        [Outcome::NotStored(reason)] => Err(not_stored(app, *reason).id(event.id())),
        _ => Err(Problem::new(Kind::UnknownOutcome, UNKNOWN).id(event.id())),
    }
}

fn created(id: &str, cursor: Option<Cursor>) -> Response {
    let mut response = json(StatusCode::CREATED, &Stored { id, cursor });
    let location = cursor.map(|cursor| HeaderValue::try_from(format!("/events/{cursor}")));
    if let Some(Ok(location)) = location {
        response.headers_mut().insert(LOCATION, location);
    }
    response
}

/// The answer for a batch.
pub(super) fn batch(
    app: &App,
    events: &[Event<'_>],
    outcomes: &[Outcome],
    minimal: bool,
) -> Result<Response, Problem> {
    let count = |is: fn(&Outcome) -> bool| outcomes.iter().filter(|outcome| is(outcome)).count();
    let stored = count(|outcome| matches!(outcome, Outcome::Stored(_)));
    let unknown = count(|outcome| matches!(outcome, Outcome::Unknown(_)));
    if stored == outcomes.len() {
        return Ok(all_stored(events, outcomes, minimal));
    }
    if stored > 0 {
        let results = items(events, outcomes).collect();
        return Ok(json(StatusCode::MULTI_STATUS, &Results { results }));
    }
    let problem = match outcomes.iter().find_map(not_stored_reason) {
        _ if unknown > 0 => Problem::new(Kind::UnknownOutcome, UNKNOWN_BATCH),
        Some(reason) => not_stored(app, reason),
        None => not_stored(app, Reason::TooLarge),
    };
    Err(problem.results(items(events, outcomes).map(Item::into_owned).collect()))
}

/// The first reason that a retry can help against, if any.
fn not_stored_reason(outcome: &Outcome) -> Option<Reason> {
    match outcome {
        Outcome::NotStored(reason) if *reason != Reason::TooLarge => Some(*reason),
        _ => None,
    }
}

fn all_stored(events: &[Event<'_>], outcomes: &[Outcome], minimal: bool) -> Response {
    if !minimal {
        return json(StatusCode::CREATED, &Results { results: items(events, outcomes).collect() });
    }
    let mut response = json(StatusCode::CREATED, &Minimal { stored: outcomes.len() });
    let applied = HeaderValue::from_static("return=minimal");
    response.headers_mut().insert("preference-applied", applied);
    response
}

const UNKNOWN: &str = "Kafka got the event and did not acknowledge it in time: it may be stored. \
    Retry with the same id; consumers drop the repeat.";
const UNKNOWN_BATCH: &str = "Kafka did not acknowledge in time: some events may be stored. \
    Retry with the same ids; consumers drop the repeats.";

/// The problem for what is certainly not stored.
pub(super) fn not_stored(app: &App, reason: Reason) -> Problem {
    let detail = match reason {
        Reason::TooLarge => {
            return Problem::new(Kind::TooLarge, "Larger than Kafka takes: send less.");
        }
        Reason::BufferFull => {
            "Too much is on its way to Kafka already. Nothing was written: retry."
        }
        Reason::KafkaUnavailable => "Kafka cannot be reached. Nothing was written: retry.",
        Reason::ShuttingDown => "This instance is shutting down. Nothing was written: retry.",
        Reason::TimedOut | Reason::ConnectionLost | Reason::Refused => {
            "Kafka refused the write. Nothing was written: retry, and tell the operator if it stays."
        }
    };
    let seconds = match reason {
        Reason::BufferFull => app.admission.retry_after(),
        _ => RETRY_SOON,
    };
    Problem::new(Kind::NotStored, detail).retry_after(Some(seconds))
}

/// An answer with a JSON body.
pub(super) fn json(status: StatusCode, body: &impl Serialize) -> Response {
    let body = serde_json::to_vec(body).unwrap_or_default();
    let mut response = Response::new(body.into());
    *response.status_mut() = status;
    let media_type = HeaderValue::from_static("application/json");
    response.headers_mut().insert(CONTENT_TYPE, media_type);
    response
}
