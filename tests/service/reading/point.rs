//! `GET /events/{cursor}`.

use reqwest::Method;
use reqwest::header::IF_NONE_MATCH;
use serde_json::json;

use crate::harness::kafka::{create_topic, delete_records};
use crate::harness::reading::store;
use crate::harness::{TestApp, eventually, required, unique};

#[tokio::test]
async fn what_was_posted_is_at_its_location_byte_for_byte() {
    let app = TestApp::start().await;
    let body = "{\n \"source_id\": \"i/1:é\", \"n\": 12345678901234567890.10, \"n\": 2,\r\n \"type\":\"t\",\
                \"source_type\":\"s\", \"id\": \"first\" }";
    let posted = app.client.event(body).await;
    let location = posted.header("location").expect("a location").to_owned();

    let answer = app.client.get(&location).await;

    assert_eq!((answer.status, answer.text().as_str()), (200, body));
    let cursor = posted.json()["cursor"].as_str().unwrap().to_owned();
    let records = app.records().await;
    for (header, value) in [
        ("content-type", "application/json"),
        ("cache-control", "public, max-age=31536000, immutable"),
        ("etag", &format!("\"{cursor}\"")),
        ("event-cursor", &cursor),
        ("event-id", "first"),
        ("content-length", &body.len().to_string()),
        ("x-content-type-options", "nosniff"),
    ] {
        assert_eq!(answer.header(header), Some(value), "{header}");
    }
    let time = answer.header("event-time").unwrap();
    let time = humantime::parse_rfc3339(time).unwrap().duration_since(std::time::UNIX_EPOCH);
    assert_eq!(time.unwrap().as_millis(), records[0].time as u128);
}

#[tokio::test]
async fn an_event_without_an_id_is_read_with_the_one_that_was_made() {
    let app = TestApp::start().await;
    let posted = app.client.event(r#"{"type":"t","source_type":"s","source_id":"i"}"#).await;
    let answer = app.client.get(posted.header("location").unwrap()).await;
    assert_eq!(answer.json()["id"], posted.json()["id"]);
    assert_eq!(answer.header("event-id"), posted.json()["id"].as_str());
}

#[tokio::test]
async fn a_copy_that_is_still_good_is_not_sent_again() {
    let app = TestApp::start().await;
    let cursor = &store(&app.client, "i", 1).await[0];
    let path = format!("/events/{cursor}");
    let head = app.client.send(app.client.request(Method::HEAD, &path)).await;
    let full = app.client.get(&path).await;
    assert_eq!((head.status, head.body.len()), (200, 0));
    for header in ["etag", "event-id", "event-time", "last-modified", "content-length"] {
        assert_eq!(head.header(header), full.header(header), "{header}");
    }

    for method in [Method::GET, Method::HEAD] {
        let request = app.client.request(method, &path);
        let request = request.header(IF_NONE_MATCH, format!("\"x\", W/\"{cursor}\""));
        let again = app.client.send(request).await;
        assert_eq!((again.status, again.body.len()), (304, 0));
        assert_eq!(again.header("etag"), full.header("etag"));
    }
    let request = app.client.request(Method::GET, &path).header(IF_NONE_MATCH, "\"0-99\"");
    assert_eq!(app.client.send(request).await.status, 200);
}

#[tokio::test]
async fn where_no_event_is_the_problem_says_why() {
    let (brokers, topic) = (required("KAFKA_BROKERS"), unique("events"));
    create_topic(&brokers, &topic, 1, &[]).await;
    let app = TestApp::builder().topic(&topic).start().await;
    let told = async |path: &str| {
        let answer = app.client.get(path).await;
        assert_eq!(answer.header("cache-control"), Some("no-store"), "{path}");
        let detail = answer.json()["detail"].as_str().unwrap().to_owned();
        (answer.status, answer.problem(), detail)
    };
    let is = async |path: &str, status: u16, slug: &str, hint: &str| {
        let (got, problem, detail) = told(path).await;
        assert_eq!((got, problem.as_str()), (status, slug), "{path}");
        assert!(detail.contains(hint), "{path}: {detail}");
    };

    is("/events/0-0", 404, "not-yet-written", "0-0").await;
    is("/events/0-9223372036854775807", 404, "not-yet-written", "partition 0").await;
    store(&app.client, "i", 5).await;
    is("/events/0-5", 404, "not-yet-written", "0-5").await;
    is("/events/7-0", 404, "no-such-partition", "it has 1").await;
    is("/events/2147483647-0", 404, "no-such-partition", "2147483647").await;
    for malformed in
        ["x", "0", "0-", "-0", "00-0", "0-01", "+0-1", "0-1-2", "2147483648-0", "0-0%20", "%FF"]
    {
        is(&format!("/events/{malformed}"), 400, "invalid-parameter", "see errors").await;
    }
    delete_records(&brokers, &topic, 0, 3).await;
    eventually("memory forgets what is gone", async || {
        (app.client.get("/events/0-1").await.status == 410).then_some(())
    })
    .await;
    is("/events/0-1", 410, "removed", "begins at 0-3").await;
    let removed = app.client.get("/events/0-2").await;
    assert_eq!((removed.status, &removed.json()["earliest"]), (410, &json!("0-2")));
    let head = app.client.send(app.client.request(Method::HEAD, "/events/0-2")).await;
    assert_eq!((head.status, head.body.len()), (410, 0));
    assert_eq!(app.client.get("/events/0-3").await.status, 200);
    let labels = [r#"route="/events/{cursor}""#, r#"status="410""#];
    assert!(app.metric("dual_stream_http_requests_total", &labels).await >= 3.0);
}

#[tokio::test]
async fn an_id_that_is_not_ascii_is_encoded_in_its_header() {
    let app = TestApp::start().await;
    let event = json!({"id": "100 % é🎉", "type": "t", "source_type": "s", "source_id": "i"});
    let posted = app.client.event(&event).await;
    let answer = app.client.get(posted.header("location").unwrap()).await;
    assert_eq!(answer.header("event-id"), Some("100%20%25%20%C3%A9%F0%9F%8E%89"));
    assert_eq!(answer.json(), event);
}

#[tokio::test]
async fn a_large_event_is_read_whole() {
    let app = TestApp::start().await;
    let event = json!({"id": "large", "type": "t", "source_type": "s", "source_id": "i",
                       "data": "x".repeat(900_000)});
    let posted = app.client.event(&event).await;
    let answer = app.client.get(posted.header("location").unwrap()).await;
    assert_eq!(answer.text(), event.to_string());
    app.metric_is("dual_stream_read_answers_bytes", 0.0).await;
}
