//! What comes early: what is announced on Redis, before Kafka has brought it, and what becomes of it
//! when Redis loses it, is away, or is lied to.

use std::time::Duration;

use serde_json::{Value, json};

use super::SOON;
use crate::harness::reading::store;
use crate::harness::stream::Events;
use crate::harness::{RedisServer, TestApp, eventually};

const SOURCE: &str = "?source_type=s&source_id=i";
const DELIVERED: &str = "dual_stream_live_delivered_total";
const ANNOUNCED: &str = "dual_stream_live_announced_total";
const UNCONFIRMED: &str = "dual_stream_live_unconfirmed_total";
const CHANNELS: &str = "dual_stream_live_channels";
const MISSING: &str = "dual_stream_live_channels_missing";
const CONNECTED: &str = "dual_stream_live_redis_connected";

/// A service with a Redis of its own and a topic of one partition, so that the next cursor is known.
struct Rig {
    redis: RedisServer,
    app: TestApp,
    /// The channel of the source that is followed.
    channel: String,
    written: i64,
}

impl Rig {
    async fn start() -> Self {
        let mut redis = RedisServer::new();
        redis.start().await;
        Self::with(redis).await
    }

    async fn with(redis: RedisServer) -> Self {
        // By heartbeats it is noticed that a client has gone.
        Self::beating(redis, "500ms").await
    }

    async fn beating(redis: RedisServer, heartbeat: &str) -> Self {
        let builder = TestApp::builder().set("redis.url", redis.url()).set("kafka.partitions", 1);
        let builder = builder
            .set("redis.connect_timeout", "300ms")
            .set("redis.response_timeout", "300ms")
            .set("notify.breaker_cooldown", "200ms")
            .set("live.heartbeat", heartbeat);
        let app = builder.start().await;
        let channel = format!("{}:s:i", app.topic);
        Rig { redis, app, channel, written: 0 }
    }

    /// A stream of the source that is subscribed to its channel.
    async fn stream(&self) -> Events {
        let stream = self.app.client.stream(SOURCE).await;
        self.redis.subscribers_are(&self.channel, 1).await;
        stream
    }

    async fn store(&mut self, count: usize) -> Vec<String> {
        self.written += count as i64;
        store(&self.app.client, "i", count).await
    }

    /// A cursor that lies so far behind the end of the log.
    fn cursor(&self, ahead: i64) -> String {
        format!("0-{}", self.written + ahead)
    }

    /// Announces an event that is not there.
    async fn announce(&self, id: &str, cursor: &str) {
        self.redis.publish(&self.channel, &notification(id, cursor)).await;
    }

    /// Has a stream know the channel: news that nobody can say what came before are left to Kafka.
    async fn acquaint(&mut self, stream: &mut Events) {
        self.announce("made up", &self.cursor(0)).await;
        self.app.metric_reaches(ANNOUNCED, &["told"], 1.0).await;
        let posted = self.store(1).await;
        assert_eq!(stream.cursors(1).await, posted);
        stream.confirmed(&posted[0]).await;
    }

    /// Stores until an event has come early.
    async fn is_early_again(&mut self, stream: &mut Events) {
        let before = self.app.metric(DELIVERED, &["early"]).await;
        loop {
            let posted = self.store(1).await;
            assert_eq!(stream.cursors(1).await, posted);
            if self.app.metric(DELIVERED, &["early"]).await > before {
                return stream.confirmed(&posted[0]).await;
            }
        }
    }
}

fn notification(id: &str, cursor: &str) -> Value {
    json!({"id": id, "type": "t", "source_id": "i", "cursor": cursor})
}

fn event(id: &str) -> Value {
    json!({"id": id, "type": "t", "source_type": "s", "source_id": "i"})
}

#[tokio::test]
async fn an_event_comes_as_soon_as_it_is_announced_once_and_without_an_id() {
    let mut redis = RedisServer::new();
    redis.start().await;
    // So that nothing else than the event moves the position.
    let mut rig = Rig::beating(redis, "10m").await;
    let mut stream = rig.stream().await;
    rig.acquaint(&mut stream).await;
    let (cursor, before) = (rig.cursor(0), stream.last_id.clone());

    // Kafka does not have it yet.
    rig.announce("one", &cursor).await;

    let early = stream.next().await;
    assert!(!early.has_id);
    let expected = json!({"id": "one", "type": "t", "source_type": "s", "source_id": "i",
                          "cursor": cursor});
    assert_eq!((early.name.as_str(), early.data), ("message", expected));
    assert_eq!(stream.next_within(SOON).await, None);
    assert_eq!(stream.last_id, before);

    assert_eq!(rig.app.client.event(event("one")).await.json()["cursor"], cursor.as_str());
    stream.confirmed(&cursor).await;
    assert_eq!(stream.next_within(SOON).await, None);
    assert_eq!(rig.app.metric(DELIVERED, &["early"]).await, 1.0);
}

