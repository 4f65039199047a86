//! Kafka away or frozen: reads say so soon, and a service that comes back reads all of it.

use std::time::{Duration, Instant};

use serde_json::json;

use crate::harness::raw::Raw;
use crate::harness::reading::{after, recent, store};
use crate::harness::{Answer, Broker, TestApp, eventually};

/// What a client waits for at the most, whatever Kafka does.
const SOON: Duration = Duration::from_secs(8);

/// More than a service reads into its memory at the start at the least.
const MANY: usize = 300;

/// A service with next to nothing in its memory: what is old comes from Kafka.
async fn with_little_memory(broker: &Broker, topic: &str) -> TestApp {
    let builder = TestApp::builder().brokers(&broker.address()).topic(topic);
    builder.set("reader.warm", "0B").start().await
}

/// One of each question about what is old, and how long the answers took.
async fn ask(app: &TestApp, cursor: &str) -> Vec<(Answer, Duration)> {
    let back = format!("{}&before={cursor}", recent("s", "i"));
    let paths = [format!("/events/{cursor}"), back, after("s", "i", "beginning")];
    let mut answers = Vec::new();
    for path in &paths {
        answers.push(timed(app.client.get(path)).await);
    }
    answers.push(timed(app.client.lines_of(&paths[2])).await);
    answers.push(timed(app.client.fetch(&[cursor])).await);
    answers
}

async fn timed(answer: impl Future<Output = Answer>) -> (Answer, Duration) {
    let started = Instant::now();
    (answer.await, started.elapsed())
}

async fn all_say_that_kafka_is_away(app: &TestApp, cursor: &str) {
    for (number, (answer, took)) in ask(app, cursor).await.into_iter().enumerate() {
        assert_eq!(answer.status, 503, "question {number}: {}", answer.text());
        assert_eq!(answer.problem(), "read-unavailable", "question {number}");
        assert!(answer.header("retry-after").unwrap().parse::<u32>().unwrap() >= 1);
        assert!(took < SOON, "question {number} took {took:?}");
    }
}

async fn all_is_read_again(app: &TestApp, cursors: &[String]) {
    eventually("events are read again", async || {
        let path = format!("/events/{}", cursors[0]);
        (app.client.get(&path).await.status == 200).then_some(())
    })
    .await;
    let read = eventually("pages are read again", async || {
        let page = app.client.get(&recent("s", "i")).await;
        if page.status != 200 {
            return None;
        }
        Some(app.client.replay("s", "i", "beginning", "&limit=77").await)
    });
    let read: Vec<_> = read.await.into_iter().map(|read| read.cursor).collect();
    assert_eq!(read, cursors);
}

#[tokio::test]
async fn a_broker_that_is_gone_is_told_soon_and_read_when_it_is_back() {
    let mut broker = Broker::new();
    broker.start().await;
    let writer = TestApp::builder().brokers(&broker.address()).start().await;
    let cursors = store(&writer.client, "i", MANY).await;
    let app = with_little_memory(&broker, &writer.topic).await;
    assert_eq!(app.client.replay("s", "i", "beginning", "").await.len(), MANY);
    eventually("what it took itself is in its memory", async || {
        (writer.metric("dual_stream_reader_memory_bytes", &[]).await > 0.0).then_some(())
    })
    .await;

    broker.kill().await;
    all_say_that_kafka_is_away(&app, &cursors[3]).await;
    let recent = writer.client.get(&format!("/events/{}", cursors[MANY - 1])).await;
    assert_eq!(recent.status, 200, "{}", recent.text());

    broker.start().await;
    all_is_read_again(&app, &cursors).await;
}

#[tokio::test]
async fn a_broker_that_is_frozen_is_told_soon_and_read_when_it_goes_on() {
    let mut broker = Broker::new();
    broker.start().await;
    let writer = TestApp::builder().brokers(&broker.address()).start().await;
    let cursors = store(&writer.client, "i", MANY).await;
    let app = with_little_memory(&broker, &writer.topic).await;
    assert_eq!(app.client.replay("s", "i", "beginning", "").await.len(), MANY);

    broker.freeze();
    all_say_that_kafka_is_away(&app, &cursors[3]).await;

    broker.thaw();
    all_is_read_again(&app, &cursors).await;
}

#[tokio::test]
async fn a_replay_that_kafka_leaves_has_no_end() {
    let mut broker = Broker::new();
    broker.start().await;
    let app = TestApp::builder().brokers(&broker.address()).start().await;
    for n in 0..60 {
        let event = json!({"id": format!("{n}"), "type": "t", "source_type": "s",
                           "source_id": "i", "data": "x".repeat(500_000)});
        assert_eq!(app.client.event(event).await.status, 201);
    }
    let mut raw = Raw::connect(&app.client.address).await;
    let path = after("s", "i", "beginning");
    let accept = "Host: h\r\nAccept: application/x-ndjson";
    raw.send(format!("GET {path} HTTP/1.1\r\n{accept}\r\n\r\n")).await;
    raw.read_until("\"cursor\"").await;

    broker.kill().await;
    let rest = raw.read_to_end().await;

    assert!(!rest.ends_with("\r\n0\r\n\r\n"), "a proper end after {} bytes", rest.len());
    app.logged("a replay was cut").await;
}

#[tokio::test]
async fn without_kafka_at_the_start_reads_are_refused_and_it_reads_once_kafka_comes() {
    let mut broker = Broker::new();
    let app = TestApp::builder().brokers(&broker.address()).start_unready().await;
    all_say_that_kafka_is_away(&app, "0-0").await;
    broker.start().await;
    app.ready().await;
    let cursors = store(&app.client, "i", 10).await;
    all_is_read_again(&app, &cursors).await;
}
