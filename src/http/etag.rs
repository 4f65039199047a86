//! Whether a client has a copy that is still good.

use axum::http::HeaderMap;
use axum::http::header::IF_NONE_MATCH;

/// Whether the client named this tag: compared weakly, as RFC 9110 section 13.1.2 says.
pub(super) fn has(request: &HeaderMap, etag: &str) -> bool {
    request
        .get_all(IF_NONE_MATCH)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .map(|tag| tag.trim().trim_start_matches("W/"))
        .any(|tag| tag == "*" || tag == etag)
}