#[tokio::test]
async fn events_of_the_service_itself_come_early_and_each_once() {
    let mut rig = Rig::start().await;
    let mut stream = rig.stream().await;
    for _ in 0..3 {
        rig.is_early_again(&mut stream).await;
    }
    let posted = rig.store(500).await;
    assert_eq!(stream.cursors(500).await, posted);
    stream.confirmed(posted.last().unwrap()).await;
    assert_eq!(stream.next_within(SOON).await, None);
    assert_eq!(rig.app.metric(UNCONFIRMED, &[]).await, 0.0);
}

#[tokio::test]
async fn another_instance_that_has_brought_it_is_heard() {
    let mut rig = Rig::start().await;
    let other = TestApp::builder().topic(&rig.app.topic).set("redis.url", rig.redis.url());
    let other = other.start().await;
    let mut stream = other.client.stream(SOURCE).await;
    rig.redis.subscribers_are(&rig.channel, 1).await;
    eventually("it comes early", async || {
        let posted = rig.store(1).await;
        assert_eq!(stream.cursors(1).await, posted);
        (other.metric(DELIVERED, &["early"]).await > 0.0).then_some(())
    })
    .await;
}

#[tokio::test]
async fn channels_are_counted_and_released_a_while_after_the_last() {
    let rig = Rig::start().await;
    let one = rig.stream().await;
    let other = rig.stream().await;
    let many = rig.app.client.stream("?source_type=s&source_id=i&source_id=j&source_type=u").await;
    // A whole type has no channel in these settings.
    rig.redis.subscribers_are(&format!("{}:s:j", rig.app.topic), 1).await;
    rig.app.metric_is(CHANNELS, 2.0).await;
    assert_eq!(rig.redis.subscribers(&rig.channel).await, 1);

    drop((one, many));
    rig.redis.subscribers_are(&format!("{}:s:j", rig.app.topic), 0).await;
    rig.app.metric_is(CHANNELS, 1.0).await;
    assert_eq!(rig.redis.subscribers(&rig.channel).await, 1);
    drop(other);
    rig.redis.subscribers_are(&rig.channel, 0).await;
    rig.app.metric_is(CHANNELS, 0.0).await;
    assert_eq!(rig.app.metric(MISSING, &[]).await, 0.0);
}

#[tokio::test]
async fn a_whole_type_is_early_where_it_has_a_channel() {
    let mut redis = RedisServer::new();
    redis.start().await;
    let builder = TestApp::builder().set("redis.url", redis.url()).set("kafka.partitions", 1);
    let channels = "events:{source_type}:{source_id},events:{source_type}";
    let app = builder.set("notify.channels", channels).start().await;
    let mut whole = app.client.stream("?source_type=s&types=t").await;
    let mut all = app.client.stream("").await;
    redis.subscribers_are("events:s", 1).await;

    redis.publish("events:s", &notification("made up", "0-0")).await;
    app.metric_reaches(ANNOUNCED, &["told"], 1.0).await;
    let posted = store(&app.client, "i", 1).await;
    assert_eq!(whole.cursors(1).await, posted);
    assert_eq!(all.cursors(1).await, posted);
    let other = json!({"id": "1", "type": "other", "source_id": "j", "cursor": "0-1"});
    redis.publish("events:s", &other).await;
    redis.publish("events:s", &notification("made up", "0-2")).await;

    let early = whole.next().await;
    assert_eq!((early.cursor().as_str(), early.has_id), ("0-2", false));
    assert_eq!(early.data["source_type"], "s");
    assert_eq!(all.next_within(SOON).await, None);
    assert_eq!(app.metric(CHANNELS, &[]).await, 1.0);
}

#[tokio::test]
async fn whole_events_are_left_to_kafka() {
    let rig = Rig::start().await;
    let mut stream = rig.app.client.stream(&format!("{SOURCE}&include=event")).await;
    let posted = store(&rig.app.client, "i", 50).await;
    for cursor in posted {
        let event = stream.next().await;
        assert_eq!((event.cursor(), event.has_id), (cursor, true));
    }
    assert_eq!(rig.app.metric(CHANNELS, &[]).await, 0.0);
    assert_eq!(rig.redis.subscribers(&rig.channel).await, 0);
}

