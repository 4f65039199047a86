//! Clients that stop, dawdle or vanish: each costs a bounded amount, for a bounded time, and the
//! others notice nothing.

use std::time::Duration;

use rdkafka::mocking::MockCluster;
use serde_json::json;
use tokio::io::AsyncWriteExt;

use crate::harness::app::Builder;
use crate::harness::kafka::read_all;
use crate::harness::raw::{Raw, chunk, dawdle};
use crate::harness::{Subscriber, TestApp, eventually, required, unique};

const IN_FLIGHT: &str = "dual_stream_in_flight_bytes";
const ARRIVING: &str = "dual_stream_arriving_bytes";
const CONNECTIONS: &str = "dual_stream_http_connections";

const SMALL_EVENT: &str = r#"{"type":"t","source_type":"s","source_id":"i"}"#;

fn event_of(bytes: usize) -> String {
    let frame = r#"{"type":"t","source_type":"s","source_id":"i","data":""}"#;
    frame.replace("\"\"", &format!("\"{}\"", "x".repeat(bytes - frame.len())))
}

fn length(bytes: usize) -> String {
    format!("Content-Length: {bytes}")
}

/// Half a MiB of room for large bodies, which is the largest one.
fn one_large_body() -> Builder {
    TestApp::builder()
        .set("publisher.max_event", "512KiB")
        .set("http.max_body", "512KiB")
        .set("publisher.max_in_flight_bytes", "1MiB")
}

async fn holds_some(app: &TestApp, metric: &str) {
    let what = format!("{metric} is above 0");
    eventually(&what, async || (app.metric(metric, &[]).await > 0.0).then_some(())).await;
}

#[tokio::test]
async fn a_large_body_that_is_announced_and_not_sent_holds_no_room() {
    let app = one_large_body().start().await;
    let mut stuck = Vec::new();
    for _ in 0..20 {
        let mut raw = Raw::post(&app.client.address, "/events/batch", &length(500_000)).await;
        raw.send("[").await;
        stuck.push(raw);
    }
    app.metric_is(ARRIVING, 20.0).await;

    assert_eq!(app.client.event(event_of(500_000)).await.status, 201);
}

#[tokio::test]
async fn a_large_body_that_falls_behind_is_let_go_before_its_time_is_up() {
    let app = one_large_body().start().await;
    let mut raw = Raw::post(&app.client.address, "/events/batch", &length(500_000)).await;
    raw.send(" ".repeat(100_000)).await;
    holds_some(&app, IN_FLIGHT).await;

    let answer = raw.read_to_end().await;

    assert!(answer.starts_with("HTTP/1.1 408"), "{answer}");
    assert!(answer.contains("comes too slowly"), "{answer}");
    app.metric_is(IN_FLIGHT, 0.0).await;
}

#[tokio::test]
async fn a_large_body_that_keeps_the_pace_may_take_its_time() {
    let app = one_large_body().set("http.body_timeout", "6s").start().await;
    let event = event_of(500_000);
    let mut raw = Raw::post(&app.client.address, "/events", &length(event.len())).await;

    for piece in event.as_bytes().chunks(5_000) {
        raw.send(piece).await;
        dawdle(Duration::from_millis(25)).await;
    }

    raw.read_until("HTTP/1.1 201").await;
}

#[tokio::test]
async fn bodies_without_a_length_hold_no_more_room_than_they_may_soon_need() {
    let app = one_large_body().start().await;
    let mut stuck = Vec::new();
    for _ in 0..2 {
        let chunked = "Transfer-Encoding: chunked";
        let mut raw = Raw::post(&app.client.address, "/events/batch", chunked).await;
        raw.send(chunk(70_000)).await;
        stuck.push(raw);
    }
    eventually("both hold room", async || {
        (app.metric(IN_FLIGHT, &[]).await >= 2.0 * 131_072.0).then_some(())
    })
    .await;

    assert_eq!(app.client.event(event_of(200_000)).await.status, 201);
}

