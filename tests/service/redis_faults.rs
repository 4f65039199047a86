//! Whatever happens to Redis, the answers are the same.

use std::time::{Duration, Instant};

use serde_json::json;

use crate::harness::{RedisServer, Subscriber, TestApp, eventually, unique};

const DROPPED: &str = "dual_stream_notifications_dropped_total";

fn event(source_type: &str, id: usize) -> serde_json::Value {
    json!({"id": id.to_string(), "type": "t", "source_type": source_type, "source_id": "i"})
}

async fn app_with(redis: &RedisServer) -> TestApp {
    let builder = TestApp::builder().default_channels().set("redis.url", redis.url());
    builder
        .set("redis.connect_timeout", "300ms")
        .set("redis.response_timeout", "300ms")
        .set("notify.breaker_cooldown", "200ms")
        .start()
        .await
}

async fn redis_is(app: &TestApp, state: &str) {
    let what = format!("redis is {state}");
    eventually(&what, async || {
        let (ready, body) = app.readiness().await;
        assert!(ready, "Redis alone never makes the service unready: {body}");
        (body["redis"]["state"] == state).then_some(())
    })
    .await;
}

/// Posts some events one by one, all of which are stored, and gives the median time of an answer.
async fn median_of_posts(app: &TestApp, source_type: &str) -> Duration {
    let mut times = Vec::new();
    for id in 0..100 {
        let started = Instant::now();
        assert_eq!(app.client.event(event(source_type, id)).await.status, 201);
        times.push(started.elapsed());
    }
    times.sort();
    times[times.len() / 2]
}

/// Waits until so many are counted: what is queued when Redis is lost is dropped a little later.
async fn notifications_are_dropped(app: &TestApp, count: f64) {
    eventually("notifications are dropped", async || {
        (app.metric(DROPPED, &[]).await >= count).then_some(())
    })
    .await;
}

/// Posts until a notification arrives, as it must once Redis is back.
async fn notifications_flow(app: &TestApp, redis: &RedisServer) {
    let source_type = unique("back");
    let mut subscriber = Subscriber::to(&redis.url(), &format!("events:{source_type}:*")).await;
    eventually("notifications flow", async || {
        app.client.event(event(&source_type, 1)).await;
        subscriber.next_within(Duration::from_millis(200)).await
    })
    .await;
}

#[tokio::test]
async fn with_redis_never_there_it_serves_and_picks_redis_up_when_it_comes() {
    let mut redis = RedisServer::new();
    let app = app_with(&redis).await;
    redis_is(&app, "degraded").await;

    assert_eq!(app.client.event(event("s", 1)).await.status, 201);
    notifications_are_dropped(&app, 1.0).await;

    redis.start().await;
    redis_is(&app, "up").await;
    notifications_flow(&app, &redis).await;
}

#[tokio::test]
async fn with_redis_killed_it_serves_and_picks_redis_up_when_it_is_back() {
    let mut redis = RedisServer::new();
    redis.start().await;
    let app = app_with(&redis).await;
    notifications_flow(&app, &redis).await;

    redis.kill().await;
    for id in 0..50 {
        assert_eq!(app.client.event(event("s", id)).await.status, 201);
    }
    redis_is(&app, "degraded").await;
    notifications_are_dropped(&app, 1.0).await;

    redis.start().await;
    redis_is(&app, "up").await;
    notifications_flow(&app, &redis).await;
}

/// The times are printed, not judged: a test that asserts on time fails on a busy machine.
#[tokio::test]
async fn with_redis_frozen_it_serves_as_before_and_drops_notifications() {
    let mut redis = RedisServer::new();
    redis.start().await;
    let app = app_with(&redis).await;
    let with_redis = median_of_posts(&app, "s").await;

    redis.freeze();
    let frozen = median_of_posts(&app, "s").await;
    redis_is(&app, "degraded").await;
    let open = median_of_posts(&app, "s").await;
    eprintln!(
        "median of a POST: redis up {with_redis:?}, frozen {frozen:?}, circuit open {open:?}"
    );
    notifications_are_dropped(&app, 100.0).await;

    redis.thaw();
    redis_is(&app, "up").await;
    notifications_flow(&app, &redis).await;
}

