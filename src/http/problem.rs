//! The table from what can go wrong to status and `type`, and the RFC 9457 problem itself.

use axum::http::StatusCode;
use axum::http::header::{ALLOW, CONTENT_LENGTH, CONTENT_TYPE, HeaderValue, RETRY_AFTER};
use axum::response::Response;
use serde::Serialize;

use super::item::Item;
use super::unread;
use crate::event::{Fault, Rejection, RejectionKind};
use crate::kafka::Reason;
use crate::publisher::Admission;

/// What can be wrong, by what the client can do about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The body is not JSON.
    MalformedJson,
    /// The JSON is no event.
    InvalidEvent,
    /// The body, an event or the batch is over a limit.
    TooLarge,
    /// The media type or the encoding is not taken.
    UnsupportedMediaType,
    /// The body did not arrive in time.
    BodyTimeout,
    /// No such path.
    NotFound,
    /// The path does not take the method.
    MethodNotAllowed,
    /// Certainly not stored.
    NotStored,
    /// Perhaps stored.
    UnknownOutcome,
    /// A fault of the service.
    Internal,
}

/// Every kind of problem.
pub const KINDS: [Kind; 10] = [
    Kind::MalformedJson,
    Kind::InvalidEvent,
    Kind::TooLarge,
    Kind::UnsupportedMediaType,
    Kind::BodyTimeout,
    Kind::NotFound,
    Kind::MethodNotAllowed,
    Kind::NotStored,
    Kind::UnknownOutcome,
    Kind::Internal,
];

impl Kind {
    /// Status, slug of the `type`, title.
    fn row(self) -> (StatusCode, &'static str, &'static str) {
        match self {
            Kind::MalformedJson => (StatusCode::BAD_REQUEST, "malformed-json", "Malformed JSON"),
            Kind::InvalidEvent => {
                (StatusCode::UNPROCESSABLE_ENTITY, "invalid-event", "Invalid event")
            }
            Kind::TooLarge => (StatusCode::PAYLOAD_TOO_LARGE, "too-large", "Too large"),
            Kind::UnsupportedMediaType => (
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                "unsupported-media-type",
                "Unsupported media type",
            ),
            Kind::BodyTimeout => {
                (StatusCode::REQUEST_TIMEOUT, "body-timeout", "Body did not arrive in time")
            }
            Kind::NotFound => (StatusCode::NOT_FOUND, "not-found", "Not found"),
            Kind::MethodNotAllowed => {
                (StatusCode::METHOD_NOT_ALLOWED, "method-not-allowed", "Method not allowed")
            }
            Kind::NotStored => (StatusCode::SERVICE_UNAVAILABLE, "not-stored", "Not stored"),
            Kind::UnknownOutcome => {
                (StatusCode::GATEWAY_TIMEOUT, "unknown-outcome", "Unknown outcome")
            }
            Kind::Internal => (StatusCode::INTERNAL_SERVER_ERROR, "internal", "Internal error"),
        }
    }

    /// The status of the answer.
    pub fn status(self) -> StatusCode {
        self.row().0
    }

    /// The last part of the problem's `type`.
    pub fn slug(self) -> &'static str {
        self.row().1
    }

    /// The problem's `title`.
    pub fn title(self) -> &'static str {
        self.row().2
    }
}

/// A refusal that says what is wrong and what to do.
#[derive(Clone, Debug)]
pub(super) struct Problem {
    pub(super) kind: Kind,
    detail: String,
    /// Boxed, because problems travel in results, whose good side is small.
    more: Box<More>,
}

/// What only some problems say.
#[derive(Clone, Debug, Default)]
struct More {
    errors: Vec<Fault>,
    omitted: usize,
    reason: Option<&'static str>,
    id: Option<String>,
    results: Option<Vec<Item<'static>>>,
    /// What the answer's bytes count against, when it may be long.
    admission: Option<Admission>,
    retry_after: Option<u32>,
    allow: Option<&'static str>,
}

#[derive(Serialize)]
struct Body<'a> {
    r#type: String,
    title: &'static str,
    status: u16,
    detail: &'a str,
    request_id: &'a str,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    errors: Vec<Error<'a>>,
    #[serde(skip_serializing_if = "is_zero")]
    omitted_errors: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    results: Option<&'a [Item<'static>]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    retry_after: Option<u32>,
}

