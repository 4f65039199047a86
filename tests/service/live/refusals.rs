//! What is no stream.

use reqwest::Method;
use reqwest::header::ACCEPT;
use serde_json::json;

use crate::harness::TestApp;

#[tokio::test]
async fn a_wrong_query_is_named_and_nothing_is_opened() {
    let app = TestApp::start().await;
    let refused = app.client.get("/events/stream?source_id=i&after=x&include=all").await;
    assert_eq!((refused.status, refused.problem().as_str()), (400, "invalid-parameter"));
    let body = refused.json();
    let errors = body["errors"].as_array().unwrap();
    let named: Vec<_> = errors.iter().map(|error| error["parameter"].as_str().unwrap()).collect();
    assert_eq!(named, ["source_id", "include", "after"]);

    let json = app.client.request(Method::GET, "/events/stream").header(ACCEPT, "application/json");
    assert_eq!(app.client.send(json).await.status, 406);
    assert_eq!(app.metric("dual_stream_live_streams", &[]).await, 0.0);
}

/// What a position names is kept, and told with each event: it must not be whatever a client makes
/// up. Some partitions may be new, and known to another instance only.
#[tokio::test]
async fn a_position_of_far_more_partitions_than_there_are_is_refused() {
    let app = TestApp::start().await;
    let naming = |count: usize| {
        let cursors: Vec<_> = (0..count).map(|partition| format!("{partition}-none")).collect();
        cursors.join(",")
    };
    let (most, more) = (naming(6 + 100), naming(6 + 101));
    let stream = app.client.resume("", &most).await;
    assert_eq!(stream.last_id, most);
    for (query, header, name) in [
        ("", more.as_str(), "Last-Event-ID"),
        (&format!("?last_event_id={more}"), "", "last_event_id"),
        (&format!("?after={more}"), "", "after"),
    ] {
        let request = app.client.request(Method::GET, &format!("/events/stream{query}"));
        let refused = app.client.send(request.header("last-event-id", header)).await;
        assert_eq!((refused.status, refused.problem().as_str()), (400, "invalid-parameter"));
        assert_eq!(refused.json()["errors"][0]["parameter"], name);
    }
    let mut socket = app.client.socket().await;
    socket.subscribe("most", json!({"after": most})).await;
    socket.ask("more", json!({"after": more})).await;
    let error = socket.next().await;
    assert_eq!((&error["op"], &error["subscription"]), (&json!("error"), &json!("more")));
    assert_eq!(error["problem"]["errors"][0]["pointer"], "/after");
}

#[tokio::test]
async fn more_streams_than_may_be_open_are_refused() {
    let app = TestApp::builder().set("live.streams", "2").start().await;
    let one = app.client.stream("").await;
    let _other = app.client.stream("").await;
    let refused = app.client.get("/events/stream").await;
    assert_eq!((refused.status, refused.problem().as_str()), (503, "too-many-streams"));
    assert!(refused.header("retry-after").is_some());
    drop(one);
    app.metric_is("dual_stream_live_streams", 1.0).await;
    app.client.stream("").await;
}

#[tokio::test]
async fn without_kafka_there_is_no_position_to_begin_at() {
    let app = TestApp::builder().brokers("127.0.0.1:1").start_unready().await;
    let refused = app.client.get("/events/stream").await;
    assert_eq!((refused.status, refused.problem().as_str()), (503, "read-unavailable"));
}

#[tokio::test]
async fn head_opens_nothing() {
    let app = TestApp::start().await;
    let head = app.client.request(Method::HEAD, "/events/stream").send().await.unwrap();
    assert_eq!(head.status(), 200);
    assert_eq!(head.headers()["content-type"], "text/event-stream");
    app.metric_is("dual_stream_live_streams", 0.0).await;
}

#[tokio::test]
async fn streams_can_be_turned_off() {
    let app = TestApp::builder().set("live.streams", "0").start().await;
    assert_eq!(app.client.get("/events/stream").await.problem(), "too-many-streams");
}