/// Whoever has the right to publish can have streams tell what is not there, and nothing else.
#[tokio::test]
async fn what_is_made_up_neither_hides_nor_moves_anything() {
    let mut rig = Rig::start().await;
    let mut stream = rig.stream().await;
    rig.acquaint(&mut stream).await;
    let before = stream.last_id.clone();
    let next = rig.cursor(0);

    rig.announce("made up", &next).await;
    rig.announce("made up", &rig.cursor(5)).await;
    rig.announce("another", &rig.cursor(5)).await;
    assert_eq!(stream.cursors(2).await, [next.clone(), rig.cursor(5)]);
    assert_eq!(stream.last_id, before);

    // The event that is really there comes, too.
    assert_eq!(rig.app.client.event(event("real")).await.json()["cursor"], next.as_str());
    let real = stream.next().await;
    assert_eq!((real.data["id"].as_str(), real.cursor()), (Some("real"), next.clone()));
    assert!(real.has_id);
    rig.written += 1;
    let posted = rig.store(10).await;
    assert_eq!(stream.cursors(10).await, posted);
    stream.confirmed(&posted[9]).await;
    rig.app.metric_is(UNCONFIRMED, 2.0).await;

    let mut resumed = rig.app.client.resume(SOURCE, &before).await;
    assert_eq!(resumed.cursors(11).await, [&[next][..], &posted].concat());
}

#[tokio::test]
async fn what_is_no_notification_of_an_event_that_may_be_there_is_refused() {
    let mut rig = Rig::start().await;
    let mut stream = rig.stream().await;
    rig.acquaint(&mut stream).await;
    let whole = notification("1", &rig.cursor(0));
    let with = |name: &str, value: Value| {
        let mut notification = whole.clone();
        notification[name] = value;
        notification
    };
    let refused = [
        json!("text"),
        json!([1]),
        json!({}),
        with("id", json!("x".repeat(129))),
        with("type", json!("a\n")),
        with("source_id", json!("another")),
        with("cursor", json!("0-01")),
        with("cursor", json!("1-0")),
        with("cursor", json!("0-9223372036854775807")),
        with("cursor", json!("0-5000000")),
        with("cursor", Value::Null),
        with("more", json!("x".repeat(10_000))),
    ];
    for payload in &refused {
        rig.redis.publish(&rig.channel, payload).await;
    }
    rig.app.metric_reaches(ANNOUNCED, &["refused"], refused.len() as f64).await;
    assert_eq!(stream.next_within(SOON).await, None);

    let late = rig.app.metric(ANNOUNCED, &["late"]).await;
    rig.announce("1", &rig.cursor(-1)).await;
    rig.app.metric_reaches(ANNOUNCED, &["late"], late + 1.0).await;
    assert_eq!(stream.next_within(SOON).await, None);
    rig.is_early_again(&mut stream).await;
}

/// News are remembered until Kafka has the event. Those that never come must not fill a memory.
#[tokio::test]
async fn any_number_of_made_up_cursors_costs_no_event() {
    let mut rig = Rig::start().await;
    let mut stream = rig.stream().await;
    rig.acquaint(&mut stream).await;
    for ahead in 0..1000 {
        rig.announce("made up", &rig.cursor(1000 + ahead)).await;
    }
    rig.app.metric_reaches(ANNOUNCED, &["told"], 1001.0).await;
    let posted = rig.store(20).await;
    let mut came = Vec::new();
    while came.len() < 20 {
        let message = stream.next().await;
        if message.data["id"] != "made up" {
            came.push(message.cursor());
        }
    }
    assert_eq!(came, posted);
    assert!(rig.app.metric(DELIVERED, &["early"]).await <= 257.0);
}

#[tokio::test]
async fn a_connection_that_was_cut_is_made_anew_and_nothing_is_missed() {
    let mut rig = Rig::start().await;
    let mut stream = rig.stream().await;
    rig.is_early_again(&mut stream).await;
    for _ in 0..3 {
        // As Redis does by itself when what waits for a subscriber is too much.
        rig.redis.command(&["CLIENT", "KILL", "TYPE", "pubsub"]).await.unwrap();
        let posted = rig.store(50).await;
        assert_eq!(stream.cursors(50).await, posted);
        rig.redis.subscribers_are(&rig.channel, 1).await;
        rig.is_early_again(&mut stream).await;
    }
    assert_eq!(stream.next_within(SOON).await, None);
    rig.app.metric_is(CONNECTED, 1.0).await;
}

