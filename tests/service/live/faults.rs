//! Streams while Kafka or Redis is away.

use std::time::Duration;

use crate::harness::reading::store;
use crate::harness::{Broker, RedisServer, TestApp};

const SOURCE: &str = "?source_type=s&source_id=i";

#[tokio::test]
async fn a_broker_that_was_killed_leaves_no_gap() {
    let mut broker = Broker::new();
    broker.start().await;
    let app =
        TestApp::builder().brokers(&broker.address()).set("live.heartbeat", "200ms").start().await;
    let mut stream = app.client.stream(SOURCE).await;
    let before = store(&app.client, "i", 50).await;
    assert_eq!(stream.cursors(50).await, before);

    broker.kill().await;
    stream.beat().await;
    let mut waiting = app.client.resume(SOURCE, "beginning").await;
    waiting.beat().await;
    broker.start().await;
    app.ready().await;
    let after = store(&app.client, "i", 50).await;

    assert_eq!(stream.cursors(50).await, after);
    assert_eq!(waiting.cursors(100).await, [before, after].concat());
}

#[tokio::test]
async fn without_redis_streams_go_on_by_the_tail() {
    let mut redis = RedisServer::new();
    redis.start().await;
    let app = TestApp::builder().set("redis.url", redis.url()).start().await;
    let mut stream = app.client.stream(SOURCE).await;
    let first = store(&app.client, "i", 10).await;
    assert_eq!(stream.cursors(10).await, first);

    redis.freeze();
    let second = store(&app.client, "i", 10).await;
    assert_eq!(stream.cursors(10).await, second);
    redis.kill().await;
    let third = store(&app.client, "i", 10).await;
    assert_eq!(stream.cursors(10).await, third);
    assert_eq!(stream.next_within(Duration::from_millis(300)).await, None);
}
