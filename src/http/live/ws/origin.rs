//! Whose pages may open a WebSocket: browsers ask for none of the permissions of CORS before they
//! do, and send the user's cookies along.

use axum::extract::Request;
use axum::http::header::{HOST, ORIGIN};
use url::Url;

use super::super::super::problem::{Kind, Problem};

/// The origins that `http.cors_origins` names.
#[derive(Debug)]
pub struct Origins(Vec<String>);

impl Origins {
    /// Exact origins, or the single `*`.
    pub fn new(origins: &[String]) -> Self {
        Origins(origins.to_vec())
    }

    /// Lets those pass that are no page, and pages of these origins and of the service's own.
    pub(super) fn check(&self, request: &Request) -> Result<(), Problem> {
        let Some(origin) = request.headers().get(ORIGIN) else { return Ok(()) };
        let origin = origin.to_str().unwrap_or_default();
        if self.has(origin) || is_own(origin, host(request)) {
            return Ok(());
        }
        let shown: String = origin.chars().take(100).collect();
        let detail = format!(
            "Pages of {shown} may not open a WebSocket here: they are neither of this host nor \
             among http.cors_origins."
        );
        Err(Problem::new(Kind::OriginNotAllowed, detail))
    }

    fn has(&self, origin: &str) -> bool {
        self.0.iter().any(|known| known == "*" || known.eq_ignore_ascii_case(origin))
    }
}

/// The host, with its port where it is named, that the request is for.
fn host(request: &Request) -> Option<&str> {
    let authority = request.uri().authority().map(|authority| authority.as_str());
    authority.or_else(|| request.headers().get(HOST)?.to_str().ok())
}

/// Whether the origin is that of the host. Which of `http` and `https` it is cannot be seen behind a
/// proxy, so either is taken.
fn is_own(origin: &str, host: Option<&str>) -> bool {
    let Ok(origin) = Url::parse(origin) else { return false };
    let own = host.and_then(|host| Url::parse(&format!("{}://{host}", origin.scheme())).ok());
    own.is_some_and(|own| {
        matches!(origin.scheme(), "http" | "https") && own.origin() == origin.origin()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_taken(allowed: &[&str], origin: &str, host: &str) -> bool {
        let allowed: Vec<_> = allowed.iter().map(|&origin| origin.to_owned()).collect();
        let request = Request::builder().header(ORIGIN, origin).header(HOST, host);
        Origins::new(&allowed).check(&request.body(axum::body::Body::empty()).unwrap()).is_ok()
    }

    #[test]
    fn a_page_of_the_same_host_may_whatever_the_scheme_before_the_proxy() {
        assert!(is_taken(&[], "http://a.example:8080", "a.example:8080"));
        assert!(is_taken(&[], "https://a.example", "A.example"));
        assert!(is_taken(&[], "https://a.example", "a.example:443"));
        assert!(is_taken(&[], "http://[::1]:8080", "[::1]:8080"));
        for (origin, host) in [
            ("https://b.example", "a.example"),
            ("https://a.example", "a.example:8080"),
            ("https://a.example:8443", "a.example"),
            ("https://a.example.evil", "a.example"),
            ("https://a.example@evil", "a.example"),
            ("null", "null"),
            ("file://", ""),
            ("", ""),
        ] {
            assert!(!is_taken(&[], origin, host), "{origin} {host}");
        }
    }

    #[test]
    fn pages_of_the_origins_that_are_set_may() {
        let set = ["https://app.example"];
        assert!(is_taken(&set, "https://app.example", "a.example"));
        assert!(!is_taken(&set, "http://app.example", "a.example"));
        assert!(!is_taken(&set, "https://app.example:8443", "a.example"));
        assert!(is_taken(&["*"], "https://anyone.example", "a.example"));
        assert!(is_taken(&["*"], "null", "a.example"));
    }

    #[test]
    fn what_is_no_page_may() {
        let request = Request::builder().body(axum::body::Body::empty()).unwrap();
        assert!(Origins::new(&[]).check(&request).is_ok());
    }
}
