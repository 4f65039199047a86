//! The console at `/`: a page that sends events and watches them arrive.
//!
//! It is files, out of the binary, and uses the API as any client does. What it shows comes from
//! anyone who may post, so its content policy lets nothing in but the files themselves, and no text
//! become markup (Trusted Types).

use std::collections::HashMap;
use std::sync::LazyLock;

use axum::Router;
use axum::http::{HeaderMap, Uri};
use axum::response::Response;
use axum::routing::get;

use super::document::{Document, Lazy, serve};
use super::routes;

/// Where the parts of the page are.
const BELOW: &str = "/console/";

const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; \
                      connect-src 'self'; base-uri 'none'; form-action 'none'; \
                      frame-ancestors 'none'; require-trusted-types-for 'script'; \
                      trusted-types 'none'";

macro_rules! files {
    ($($name:literal),* $(,)?) => {
        [$(($name, include_str!(concat!("console/", $name)))),*]
    };
}

const FILES: [(&str, &str); 14] = files![
    "answer.js",
    "api.js",
    "arrivals.js",
    "chart.js",
    "console.css",
    "curl.js",
    "dom.js",
    "form.js",
    "icon.svg",
    "json.js",
    "latency.js",
    "main.js",
    "stream.js",
    "watching.js",
];

static PAGE: Lazy = Lazy::new(|| {
    Document::new("text/html; charset=utf-8", POLICY, include_str!("console/console.html"))
});
static PARTS: LazyLock<HashMap<&str, Document>> = LazyLock::new(|| {
    let part = |(name, text)| (name, Document::new(media_type(name), POLICY, text));
    FILES.into_iter().map(part).collect()
});

/// The page, and below `/console/` what it loads.
pub(super) fn routes<S: Clone + Send + Sync + 'static>() -> Router<S> {
    Router::new().route("/", serve(&PAGE)).route("/console/{part}", get(part))
}

async fn part(uri: Uri, headers: HeaderMap) -> Response {
    match uri.path().strip_prefix(BELOW).and_then(|name| PARTS.get(name)) {
        Some(part) => part.answer(&headers),
        None => routes::not_found(uri).await,
    }
}

fn media_type(name: &str) -> &'static str {
    match name.rsplit('.').next() {
        Some("css") => "text/css; charset=utf-8",
        Some("svg") => "image/svg+xml",
        _ => "text/javascript; charset=utf-8",
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    const HTML: &str = include_str!("console/console.html");

    /// What stands between `before` and the next quotation mark, wherever it does.
    fn quoted<'a>(text: &'a str, before: &'a str) -> impl Iterator<Item = &'a str> {
        text.split(before).skip(1).filter_map(|rest| rest.split('"').next())
    }

    #[test]
    fn every_file_is_served() {
        let directory = concat!(env!("CARGO_MANIFEST_DIR"), "/src/http/console");
        let files = std::fs::read_dir(directory).unwrap();
        let mut names: BTreeSet<_> =
            files.map(|file| file.unwrap().file_name().into_string().unwrap()).collect();
        assert!(names.remove("console.html"));
        assert_eq!(names, FILES.map(|(name, _)| name.to_owned()).into());
    }

    #[test]
    fn what_the_page_and_its_scripts_load_is_there() {
        let loaded = quoted(HTML, "=\"console/");
        let imported = FILES.iter().flat_map(|(_, text)| quoted(text, "from \"./"));
        let names: BTreeSet<_> = loaded.chain(imported).collect();
        assert!(names.len() > 10, "{names:?}");
        for name in names {
            assert!(PARTS.contains_key(name), "{name}");
        }
    }

    #[test]
    fn nothing_is_inline_from_elsewhere_or_made_of_text() {
        let scripts = FILES.iter().map(|(_, text)| *text);
        for text in scripts.chain([HTML]) {
            for forbidden in [
                "<style",
                " style=",
                "<script>",
                "onclick",
                "src=\"http",
                "innerHTML",
                "outerHTML",
                "insertAdjacentHTML",
                "document.write",
                "eval(",
            ] {
                assert!(!text.contains(forbidden), "{forbidden}");
            }
        }
    }
}