#[tokio::test]
async fn with_redis_killed_streams_go_on_and_are_early_again_when_it_is_back() {
    let mut rig = Rig::start().await;
    let mut stream = rig.stream().await;
    rig.is_early_again(&mut stream).await;

    rig.redis.kill().await;
    rig.app.metric_is(CONNECTED, 0.0).await;
    let posted = rig.store(50).await;
    assert_eq!(stream.cursors(50).await, posted);
    assert!(rig.app.readiness().await.0);
    assert_eq!(rig.app.metric(MISSING, &[]).await, 1.0);
    let mut other = rig.app.client.stream(SOURCE).await;

    rig.redis.start().await;
    rig.redis.subscribers_are(&rig.channel, 1).await;
    rig.app.metric_is(CONNECTED, 1.0).await;
    rig.app.metric_is(MISSING, 0.0).await;
    rig.is_early_again(&mut stream).await;
    assert_eq!(other.cursors(1).await.len(), 1);
    rig.app.logged("streams hear of redis again").await;
}

#[tokio::test]
async fn a_redis_that_is_frozen_is_noticed_and_left() {
    let mut rig = Rig::start().await;
    let mut stream = rig.stream().await;
    rig.is_early_again(&mut stream).await;

    rig.redis.freeze();
    let posted = rig.store(50).await;
    assert_eq!(stream.cursors(50).await, posted);
    rig.app.metric_is(CONNECTED, 0.0).await;
    rig.app.logged("streams hear nothing of redis").await;
    let mut other = rig.app.client.stream(SOURCE).await;
    let posted = rig.store(5).await;
    assert_eq!(other.cursors(5).await, posted);
    assert_eq!(stream.cursors(5).await, posted);

    rig.redis.thaw();
    rig.redis.subscribers_are(&rig.channel, 1).await;
    rig.is_early_again(&mut stream).await;
}

#[tokio::test]
async fn without_the_right_to_subscribe_everything_comes_by_kafka() {
    let rights = ["--user", "default", "on", "nopass", "~*", "&*", "+@all", "-subscribe"];
    let mut redis = RedisServer::with(&rights);
    redis.start().await;
    let mut rig = Rig::with(redis).await;
    let mut stream = rig.app.client.stream(SOURCE).await;
    let posted = rig.store(20).await;
    assert_eq!(stream.cursors(20).await, posted);
    let line = rig.app.logged("redis refuses subscriptions").await;
    assert!(line["message"].as_str().unwrap().contains("NOPERM"), "{line}");
    assert_eq!(rig.app.metric(MISSING, &[]).await, 1.0);
    assert_eq!(rig.app.metric(CONNECTED, &[]).await, 1.0);
    assert_eq!(rig.app.metric(DELIVERED, &["early"]).await, 0.0);

    // It is asked again, without a restart.
    rig.redis.command(&["ACL", "SETUSER", "default", "+subscribe"]).await.unwrap();
    rig.redis.subscribers_are(&rig.channel, 1).await;
    rig.is_early_again(&mut stream).await;
}

#[tokio::test]
async fn one_channel_that_is_refused_costs_the_others_nothing() {
    let rights = ["--user", "default", "on", "nopass", "~*", "resetchannels", "&*:s:i", "+@all"];
    let mut redis = RedisServer::with(&rights);
    redis.start().await;
    let rig = Rig::with(redis).await;
    let _stream = rig.app.client.stream(&format!("{SOURCE}&source_id=j&source_id=k")).await;
    rig.redis.subscribers_are(&rig.channel, 1).await;
    rig.app.metric_is(MISSING, 2.0).await;
    assert_eq!(rig.app.metric(CHANNELS, &[]).await, 1.0);
}

#[tokio::test]
async fn it_can_be_turned_off() {
    let mut redis = RedisServer::new();
    redis.start().await;
    let builder = TestApp::builder().set("redis.url", redis.url()).set("live.early", false);
    let app = builder.start().await;
    let mut stream = app.client.stream(SOURCE).await;
    let posted = store(&app.client, "i", 50).await;
    for cursor in posted {
        let event = stream.next().await;
        assert_eq!((event.cursor(), event.has_id), (cursor, true));
    }
    assert_eq!(redis.subscribers(&format!("{}:s:i", app.topic)).await, 0);
    assert_eq!(app.metric(CONNECTED, &[]).await, 0.0);
}

#[tokio::test]
async fn in_dev_what_the_process_announces_comes_early() {
    let app = TestApp::builder().dev().start().await;
    let mut stream = app.client.stream(SOURCE).await;
    eventually("it comes early", async || {
        let posted = store(&app.client, "i", 1).await;
        assert_eq!(stream.cursors(1).await, posted);
        (app.metric(DELIVERED, &["early"]).await > 0.0).then_some(())
    })
    .await;
    // More than fits the broadcaster at once.
    let posted = store(&app.client, "i", 300).await;
    assert_eq!(stream.cursors(300).await, posted);
    assert_eq!(stream.next_within(Duration::from_millis(300)).await, None);
}
