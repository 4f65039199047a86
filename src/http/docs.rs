//! The API's description and its pages for people, out of the binary.
//!
//! Everything is made from `openapi.yaml`: the description as it is, the reference at `/docs`, and
//! the kinds of problems at `/docs/problems`. The pages need no script and load nothing from
//! elsewhere; a small script adds buttons that copy the examples.

mod description;
mod example;
mod html;
mod markdown;
mod operation;
mod page;
mod problems;
mod reference;
mod schema;

use axum::Router;
use axum::body::Bytes;

use description::Description;

use super::document::{Document, Lazy, serve};

/// The OpenAPI description, as it is served.
pub const OPENAPI: &str = include_str!("../../openapi.yaml");

/// Nothing but the service's own style and script.
const POLICY: &str = "default-src 'none'; style-src 'self'; script-src 'self'; \
                      base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

static DESCRIPTION: Lazy = Lazy::new(|| document("application/yaml", OPENAPI));
static REFERENCE: Lazy = Lazy::new(|| page(reference::page));
static PROBLEMS: Lazy = Lazy::new(|| page(problems::page));
static STYLE: Lazy =
    Lazy::new(|| document("text/css; charset=utf-8", include_str!("docs/style.css")));
static SCRIPT: Lazy =
    Lazy::new(|| document("text/javascript; charset=utf-8", include_str!("docs/copy.js")));

/// The description at `/openapi.yaml`, its pages at `/docs` and `/docs/problems`, and what these
/// pages load from below `/docs/`.
pub fn routes<S: Clone + Send + Sync + 'static>() -> Router<S> {
    Router::new()
        .route("/openapi.yaml", serve(&DESCRIPTION))
        .route("/docs", serve(&REFERENCE))
        .route("/docs/problems", serve(&PROBLEMS))
        .route("/docs/style.css", serve(&STYLE))
        .route("/docs/copy.js", serve(&SCRIPT))
}

fn document(media_type: &'static str, body: impl Into<Bytes>) -> Document {
    Document::new(media_type, POLICY, body)
}

fn page(render: impl Fn(&Description) -> String) -> Document {
    document("text/html; charset=utf-8", render(&Description::embedded()))
}

#[cfg(test)]
mod tests {
    use axum::body::Body;
    use axum::http::header::{CACHE_CONTROL, ETAG, IF_NONE_MATCH};
    use axum::http::{Request, StatusCode};
    use axum::response::Response;
    use http_body_util::BodyExt;
    use tower::ServiceExt;

    use super::*;

    const PATHS: [&str; 5] =
        ["/openapi.yaml", "/docs", "/docs/problems", "/docs/style.css", "/docs/copy.js"];

    async fn get(path: &str, if_none_match: Option<&str>) -> Response {
        let mut request = Request::get(path);
        if let Some(tags) = if_none_match {
            request = request.header(IF_NONE_MATCH, tags);
        }
        routes().oneshot(request.body(Body::empty()).unwrap()).await.unwrap()
    }

    async fn text(path: &str) -> String {
        let body = get(path, None).await.into_body().collect().await.unwrap();
        String::from_utf8(body.to_bytes().to_vec()).unwrap()
    }

    #[tokio::test]
    async fn a_copy_that_is_still_good_is_not_sent_again() {
        for path in PATHS {
            let first = get(path, None).await;
            assert_eq!(first.status(), StatusCode::OK, "{path}");
            assert_eq!(first.headers()[CACHE_CONTROL], "no-cache");
            let etag = first.headers()[ETAG].to_str().unwrap();
            for tags in [etag, &format!("\"other\", W/{etag}"), "*"] {
                let again = get(path, Some(tags)).await;
                assert_eq!(again.status(), StatusCode::NOT_MODIFIED, "{path} {tags}");
            }
            assert_eq!(get(path, Some("\"other\"")).await.status(), StatusCode::OK, "{path}");
        }
    }

    #[tokio::test]
    async fn the_description_is_served_as_it_is() {
        assert_eq!(text("/openapi.yaml").await, OPENAPI);
    }

    #[tokio::test]
    async fn the_reference_shows_every_operation_answer_and_schema() {
        let page = text("/docs").await;
        let description = Description::embedded();
        for operation in description.operations() {
            let id = operation.node.get("operationId").text();
            assert!(page.contains(&format!("<section id=\"{id}\"")), "{id}");
            for (status, _) in operation.node.get("responses").entries() {
                assert!(page.contains(&format!("id=\"{id}-{status}\"")), "{id} {status}");
            }
        }
        for (name, _) in description.root().at(&["components", "schemas"]).entries() {
            assert!(page.contains(&format!("id=\"schema-{name}\"")), "{name}");
        }
    }

    #[tokio::test]
    async fn every_kind_of_problem_has_its_anchor_and_an_example() {
        let page = text("/docs/problems").await;
        for problem in Description::embedded().root().get("x-problems").items() {
            let slug = problem.get("slug").text();
            assert!(page.contains(&format!("<section id=\"{slug}\"")), "{slug}");
            assert!(
                page.contains(&format!("&quot;/docs/problems#{slug}&quot;")),
                "no example: {slug}"
            );
        }
    }

    #[tokio::test]
    async fn the_pages_lead_nowhere_that_is_not_there() {
        for path in ["/docs", "/docs/problems"] {
            let page = text(path).await;
            for link in page.split("href=\"#").skip(1) {
                let anchor = link.split('"').next().unwrap();
                assert!(page.contains(&format!("id=\"{anchor}\"")), "{path}#{anchor}");
            }
        }
    }

    #[tokio::test]
    async fn the_pages_load_nothing_from_elsewhere_and_have_nothing_inline() {
        for path in ["/docs", "/docs/problems"] {
            let page = text(path).await;
            for forbidden in ["src=\"http", "<style", " style=", "<script>", "onclick", "<img"] {
                assert!(!page.contains(forbidden), "{path}: {forbidden}");
            }
        }
    }
}
