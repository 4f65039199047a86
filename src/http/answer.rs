//! From outcomes to answers: the only place that turns *stored*, *not stored* and *unknown*
//! into statuses.

use axum::body::Body;
use axum::http::StatusCode;
use axum::http::header::{CONTENT_TYPE, HeaderValue, LOCATION};
use axum::response::Response;
use serde::Serialize;

use super::item::{self, Item, items};
use super::problem::{Kind, Problem};
use super::{App, unread};
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
        [Outcome::Unknown(reason)] => Err(unknown(UNKNOWN, *reason).id(event.id())),
        _ => Err(Problem::new(Kind::Internal, "There is not one outcome for one event.")),
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
    let stored = outcomes.iter().filter(|outcome| matches!(outcome, Outcome::Stored(_))).count();
    if stored == outcomes.len() {
        return Ok(all_stored(app, events, outcomes, minimal));
    }
    if stored > 0 {
        return Ok(results(app, StatusCode::MULTI_STATUS, events, outcomes));
    }
    let unknown = outcomes.iter().find_map(unknown_reason);
    let problem = match (unknown, outcomes.iter().find_map(not_stored_reason)) {
        (Some(reason), _) => self::unknown(UNKNOWN_BATCH, reason),
        (None, Some(reason)) => not_stored(app, reason),
        (None, None) => not_stored(app, Reason::TooLarge),
    };
    let results = items(events, outcomes).map(Item::into_owned).collect();
    Err(problem.results(results, &app.admission))
}

fn unknown_reason(outcome: &Outcome) -> Option<Reason> {
    match outcome {
        Outcome::Unknown(reason) => Some(*reason),
        _ => None,
    }
}

fn unknown(detail: &str, reason: Reason) -> Problem {
    Problem::new(Kind::UnknownOutcome, detail).reason(reason)
}

/// The first reason that a retry can help against, if any.
fn not_stored_reason(outcome: &Outcome) -> Option<Reason> {
    match outcome {
        Outcome::NotStored(reason) if *reason != Reason::TooLarge => Some(*reason),
        _ => None,
    }
}

fn all_stored(app: &App, events: &[Event<'_>], outcomes: &[Outcome], minimal: bool) -> Response {
    if !minimal {
        return results(app, StatusCode::CREATED, events, outcomes);
    }
    let mut response = json(StatusCode::CREATED, &Minimal { stored: outcomes.len() });
    let applied = HeaderValue::from_static("return=minimal");
    response.headers_mut().insert("preference-applied", applied);
    response
}

/// What became of each event: as long as the batch has events, so in flight until it is read.
fn results(app: &App, status: StatusCode, events: &[Event<'_>], outcomes: &[Outcome]) -> Response {
    let body = item::results(items(events, outcomes), outcomes.len());
    of_json(status, unread::in_flight(&app.admission, body).into())
}

const UNKNOWN: &str = "The event was sent to Kafka and not acknowledged: it may be stored. \
    Retry with the same id; consumers drop the repeat.";
const UNKNOWN_BATCH: &str = "Events were sent to Kafka and not acknowledged: some may be stored. \
    Retry with the same ids; consumers drop the repeats.";

/// The problem for what is certainly not stored.
pub(super) fn not_stored(app: &App, reason: Reason) -> Problem {
    let detail = match reason {
        Reason::TooLarge => {
            let detail = "Larger than Kafka takes: send less.";
            return Problem::new(Kind::TooLarge, detail).reason(reason);
        }
        Reason::BufferFull => {
            "Too much is on its way to Kafka already. Nothing was written: retry."
        }
        Reason::KafkaUnavailable => "Kafka cannot take events now. Nothing was written: retry.",
        Reason::ShuttingDown => "This instance is shutting down. Nothing was written: retry.",
        Reason::TimedOut | Reason::ConnectionLost | Reason::Refused => {
            "Kafka refused the write. Nothing was written: retry, and tell the operator if it stays."
        }
    };
    let seconds = match reason {
        Reason::BufferFull => app.admission.retry_after(),
        _ => RETRY_SOON,
    };
    Problem::new(Kind::NotStored, detail).reason(reason).retry_after(Some(seconds))
}

/// An answer with a JSON body.
pub(super) fn json(status: StatusCode, body: &impl Serialize) -> Response {
    of_json(status, to_json(body).into())
}

fn to_json(body: &impl Serialize) -> Vec<u8> {
    serde_json::to_vec(body).unwrap_or_default()
}

/// An answer whose body is JSON already.
pub(super) fn of_json(status: StatusCode, body: Body) -> Response {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    let media_type = HeaderValue::from_static("application/json");
    response.headers_mut().insert(CONTENT_TYPE, media_type);
    response
}
