//! What every request and answer passes through: id, metrics, problems, panics.
//!
//! One function instead of a tower of layers, which cost a request a quarter of its CPU time.

use std::convert::Infallible;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Instant;

use axum::Router;
use axum::http::header::{ACCESS_CONTROL_REQUEST_METHOD, ALLOW};
use axum::http::{HeaderMap, HeaderValue, Method, Request, StatusCode};
use axum::response::Response;
use futures_util::FutureExt;
use hyper::body::Incoming;
use tower::Service;
use uuid::Uuid;

use super::problem::{Kind, Problem};
use super::routes::{self, Route};
use crate::metrics::{self, Metrics, Word, seconds};
use crate::telemetry;

const REQUEST_ID: &str = "x-request-id";
/// The longest request id that is taken over from a client.
const MAX_REQUEST_ID: usize = 128;

/// Answers requests with a router.
#[derive(Clone)]
pub struct Edge {
    router: Router,
    routes: &'static [Route],
    metrics: Arc<Metrics>,
}

/// What is told of a request in metrics and logs.
struct Seen {
    started: Instant,
    method: Method,
    route: &'static str,
    id: HeaderValue,
}

impl Edge {
    /// An edge before a router that serves these routes.
    pub fn new(router: Router, routes: &'static [Route], metrics: Arc<Metrics>) -> Self {
        Edge { router, routes, metrics }
    }

    /// Answers one request. A panic in a handler is answered, too.
    pub(super) async fn handle(self, request: Request<Incoming>) -> Result<Response, Infallible> {
        let route = routes::find(self.routes, request.uri().path());
        let seen = Seen::of(&request, route);
        let mut response = match options(&request, route) {
            Some(response) => response,
            None => self.route(request).await,
        };
        if let Some(problem) = response.extensions_mut().remove::<Problem>() {
            problem.render(seen.id.to_str().unwrap_or_default(), &mut response);
            seen.tell(&problem);
        }
        response.headers_mut().insert(REQUEST_ID, seen.id.clone());
        seen.count(&self.metrics, response.status());
        Ok(response)
    }

    async fn route(&self, request: Request<Incoming>) -> Response {
        let mut router = self.router.clone();
        match AssertUnwindSafe(router.call(request)).catch_unwind().await {
            Ok(Ok(response)) => response,
            Err(_) => Problem::new(
                Kind::Internal,
                "The service failed. What became of the request is unknown.",
            )
            .into_response(),
        }
    }
}

/// `OPTIONS` says what a path takes. A browser's preflight is the CORS layer's, where there is one.
fn options(request: &Request<Incoming>, route: Option<&Route>) -> Option<Response> {
    let is_preflight = request.headers().contains_key(ACCESS_CONTROL_REQUEST_METHOD);
    if request.method() != Method::OPTIONS || is_preflight {
        return None;
    }
    let mut response = Response::default();
    *response.status_mut() = StatusCode::NO_CONTENT;
    response.headers_mut().insert(ALLOW, HeaderValue::from_static(route?.allow));
    Some(response)
}

impl Seen {
    fn of(request: &Request<Incoming>, route: Option<&'static Route>) -> Self {
        Seen {
            started: Instant::now(),
            method: request.method().clone(),
            route: route.map_or("other", |route| route.path),
            id: request_id(request.headers()),
        }
    }

    /// Each kind of failure has a limit of its own, so that a flood of one does not hide another.
    fn tell(&self, problem: &Problem) {
        let (id, detail) = (self.id.to_str().unwrap_or_default(), problem.detail());
        let (method, route) = (&self.method, self.route);
        match problem.kind {
            Kind::NotStored => {
                telemetry::warn_limited!(request_id = id, %method, route, detail, "not stored");
            }
            Kind::UnknownOutcome => {
                telemetry::warn_limited!(request_id = id, %method, route, detail, "outcome unknown");
            }
            Kind::ReadUnavailable | Kind::TooManyReads | Kind::TooManyStreams => {
                telemetry::warn_limited!(request_id = id, %method, route, detail, "not read");
            }
            Kind::Internal => {
                telemetry::warn_limited!(request_id = id, %method, route, detail, "request failed");
            }
            kind => {
                let problem = kind.slug();
                tracing::debug!(request_id = id, %method, route, problem, detail, "request refused");
            }
        }
    }

    fn count(&self, metrics: &Metrics, status: StatusCode) {
        let route = Word(self.route);
        let labels =
            metrics::Request { route, method: Word(method(&self.method)), status: status.as_u16() };
        metrics.requests.get_or_create(&labels).inc();
        let duration = metrics.request_duration.get_or_create(&metrics::Route { route });
        duration.observe(seconds(self.started.elapsed()));
    }
}

/// The request's own id when it is sane, else a new one.
fn request_id(headers: &HeaderMap) -> HeaderValue {
    if let Some(id) = headers.get(REQUEST_ID).filter(|id| is_sane(id.as_bytes())) {
        return id.clone();
    }
    let mut buffer = Uuid::encode_buffer();
    let id = Uuid::now_v7().hyphenated().encode_lower(&mut buffer);
    HeaderValue::from_str(id).unwrap_or(HeaderValue::from_static("none"))
}

fn is_sane(id: &[u8]) -> bool {
    let is_plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"._:/+=@-".contains(byte);
    (1..=MAX_REQUEST_ID).contains(&id.len()) && id.iter().all(is_plain)
}

/// The method as a label: not whatever a client makes up.
fn method(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::HEAD => "HEAD",
        Method::POST => "POST",
        Method::OPTIONS => "OPTIONS",
        Method::CONNECT => "CONNECT",
        _ => "other",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sane_request_id_is_kept_and_any_other_is_replaced() {
        let with = |id: &str| {
            request_id(&HeaderMap::from_iter([(
                REQUEST_ID.parse().unwrap(),
                HeaderValue::from_str(id).unwrap(),
            )]))
        };
        assert_eq!(with("trace-7f/3:a=b@c"), "trace-7f/3:a=b@c");
        for bad in ["", "a b", "<script>", &"x".repeat(MAX_REQUEST_ID + 1)] {
            assert_eq!(with(bad).len(), 36, "{bad}");
        }
    }
}
