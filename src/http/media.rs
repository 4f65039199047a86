//! What the request's headers say of its body and of the answer.

use axum::http::header::{CONTENT_ENCODING, CONTENT_TYPE};
use axum::http::{HeaderMap, HeaderValue};

use super::problem::{Kind, Problem};
use crate::kafka::TraceContext;

/// A media type that a route takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Media {
    Json,
    NdJson,
}

const JSON: &str = "application/json";
const NDJSON: &str = "application/x-ndjson";
const FORMS: [&str; 2] = ["application/x-www-form-urlencoded", "multipart/form-data"];

/// For one event: JSON only.
pub(super) fn of_event(headers: &HeaderMap) -> Result<(), Problem> {
    match parse(headers)? {
        Media::Json => Ok(()),
        Media::NdJson => Err(unsupported("Post newline-delimited events to /events/batch.")),
    }
}

/// For a batch: a JSON array or lines.
pub(super) fn of_batch(headers: &HeaderMap) -> Result<Media, Problem> {
    parse(headers)
}

/// For a list of cursors: JSON only.
pub(super) fn of_cursors(headers: &HeaderMap) -> Result<(), Problem> {
    match parse(headers)? {
        Media::Json => Ok(()),
        Media::NdJson => Err(unsupported("Send the cursors as one JSON object.")),
    }
}

fn parse(headers: &HeaderMap) -> Result<Media, Problem> {
    if headers.get(CONTENT_ENCODING).is_some_and(|encoding| !is_identity(encoding)) {
        return Err(unsupported("Send the body as it is, without Content-Encoding."));
    }
    let Some(value) = headers.get(CONTENT_TYPE) else {
        return Err(unsupported("Say Content-Type: application/json (with curl: curl --json)."));
    };
    let value = value.to_str().unwrap_or_default();
    let (essence, parameters) = value.split_once(';').unwrap_or((value, ""));
    if !is_utf8(parameters) {
        return Err(unsupported("JSON is UTF-8: send it so, and leave the charset out."));
    }
    let essence = essence.trim();
    let is = |name: &str| essence.eq_ignore_ascii_case(name);
    if is(JSON) {
        Ok(Media::Json)
    } else if is(NDJSON) {
        Ok(Media::NdJson)
    } else if FORMS.into_iter().any(is) {
        Err(unsupported("This is a form; events are JSON. With curl use --json instead of -d."))
    } else {
        Err(unsupported("Events are application/json; a batch may be application/x-ndjson, too."))
    }
}

/// Whether the parameters name no charset but UTF-8.
fn is_utf8(parameters: &str) -> bool {
    parameters
        .split(';')
        .filter_map(|parameter| parameter.split_once('='))
        .filter(|(name, _)| name.trim().eq_ignore_ascii_case("charset"))
        .map(|(_, charset)| charset.trim().trim_matches('"'))
        .all(|charset| ["utf-8", "utf8"].into_iter().any(|name| charset.eq_ignore_ascii_case(name)))
}

fn is_identity(encoding: &HeaderValue) -> bool {
    encoding.as_bytes().eq_ignore_ascii_case(b"identity")
}

fn unsupported(detail: &str) -> Problem {
    Problem::new(Kind::UnsupportedMediaType, detail)
}

/// Whether the client wants no more than the count (RFC 7240, section 4.2).
pub(super) fn prefers_minimal(headers: &HeaderMap) -> bool {
    headers
        .get_all("prefer")
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split([',', ';']))
        .any(|preference| {
            let wanted: String = preference.chars().filter(|c| !matches!(c, ' ' | '"')).collect();
            wanted.eq_ignore_ascii_case("return=minimal")
        })
}

/// The request's trace, when it has a well-formed one.
pub(super) fn trace(headers: &HeaderMap) -> TraceContext<'_> {
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
    TraceContext::new(text("traceparent"), text("tracestate"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn typed(value: &'static str) -> HeaderMap {
        HeaderMap::from_iter([(CONTENT_TYPE, value.parse().unwrap())])
    }

    #[test]
    fn json_is_taken_in_every_spelling() {
        for value in ["application/json", "Application/JSON", "application/json; charset=\"UTF-8\""]
        {
            assert_eq!(of_batch(&typed(value)).unwrap(), Media::Json, "{value}");
        }
        assert_eq!(of_batch(&typed("application/x-ndjson")).unwrap(), Media::NdJson);
    }

    #[test]
    fn what_is_not_json_is_refused() {
        for value in ["text/plain", "application/json; charset=utf-16", "application/xml", ""] {
            assert_eq!(of_batch(&typed(value)).unwrap_err().kind, Kind::UnsupportedMediaType);
        }
        assert!(of_event(&typed("application/x-ndjson")).is_err());
        assert!(of_event(&HeaderMap::new()).is_err());
    }

    #[test]
    fn a_preference_is_found_among_others() {
        let prefer = |value: &'static str| {
            prefers_minimal(&HeaderMap::from_iter([(
                "prefer".parse().unwrap(),
                value.parse().unwrap(),
            )]))
        };
        assert!(prefer("return=minimal"));
        assert!(prefer("respond-async, return = \"minimal\"; foo=bar"));
        assert!(!prefer("return=representation"));
    }
}
