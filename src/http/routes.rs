//! The table of routes, and the answers for what is not in it.

use std::time::Duration;

use axum::http::header::{
    ALLOW, CONTENT_TYPE, ETAG, HeaderName, IF_NONE_MATCH, LOCATION, RETRY_AFTER,
};
use axum::http::{HeaderValue, Method, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use tower_http::cors::{AllowOrigin, CorsLayer};

use super::problem::{Kind, Problem};
use crate::settings;

/// A path of a listener.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Route {
    /// The path. A part in braces, as in `/events/{cursor}`, stands for any that is not empty.
    pub path: &'static str,
    /// The methods it takes, as in the header `Allow`.
    pub allow: &'static str,
}

const READ: &str = "GET, HEAD, OPTIONS";
const WRITE: &str = "POST, OPTIONS";
const BOTH: &str = "GET, HEAD, POST, OPTIONS";

/// The routes of the API's listener.
pub const API: [Route; 15] = [
    Route { path: "/events", allow: BOTH },
    Route { path: "/events/batch", allow: WRITE },
    Route { path: "/events/fetch", allow: WRITE },
    Route { path: "/events/stream", allow: READ },
    Route { path: "/events/ws", allow: READ },
    Route { path: "/events/{cursor}", allow: READ },
    Route { path: "/livez", allow: READ },
    Route { path: "/readyz", allow: READ },
    Route { path: "/openapi.yaml", allow: READ },
    Route { path: "/docs", allow: READ },
    Route { path: "/docs/problems", allow: READ },
    Route { path: "/docs/style.css", allow: READ },
    Route { path: "/docs/copy.js", allow: READ },
    // The console: see `served`.
    Route { path: "/", allow: READ },
    Route { path: "/console/{part}", allow: READ },
];

/// How many of them, the last ones, are the console's.
const CONSOLE: usize = 2;

/// The routes of the operators' listener.
pub const ADMIN: [Route; 3] = [
    Route { path: "/metrics", allow: READ },
    Route { path: "/livez", allow: READ },
    Route { path: "/readyz", allow: READ },
];

/// Those of the API's listener that are served.
pub fn served(settings: &settings::Http) -> &'static [Route] {
    let console = if settings.console { 0 } else { CONSOLE };
    &API[..API.len() - console]
}

/// The route of a path: the first that takes it, so those that are spelt out come first.
pub(super) fn find(routes: &'static [Route], path: &str) -> Option<&'static Route> {
    routes.iter().find(|route| route.takes(path))
}

impl Route {
    fn takes(&self, path: &str) -> bool {
        match self.path.split_once('{') {
            None => self.path == path,
            Some((before, _)) => path
                .strip_prefix(before)
                .is_some_and(|part| !part.is_empty() && !part.contains('/')),
        }
    }
}

/// The answer of the API's listener for a path that is none of ours.
pub(super) async fn not_found(uri: Uri) -> Response {
    let detail = format!("There is nothing at {}. GET /docs lists what there is.", shown(&uri));
    Problem::new(Kind::NotFound, detail).into_response()
}

/// The same of the operators' listener.
pub(super) async fn not_found_by_operators(uri: Uri) -> Response {
    let paths: Vec<_> = ADMIN.iter().map(|route| route.path).collect();
    let (path, paths) = (shown(&uri), paths.join(", "));
    let detail =
        format!("There is nothing at {path}. Here are {paths}; the API is on http.listen.");
    Problem::new(Kind::NotFound, detail).into_response()
}

fn shown(uri: &Uri) -> String {
    uri.path().chars().take(100).collect()
}

/// The answer for a method that a path does not take.
pub(super) async fn method_not_allowed(method: Method, uri: Uri) -> Response {
    let path = uri.path();
    let route = find(&API, path).or_else(|| find(&ADMIN, path));
    let allow = route.map_or(READ, |route| route.allow);
    if method == Method::OPTIONS {
        // A preflight that no CORS layer took: without its headers the browser lets nothing through.
        return (StatusCode::NO_CONTENT, [(ALLOW, allow)]).into_response();
    }
    let detail = format!("{path} takes {allow}, not {method}.");
    Problem::new(Kind::MethodNotAllowed, detail).allow(allow).into_response()
}

/// Cross-origin answers for the configured origins. None: a browser's page of another origin
/// cannot use the API.
pub(super) fn cors(origins: &[String]) -> Option<CorsLayer> {
    let origin = match origins {
        [] => return None,
        [any] if any == "*" => AllowOrigin::any(),
        list => AllowOrigin::list(list.iter().filter_map(|text| HeaderValue::from_str(text).ok())),
    };
    let header = HeaderName::from_static;
    let layer = CorsLayer::new()
        .allow_origin(origin)
        .allow_methods([Method::GET, Method::HEAD, Method::POST])
        .allow_headers([
            CONTENT_TYPE,
            IF_NONE_MATCH,
            header("last-event-id"),
            header("prefer"),
            header("x-request-id"),
            header("traceparent"),
            header("tracestate"),
        ])
        .expose_headers([
            ETAG,
            LOCATION,
            RETRY_AFTER,
            header("event-cursor"),
            header("event-id"),
            header("event-time"),
            header("preference-applied"),
            header("x-request-id"),
        ])
        .max_age(Duration::from_secs(600));
    Some(layer)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_the_console_there_is_all_but_the_console() {
        let mut settings = crate::settings::Settings::load([]).unwrap().http;
        assert_eq!(served(&settings), API);
        settings.console = false;
        let is_console = |route: &&Route| route.path == "/" || route.path.starts_with("/console/");
        let (console, others): (Vec<&Route>, Vec<_>) = API.iter().partition(is_console);
        assert_eq!((console.len(), served(&settings).iter().collect()), (CONSOLE, others));
    }

    #[test]
    fn a_cursor_is_any_part_that_is_not_spelt_out() {
        let path = |path| find(&API, path).map(|route| route.path);
        assert_eq!(path("/events/batch"), Some("/events/batch"));
        assert_eq!(path("/events/3-42"), Some("/events/{cursor}"));
        for none in ["/events/", "/events/3-42/", "/events/a/b", "/event"] {
            assert_eq!(path(none), None, "{none}");
        }
    }
}