#[tokio::test]
async fn a_redis_that_refuses_is_reported_and_changes_no_answer() {
    let mut redis =
        RedisServer::with(&["--user", "default", "on", "nopass", "~*", "&*", "+@all", "-publish"]);
    redis.start().await;
    let app = app_with(&redis).await;

    for id in 0..20 {
        assert_eq!(app.client.event(event("s", id)).await.status, 201);
    }
    eventually("the refusal is reported", async || {
        app.client.event(event("s", 1)).await;
        let detail = app.readiness().await.1["redis"]["detail"].clone();
        detail.as_str().is_some_and(|detail| detail.contains("publish")).then_some(())
    })
    .await;
    notifications_are_dropped(&app, 1.0).await;
    assert_eq!(app.metric("dual_stream_notifications_published_total", &[]).await, 0.0);
}

#[tokio::test]
async fn a_redis_that_refuses_some_is_told_in_its_words_and_without_the_notification() {
    let rights = ["--user", "default", "on", "nopass", "~*", "&events:open:i", "+@all"];
    let mut redis = RedisServer::with(&rights);
    redis.start().await;
    let app = app_with(&redis).await;

    let batch = json!([event("open", 1), event("s3cret", 2), event("open", 3)]);
    assert_eq!(app.client.batch(batch).await.status, 201);

    let line = app.logged("redis refuses notifications").await;
    assert!(line["message"].as_str().unwrap().contains("NOPERM"), "{line}");
    assert_eq!((&line["level"], &line["refused"]), (&json!("WARN"), &json!(1)));
    assert!(!app.log().join("\n").contains("s3cret"), "{line}");
}

#[tokio::test]
async fn a_redis_that_does_not_know_the_command_does_not_bring_it_into_the_log() {
    let mut redis = RedisServer::with(&["--rename-command", "PUBLISH", "HIDDEN"]);
    redis.start().await;
    let app = app_with(&redis).await;

    assert_eq!(app.client.event(event("s3cret", 1)).await.status, 201);

    app.logged("redis refuses notifications").await;
    assert!(!app.log().join("\n").contains("s3cret"), "{:?}", app.log());
}

#[tokio::test]
async fn a_wrong_password_is_reported_and_not_shown() {
    let mut redis = RedisServer::with(&["--requirepass", "right"]);
    redis.start().await;
    let url = format!("redis://:wr0ng-passw0rd@{}", redis.address());
    let app = TestApp::builder().set("redis.url", url).start().await;

    assert_eq!(app.client.event(event("s", 1)).await.status, 201);
    redis_is(&app, "degraded").await;
    app.logged("redis fails").await;
    let said = format!("{}{}", app.log().join("\n"), app.readiness().await.1);
    assert!(!said.contains("wr0ng-passw0rd"), "{said}");
}

#[tokio::test]
async fn a_server_that_answers_garbage_changes_no_answer() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let garbage = b"HTTP/1.1 400 Bad Request\r\n\r\n";
            let _ = tokio::io::AsyncWriteExt::write_all(&mut stream, garbage).await;
        }
    });
    let app = TestApp::builder().set("redis.url", format!("redis://{address}")).start().await;

    for id in 0..20 {
        assert_eq!(app.client.event(event("s", id)).await.status, 201);
    }
    redis_is(&app, "degraded").await;
}

#[tokio::test]
async fn memory_stays_bounded_while_redis_is_frozen() {
    let mut redis = RedisServer::new();
    redis.start().await;
    let app = TestApp::builder()
        .set("redis.url", redis.url())
        .set("notify.queue", "64KiB")
        // It fills with what is posted, and would hide what is looked for.
        .set("reader.memory", "64KiB")
        // So that the queue has to do it, not the circuit.
        .set("redis.response_timeout", "60s")
        .start()
        .await;
    redis.freeze();
    let batch = json!((0..1000).map(|id| event("s", id)).collect::<Vec<_>>()).to_string();

    let post = async || assert_eq!(app.client.batch(&batch).await.status, 201);
    for _ in 0..20 {
        post().await;
    }
    let before = app.resident_kib();
    for _ in 0..60 {
        post().await;
    }

    let grown = app.resident_kib().saturating_sub(before);
    assert!(app.metric(DROPPED, &["queue_full"]).await > 50_000.0);
    assert_eq!(app.metric(DROPPED, &["circuit_open"]).await, 0.0);
    assert!(app.metric("dual_stream_notify_queue_bytes", &[]).await <= 65_536.0);
    // 60,000 notifications of 80 bytes would be 4.8 MB by themselves.
    assert!(grown < 4096, "grew by {grown} KiB");
}
