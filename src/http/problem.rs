//! The table from what can go wrong to status and `type`, and the RFC 9457 problem itself.

use axum::http::StatusCode;
use axum::http::header::{
    ALLOW, CACHE_CONTROL, CONTENT_LENGTH, CONTENT_TYPE, HeaderValue, RETRY_AFTER,
};
use axum::response::Response;
use serde::Serialize;

use super::item::Item;
use super::unread;
use crate::event::{Fault, Rejection, RejectionKind};
use crate::kafka::Reason;
use crate::position::Position;
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
    /// The query or a part of the path is not what the route takes.
    InvalidParameter,
    /// The JSON is not what the route takes.
    InvalidRequest,
    /// None of the media types that the client takes can be had.
    NotAcceptable,
    /// No such path.
    NotFound,
    /// The partition has not come so far.
    NotYetWritten,
    /// The topic has no such partition.
    NoSuchPartition,
    /// The log has no event there.
    NoEvent,
    /// The log no longer has it.
    Removed,
    /// The path does not take the method.
    MethodNotAllowed,
    /// A page of this origin may not use it.
    OriginNotAllowed,
    /// The route is for WebSockets.
    UpgradeRequired,
    /// Certainly not stored.
    NotStored,
    /// Perhaps stored.
    UnknownOutcome,
    /// Kafka cannot be read.
    ReadUnavailable,
    /// As many reads are under way, or their answers unread, as may be.
    TooManyReads,
    /// As many streams are open as may be.
    TooManyStreams,
    /// A fault of the service.
    Internal,
}

/// Every kind of problem.
pub const KINDS: [Kind; 22] = [
    Kind::MalformedJson,
    Kind::InvalidEvent,
    Kind::TooLarge,
    Kind::UnsupportedMediaType,
    Kind::BodyTimeout,
    Kind::InvalidParameter,
    Kind::InvalidRequest,
    Kind::NotAcceptable,
    Kind::NotFound,
    Kind::NotYetWritten,
    Kind::NoSuchPartition,
    Kind::NoEvent,
    Kind::Removed,
    Kind::MethodNotAllowed,
    Kind::OriginNotAllowed,
    Kind::UpgradeRequired,
    Kind::NotStored,
    Kind::UnknownOutcome,
    Kind::ReadUnavailable,
    Kind::TooManyReads,
    Kind::TooManyStreams,
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
            Kind::InvalidParameter => {
                (StatusCode::BAD_REQUEST, "invalid-parameter", "Invalid parameter")
            }
            Kind::InvalidRequest => {
                (StatusCode::UNPROCESSABLE_ENTITY, "invalid-request", "Invalid request")
            }
            Kind::NotAcceptable => (StatusCode::NOT_ACCEPTABLE, "not-acceptable", "Not acceptable"),
            Kind::NotFound => (StatusCode::NOT_FOUND, "not-found", "Not found"),
            Kind::NotYetWritten => (StatusCode::NOT_FOUND, "not-yet-written", "Not yet written"),
            Kind::NoSuchPartition => {
                (StatusCode::NOT_FOUND, "no-such-partition", "No such partition")
            }
            Kind::NoEvent => (StatusCode::NOT_FOUND, "no-event", "No event there"),
            Kind::Removed => (StatusCode::GONE, "removed", "Removed"),
            Kind::MethodNotAllowed => {
                (StatusCode::METHOD_NOT_ALLOWED, "method-not-allowed", "Method not allowed")
            }
            Kind::OriginNotAllowed => {
                (StatusCode::FORBIDDEN, "origin-not-allowed", "Origin not allowed")
            }
            Kind::UpgradeRequired => {
                (StatusCode::UPGRADE_REQUIRED, "upgrade-required", "Upgrade required")
            }
            Kind::NotStored => (StatusCode::SERVICE_UNAVAILABLE, "not-stored", "Not stored"),
            Kind::UnknownOutcome => {
                (StatusCode::GATEWAY_TIMEOUT, "unknown-outcome", "Unknown outcome")
            }
            Kind::ReadUnavailable => {
                (StatusCode::SERVICE_UNAVAILABLE, "read-unavailable", "Kafka cannot be read")
            }
            Kind::TooManyReads => {
                (StatusCode::SERVICE_UNAVAILABLE, "too-many-reads", "Too many reads")
            }
            Kind::TooManyStreams => {
                (StatusCode::SERVICE_UNAVAILABLE, "too-many-streams", "Too many streams")
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
    parameters: Vec<ParameterFault>,
    omitted: usize,
    reason: Option<&'static str>,
    id: Option<String>,
    results: Option<Vec<Item<'static>>>,
    /// What the answer's bytes count against, when it may be long.
    admission: Option<Admission>,
    retry_after: Option<u32>,
    earliest: Option<Position>,
    allow: Option<&'static str>,
}

/// One thing that is wrong with a parameter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ParameterFault {
    /// Its name.
    pub(super) parameter: String,
    /// What is wrong, and what to send instead.
    pub(super) detail: String,
}

