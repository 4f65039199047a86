//! One event, from the request to Kafka.

use serde_json::json;

use crate::harness::{TestApp, unique};

#[tokio::test]
async fn an_event_is_stored_as_posted_at_the_cursor_that_was_answered() {
    let app = TestApp::start().await;
    let posted = r#"{ "z":1e999, "type" : "push","source_type":"repo",
        "source_id":"owner/repo", "id":"a-1", "data":{"n":12345678901234567890123,"n":2} }"#;
    let before = now();

    let answer = app.client.event(posted).await;

    assert_eq!(answer.status, 201, "{}", answer.text());
    let body = answer.json();
    let cursor = body["cursor"].as_str().unwrap();
    assert_eq!(body, json!({"id": "a-1", "cursor": cursor}));
    assert_eq!(answer.header("location"), Some(format!("/events/{cursor}").as_str()));
    let [record] = &app.records().await[..] else { panic!("one record") };
    assert_eq!(record.cursor.to_string(), cursor);
    assert_eq!(record.key, "owner/repo");
    assert_eq!(String::from_utf8_lossy(&record.value), posted);
    assert!((before..=now()).contains(&record.time));
    let header = |name: &str| record.headers[name].as_str();
    assert_eq!(header("id"), "a-1");
    assert_eq!(header("type"), "push");
    assert_eq!(header("source_type"), "repo");
    assert_eq!(header("content-type"), "application/json");
    assert_eq!(record.headers.len(), 4);
}

#[tokio::test]
async fn a_missing_id_is_made_and_spliced_in_as_the_first_member() {
    let app = TestApp::start().await;

    let answer =
        app.client.event(r#"{"type":"login","source_type":"user","source_id":"octocat"}"#).await;

    let id = answer.json()["id"].as_str().unwrap().to_owned();
    assert_eq!(uuid::Uuid::parse_str(&id).unwrap().get_version_num(), 7);
    let [record] = &app.records().await[..] else { panic!("one record") };
    assert_eq!(
        String::from_utf8_lossy(&record.value),
        format!(r#"{{"id":"{id}","type":"login","source_type":"user","source_id":"octocat"}}"#)
    );
    assert_eq!(record.headers["id"], id);
}

#[tokio::test]
async fn escapes_are_decoded_in_key_and_headers_and_kept_in_the_value() {
    let app = TestApp::start().await;
    let posted = r#"{"id":"\u00e9\ud83d\ude00","type":"a\/b","source_type":"user","source_id":"z\u00fcrich"}"#;

    let answer = app.client.event(posted).await;

    assert_eq!(answer.json()["id"], "é😀");
    let [record] = &app.records().await[..] else { panic!("one record") };
    assert_eq!((record.key.as_str(), record.headers["id"].as_str()), ("zürich", "é😀"));
    assert_eq!(record.headers["type"], "a/b");
    assert_eq!(String::from_utf8_lossy(&record.value), posted);
}

#[tokio::test]
async fn a_well_formed_trace_goes_into_the_headers_and_nothing_else_does() {
    let app = TestApp::start().await;
    let parent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    let event = r#"{"type":"t","source_type":"s","source_id":"i"}"#;
    let traced = |parent: &str| {
        let request = app.client.post("/events", "application/json", event);
        request.header("traceparent", parent).header("tracestate", "vendor=1")
    };

    app.client.send(traced(parent)).await;
    app.client.send(traced("not-a-trace")).await;

    let records = app.records().await;
    assert_eq!(records[0].headers["traceparent"], parent);
    assert_eq!(records[0].headers["tracestate"], "vendor=1");
    assert!(!records[1].headers.contains_key("traceparent"));
    assert!(!records[1].headers.contains_key("tracestate"));
}

#[tokio::test]
async fn events_of_a_source_keep_the_order_of_a_connection() {
    let app = TestApp::start().await;
    let source = unique("source");

    for number in 0..50 {
        let event = json!({"type": "n", "source_type": "s", "source_id": source, "id": format!("{number}")});
        assert_eq!(app.client.event(event).await.status, 201);
    }

    let ids: Vec<_> = app.records().await.into_iter().map(|r| r.headers["id"].clone()).collect();
    assert_eq!(ids, (0..50).map(|number| number.to_string()).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_client_that_hangs_up_stops_nothing() {
    use tokio::io::AsyncWriteExt;
    let app = TestApp::start().await;
    let body = r#"{"id":"left","type":"t","source_type":"s","source_id":"i"}"#;

    let mut connection = tokio::net::TcpStream::connect(&app.client.address).await.unwrap();
    let head = "POST /events HTTP/1.1\r\nHost: h\r\nContent-Type: application/json\r\n";
    let request = format!("{head}Content-Length: {}\r\n\r\n{body}", body.len());
    connection.write_all(request.as_bytes()).await.unwrap();
    drop(connection);

    crate::harness::eventually("the event is stored", async || {
        app.records().await.iter().any(|record| record.headers["id"] == "left").then_some(())
    })
    .await;
}

fn now() -> i64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    since.unwrap().as_millis() as i64
}