#[tokio::test]
async fn half_sent_bodies_are_bounded_together_and_whole_ones_pass() {
    let app = TestApp::builder()
        .set("publisher.max_event", "64KiB")
        .set("http.max_body", "64KiB")
        .set("publisher.max_in_flight_bytes", "256KiB")
        .start()
        .await;
    let half_sent = async || {
        let mut raw = Raw::post(&app.client.address, "/events", &length(60_000)).await;
        raw.send(" ".repeat(50_000)).await;
        raw
    };
    let stuck = [half_sent().await, half_sent().await];
    app.metric_is(ARRIVING, 100_000.0).await;

    let refused = half_sent().await.read_until("\r\n\r\n").await;
    let whole = app.client.event(SMALL_EVENT).await;

    assert!(refused.starts_with("HTTP/1.1 503"), "{refused}");
    assert!(refused.contains("retry-after: "), "{refused}");
    assert_eq!(whole.status, 201);
    drop(stuck);
    app.metric_is(ARRIVING, 0.0).await;
    assert_eq!(app.client.event(event_of(60_000)).await.status, 201);
}

/// One that asked first and was told to go on sends the whole body, whatever it is answered.
#[tokio::test]
async fn a_client_that_was_told_to_continue_can_send_on_and_read_its_refusal() {
    let app = one_large_body().set("publisher.admission_timeout", "0s").start().await;
    let mut stuck = Raw::post(&app.client.address, "/events/batch", &length(500_000)).await;
    stuck.send(" ".repeat(100_000)).await;
    holds_some(&app, IN_FLIGHT).await;
    let headers = format!("{}\r\nExpect: 100-continue", length(500_000));
    let mut raw = Raw::post(&app.client.address, "/events/batch", &headers).await;
    raw.read_until("100 Continue").await;

    raw.send(" ".repeat(100_000)).await;
    app.metric_is(ARRIVING, 0.0).await;
    for _ in 0..4 {
        raw.send(" ".repeat(100_000)).await;
        // So that a connection that was closed has time to say so.
        dawdle(Duration::from_millis(50)).await;
    }

    raw.read_until("HTTP/1.1 503").await;
}

#[tokio::test]
async fn a_client_that_vanishes_midway_through_its_body_leaves_nothing_behind() {
    let app = one_large_body().start().await;
    let before = app.metric(CONNECTIONS, &[]).await;
    for sent in [100, 100_000] {
        for goes in [drop::<Raw>, Raw::reset] {
            let mut raw = Raw::post(&app.client.address, "/events", &length(200_000)).await;
            raw.send(" ".repeat(sent)).await;
            holds_some(&app, if sent == 100 { ARRIVING } else { IN_FLIGHT }).await;

            goes(raw);

            for metric in [ARRIVING, IN_FLIGHT] {
                app.metric_is(metric, 0.0).await;
            }
            app.metric_is(CONNECTIONS, before).await;
        }
    }
    assert_eq!(app.records().await.len(), 0);
}

#[tokio::test]
async fn an_event_of_a_client_that_vanishes_is_stored_and_announced() {
    let kafka = MockCluster::new(1).unwrap();
    kafka.create_topic("slow", 1, 1).unwrap();
    let builder = TestApp::builder().brokers(&kafka.bootstrap_servers()).topic("slow");
    let app = builder.default_channels().start().await;
    let before = app.metric(CONNECTIONS, &[]).await;
    for goes in [drop::<Raw>, Raw::reset] {
        let source = unique("vanished");
        let channel = format!("events:s:{source}");
        let mut subscriber = Subscriber::to(&required("REDIS_URL"), &channel).await;
        let event = json!({"type": "t", "source_type": "s", "source_id": source}).to_string();
        kafka.broker_round_trip_time(1, Duration::from_secs(1)).unwrap();
        let mut raw = Raw::post(&app.client.address, "/events", &length(event.len())).await;
        raw.send(event).await;
        holds_some(&app, IN_FLIGHT).await;

        goes(raw);

        assert_eq!(subscriber.next().await.payload["source_id"], source);
        app.metric_is(IN_FLIGHT, 0.0).await;
        app.metric_is(CONNECTIONS, before).await;
        kafka.broker_round_trip_time(1, Duration::ZERO).unwrap();
    }
    assert_eq!(read_all(&app.brokers, &app.topic).await.len(), 2);
}

#[tokio::test]
async fn a_client_that_sends_no_more_gets_its_answer() {
    let app = TestApp::start().await;
    let before = app.metric(CONNECTIONS, &[]).await;
    let mut raw = Raw::post(&app.client.address, "/events", &length(SMALL_EVENT.len())).await;
    raw.send(SMALL_EVENT).await;
    raw.stream.shutdown().await.unwrap();

    let answer = raw.read_to_end().await;

    assert!(answer.starts_with("HTTP/1.1 201"), "{answer}");
    app.metric_is(CONNECTIONS, before).await;
}