/// One thing that is wrong, as RFC 9457, section 3, shows it.
#[derive(Serialize)]
struct Error<'a> {
    pointer: &'a str,
    detail: &'a str,
}

fn is_zero(count: &usize) -> bool {
    *count == 0
}

impl Problem {
    pub(super) fn new(kind: Kind, detail: impl Into<String>) -> Self {
        Problem { kind, detail: detail.into(), more: Box::default() }
    }

    /// Says in a word of the answers' own why the event is not known to be stored.
    pub(super) fn reason(mut self, reason: Reason) -> Self {
        self.more.reason = Some(reason.as_str());
        self
    }

    /// Names the event, whose id may have been made here: a safe retry needs it.
    pub(super) fn id(mut self, id: &str) -> Self {
        self.more.id = Some(id.to_owned());
        self
    }

    /// Says what became of each event of a batch.
    pub(super) fn results(mut self, results: Vec<Item<'static>>, admission: &Admission) -> Self {
        self.more.admission = Some(admission.clone());
        self.more.results = Some(results);
        self
    }

    /// Says in how many seconds a retry makes sense.
    pub(super) fn retry_after(mut self, seconds: Option<u32>) -> Self {
        self.more.retry_after = seconds;
        self
    }

    pub(super) fn allow(mut self, methods: &'static str) -> Self {
        self.more.allow = Some(methods);
        self
    }

    pub(super) fn detail(&self) -> &str {
        &self.detail
    }

    /// An answer without a body yet: the body names the request's id, which the edge knows.
    pub(super) fn into_response(self) -> Response {
        let mut response = Response::default();
        *response.status_mut() = self.kind.status();
        response.extensions_mut().insert(self);
        response
    }

    /// Writes the body and its headers into the answer.
    pub(super) fn render(&self, request_id: &str, response: &mut Response) {
        let headers = response.headers_mut();
        // The router has measured the empty body already.
        headers.remove(CONTENT_LENGTH);
        let media_type = HeaderValue::from_static("application/problem+json");
        headers.insert(CONTENT_TYPE, media_type);
        if let Some(seconds) = self.more.retry_after {
            headers.insert(RETRY_AFTER, HeaderValue::from(seconds));
        }
        if let Some(allow) = self.more.allow {
            headers.insert(ALLOW, HeaderValue::from_static(allow));
        }
        let body = serde_json::to_vec(&self.body(request_id)).unwrap_or_default();
        *response.body_mut() = match &self.more.admission {
            Some(admission) => unread::in_flight(admission, body).into(),
            None => body.into(),
        };
    }

    fn body<'a>(&'a self, request_id: &'a str) -> Body<'a> {
        Body {
            r#type: format!("/docs/problems#{}", self.kind.slug()),
            title: self.kind.title(),
            status: self.kind.status().as_u16(),
            detail: &self.detail,
            request_id,
            errors: self.more.errors.iter().map(Error::of).collect(),
            omitted_errors: self.more.omitted,
            reason: self.more.reason,
            id: self.more.id.as_deref(),
            results: self.more.results.as_deref(),
            retry_after: self.more.retry_after,
        }
    }
}

impl<'a> Error<'a> {
    fn of(fault: &'a Fault) -> Self {
        Error { pointer: &fault.pointer, detail: &fault.detail }
    }
}

impl Problem {
    /// Names the faults of a body, up to 100, in an answer that counts as bytes in flight: one is
    /// small, but over HTTP/2 a client may leave a hundred of them unread.
    pub(super) fn rejected(rejection: Rejection, admission: &Admission) -> Self {
        let (kind, detail) = match rejection.kind {
            RejectionKind::Malformed => {
                (Kind::MalformedJson, "The body is not what its media type says; see errors.")
            }
            RejectionKind::Invalid => {
                (Kind::InvalidEvent, "Nothing was written: mend what errors names, and send again.")
            }
            RejectionKind::TooLarge => {
                (Kind::TooLarge, "Nothing was written: send less at once; see errors.")
            }
        };
        let mut problem = Problem::new(kind, detail);
        problem.more.errors = rejection.faults;
        problem.more.omitted = rejection.omitted;
        problem.more.admission = Some(admission.clone());
        problem
    }
}