#[derive(Serialize)]
struct Body<'a> {
    r#type: String,
    title: &'static str,
    status: u16,
    detail: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
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
    #[serde(skip_serializing_if = "Option::is_none")]
    earliest: Option<&'a Position>,
}

/// One thing that is wrong, as RFC 9457, section 3, shows it: with a body, or with a parameter.
#[derive(Serialize)]
#[serde(untagged)]
enum Error<'a> {
    Body { pointer: &'a str, detail: &'a str },
    Parameter { parameter: &'a str, detail: &'a str },
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

    /// Says behind which position the log still has everything.
    pub(super) fn earliest(mut self, earliest: Position) -> Self {
        self.more.earliest = Some(earliest);
        self
    }

    /// Names the faults of the parameters.
    pub(super) fn parameters(mut self, faults: Vec<ParameterFault>) -> Self {
        self.more.parameters = faults;
        self
    }

    /// Counts faults that are not named.
    pub(super) fn omitted(mut self, omitted: usize) -> Self {
        self.more.omitted = omitted;
        self
    }

    /// Names the faults of a body.
    pub(super) fn faults(mut self, faults: Vec<Fault>) -> Self {
        self.more.errors = faults;
        self
    }

    pub(super) fn allow(mut self, methods: &'static str) -> Self {
        self.more.allow = Some(methods);
        self
    }

    #[cfg(test)]
    pub(super) fn parameter_names(&self) -> Vec<String> {
        self.more.parameters.iter().map(|fault| fault.parameter.clone()).collect()
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
        // What is not there now may be there in a moment, and 404 and 410 may be kept unless told.
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if let Some(seconds) = self.more.retry_after {
            headers.insert(RETRY_AFTER, HeaderValue::from(seconds));
        }
        if let Some(allow) = self.more.allow {
            headers.insert(ALLOW, HeaderValue::from_static(allow));
        }
        let body = self.json(request_id);
        *response.body_mut() = match &self.more.admission {
            Some(admission) => unread::in_flight(admission, body).into(),
            None => body.into(),
        };
    }

    /// The body; where it answers no request of its own, without an id.
    pub(super) fn json(&self, request_id: &str) -> Vec<u8> {
        serde_json::to_vec(&self.body(request_id)).unwrap_or_default()
    }

    fn body<'a>(&'a self, request_id: &'a str) -> Body<'a> {
        Body {
            r#type: format!("/docs/problems#{}", self.kind.slug()),
            title: self.kind.title(),
            status: self.kind.status().as_u16(),
            detail: &self.detail,
            request_id,
            errors: self.errors(),
            omitted_errors: self.more.omitted,
            reason: self.more.reason,
            id: self.more.id.as_deref(),
            results: self.more.results.as_deref(),
            retry_after: self.more.retry_after,
            earliest: self.more.earliest.as_ref(),
        }
    }

    fn errors(&self) -> Vec<Error<'_>> {
        let body = self.more.errors.iter().map(Error::of);
        body.chain(self.more.parameters.iter().map(Error::of_parameter)).collect()
    }
}

impl<'a> Error<'a> {
    fn of(fault: &'a Fault) -> Self {
        Error::Body { pointer: &fault.pointer, detail: &fault.detail }
    }

    fn of_parameter(fault: &'a ParameterFault) -> Self {
        Error::Parameter { parameter: &fault.parameter, detail: &fault.detail }
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
