//! Queries that are not what they should be: each has a decided answer.

use reqwest::Method;
use reqwest::header::ACCEPT;

use crate::harness::reading::{after, recent};
use crate::harness::{Answer, TestApp};

fn parameters(answer: &Answer) -> Vec<String> {
    let body = answer.json();
    let errors = body["errors"].as_array().unwrap_or_else(|| panic!("no errors: {body}"));
    errors.iter().map(|error| error["parameter"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn every_fault_of_a_query_is_named() {
    let app = TestApp::start().await;
    let good = recent("s", "i");
    for (path, names) in [
        ("/events".to_owned(), &["source_type", "source_id"][..]),
        ("/events?source_type=s".into(), &["source_id"]),
        ("/events?source_type=a:b&source_id=i".into(), &["source_type"]),
        (recent("s", ""), &["source_id"]),
        (recent("s", &"x".repeat(257)), &["source_id"]),
        (recent("s", "a\nb"), &["source_id"]),
        (format!("{good}&limit=0&source=x"), &["source", "limit"]),
        (format!("{good}&limit=1001"), &["limit"]),
        (format!("{good}&limit=10&limit=10"), &["limit"]),
        (format!("{good}&before=0-1&after=0-1"), &["before"]),
        (format!("{good}&before=beginning"), &["before"]),
        (format!("{good}&before=time:2026-11-01T00:00:00Z"), &["before"]),
        (format!("{good}&after=time:2026-11-01"), &["after"]),
        (format!("{good}&after=0-1,0-2"), &["after"]),
    ] {
        let answer = app.client.get(&path).await;
        assert_eq!(
            (answer.status, answer.problem().as_str()),
            (400, "invalid-parameter"),
            "{path}"
        );
        assert_eq!(parameters(&answer), names, "{path}");
        assert_eq!(answer.header("cache-control"), Some("no-store"));
        let head = app.client.send(app.client.request(Method::HEAD, &path)).await;
        assert_eq!((head.status, head.body.len()), (400, 0), "{path}");
    }
}

#[tokio::test]
async fn who_takes_no_json_is_told_what_there_is() {
    let app = TestApp::start().await;
    let get = async |path: &str, accept: &str| {
        app.client.send(app.client.request(Method::GET, path).header(ACCEPT, accept)).await
    };
    let (page, replay) = (recent("s", "i"), after("s", "i", "beginning"));
    for (path, accept) in [
        (page.clone(), "application/x-ndjson"),
        (page.clone(), "text/html"),
        (format!("{replay}&limit=5"), "application/x-ndjson"),
        (replay.clone(), "text/html, application/json;q=0"),
    ] {
        let answer = get(&path, accept).await;
        assert_eq!((answer.status, answer.problem().as_str()), (406, "not-acceptable"), "{accept}");
        assert_eq!(answer.header("vary"), Some("accept"));
    }
    for (path, accept, media_type) in [
        (&page, "application/x-ndjson, */*;q=0.1", "application/json"),
        (&page, "text/html,application/xhtml+xml,*/*;q=0.8", "application/json"),
        (&replay, "application/x-ndjson, application/json;q=0.9", "application/x-ndjson"),
        (&replay, "application/x-ndjson;q=0.5, application/json", "application/json"),
        (&replay, "application/*", "application/json"),
    ] {
        let answer = get(path, accept).await;
        assert_eq!((answer.status, answer.media_type()), (200, Some(media_type)), "{accept}");
        assert_eq!(answer.header("vary"), Some("accept"));
    }
}

#[tokio::test]
async fn pages_of_other_origins_may_read_where_they_may_post() {
    let origin = "https://app.example.com";
    let app = TestApp::builder().set("http.cors_origins", origin).start().await;
    let request = app.client.request(Method::GET, &recent("s", "i")).header("Origin", origin);
    let answer = app.client.send(request).await;
    assert_eq!(answer.header("access-control-allow-origin"), Some(origin));
    let exposed = answer.header("access-control-expose-headers").unwrap();
    for header in ["etag", "event-cursor", "event-id", "event-time", "retry-after"] {
        assert!(exposed.contains(header), "{header}: {exposed}");
    }
    let vary: Vec<_> = answer.headers.get_all("vary").iter().collect();
    assert!(vary.iter().any(|value| *value == "accept"), "{vary:?}");
    assert!(vary.iter().any(|value| value.to_str().unwrap().contains("origin")), "{vary:?}");

    let preflight = app.client.request(Method::OPTIONS, "/events/0-0");
    let preflight = preflight
        .header("Origin", origin)
        .header("Access-Control-Request-Method", "GET")
        .header("Access-Control-Request-Headers", "if-none-match");
    let answer = app.client.send(preflight).await;
    let allowed = answer.header("access-control-allow-headers").unwrap();
    assert!(allowed.contains("if-none-match"), "{allowed}");
}
