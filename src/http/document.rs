//! What never changes while the service runs: pages and their parts, out of the binary.

use std::future::ready;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::LazyLock;

use axum::body::{Body, Bytes};
use axum::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, ETAG, REFERRER_POLICY,
    X_CONTENT_TYPE_OPTIONS,
};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodRouter, get};

use super::etag;

/// A document that is made when it is first asked for, and stays: making all of them takes 12 ms,
/// which a start should not.
pub(super) type Lazy = LazyLock<Document>;

/// Answers `GET` and `HEAD` with the document.
pub(super) fn serve<S: Clone + Send + Sync + 'static>(document: &'static Lazy) -> MethodRouter<S> {
    get(move |headers: HeaderMap| ready(document.answer(&headers)))
}

/// Bytes and what they are.
pub(super) struct Document {
    media_type: HeaderValue,
    policy: HeaderValue,
    body: Bytes,
    etag: String,
}

impl Document {
    /// `policy` is the `Content-Security-Policy`.
    pub(super) fn new(
        media_type: &'static str,
        policy: &'static str,
        body: impl Into<Bytes>,
    ) -> Self {
        let body = body.into();
        let etag = fingerprint(&body);
        let (media_type, policy) =
            (HeaderValue::from_static(media_type), HeaderValue::from_static(policy));
        Document { media_type, policy, body, etag }
    }

    /// The document, or `304` when the client has it already.
    pub(super) fn answer(&self, request: &HeaderMap) -> Response {
        let (status, body) = if etag::has(request, &self.etag) {
            (StatusCode::NOT_MODIFIED, Body::empty())
        } else {
            (StatusCode::OK, Body::from(self.body.clone()))
        };
        let mut response = (status, [(ETAG, self.etag.as_str())], body).into_response();
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, self.media_type.clone());
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
        headers.insert(CONTENT_SECURITY_POLICY, self.policy.clone());
        headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
        headers.insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
        response
    }
}

/// The same for the same bytes in every instance of one build, so that a load balancer in front
/// of several does not spoil it.
fn fingerprint(body: &[u8]) -> String {
    let mut hasher = DefaultHasher::new();
    body.hash(&mut hasher);
    format!("\"{:016x}\"", hasher.finish())
}
