//! What the topic's own settings allow: how large a batch may be, and how many replicas a write needs.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::harness::kafka::create_topic;
use crate::harness::{TestApp, required, unique};

fn event(id: &str, bytes: usize) -> Value {
    json!({"id": id, "type": "t", "source_type": "s", "source_id": "i", "data": "x".repeat(bytes)})
}

fn events(count: usize, bytes: usize) -> Value {
    (0..count).map(|number| event(&number.to_string(), bytes)).collect()
}

async fn topic_with(setting: (&str, &str)) -> String {
    let topic = unique("limits");
    create_topic(&required("KAFKA_BROKERS"), &topic, 1, &[setting]).await;
    topic
}

/// Kafka judges a whole batch of records, and a client fills its batches up to its own limit.
#[tokio::test]
async fn small_events_are_stored_whatever_batches_they_travel_in() {
    let topic = topic_with(("max.message.bytes", "10240")).await;
    let app = TestApp::builder().topic(&topic).start().await;

    let answer = app.client.batch(events(100, 500)).await;

    assert_eq!(answer.status, 201, "{}", answer.text());
    assert_eq!(app.records().await.len(), 100);
    let fitted = app.logged("batches are fitted").await;
    assert_eq!(fitted["max_message"], 10240);
}

#[tokio::test]
async fn an_event_that_the_topic_does_not_take_is_refused_alone() {
    let topic = topic_with(("max.message.bytes", "10240")).await;
    let app = TestApp::builder().topic(&topic).start().await;

    let small = app.client.batch(events(100, 500));
    let large = app.client.event(event("large", 20_000));
    let more = app.client.batch(events(100, 500));
    let (small, large, more) = tokio::join!(small, large, more);

    assert_eq!((small.status, more.status), (201, 201), "{} {}", small.text(), more.text());
    assert_eq!((large.status, large.problem().as_str()), (413, "too-large"));
    assert_eq!(app.records().await.len(), 200);
    let warning = app.logged("publisher.max_event is more than").await;
    assert_eq!((&warning["max_message"], &warning["level"]), (&json!(10240), &json!("WARN")));
}

#[tokio::test]
async fn a_topic_of_which_no_partition_has_enough_replicas_takes_nothing_and_says_so() {
    let topic = topic_with(("min.insync.replicas", "2")).await;
    let app = TestApp::builder().topic(&topic).start_unready().await;

    let what = "1 of 1 partitions has fewer in-sync replicas (1) than min.insync.replicas (2)";
    app.logged(what).await;
    let readiness = app.unready().await;
    let started = Instant::now();
    let refused = app.client.event(event("1", 1)).await;

    assert!(readiness["reason"].as_str().unwrap().contains(what), "{readiness}");
    assert_eq!((refused.status, refused.problem().as_str()), (503, "not-stored"));
    assert!(started.elapsed() < Duration::from_secs(2), "{:?}", started.elapsed());
}
