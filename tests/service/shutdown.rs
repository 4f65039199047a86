//! The orderly end.

use std::time::Duration;

use nix::sys::signal::Signal;
use rdkafka::mocking::MockCluster;
use serde_json::json;

use crate::harness::kafka::read_all;
use crate::harness::raw::Raw;
use crate::harness::{RedisServer, TestApp, eventually};

fn event(id: &str) -> serde_json::Value {
    json!({"id": id, "type": "t", "source_type": "s", "source_id": "i"})
}

const LIMIT: Duration = Duration::from_secs(20);

#[tokio::test]
async fn both_signals_end_an_idle_service_with_success() {
    for signal in [Signal::SIGTERM, Signal::SIGINT] {
        let mut app = TestApp::start().await;
        app.signal(signal);
        assert_eq!(app.wait(LIMIT).await.code(), Some(0));
        assert_eq!(app.last_numbers().await, json!([0, 0, 0, 0, 0]));
    }
}

#[tokio::test]
async fn under_load_everything_that_was_answered_is_stored() {
    let mut app = TestApp::start().await;
    let mut posts = tokio::task::JoinSet::new();
    for client in 0..8 {
        let http = app.client.clone();
        posts.spawn(async move {
            let mut stored = Vec::new();
            for number in 0.. {
                let id = format!("{client}-{number}");
                let request = http.post("/events", "application/json", event(&id).to_string());
                match http.try_send(request).await {
                    Ok(answer) if answer.status == 201 => stored.push(id),
                    Ok(answer) => panic!("{}", answer.text()),
                    Err(_) => break,
                }
            }
            stored
        });
    }
    eventually("load flows", async || {
        (app.metric("dual_stream_events_total", &["stored"]).await > 200.0).then_some(())
    })
    .await;

    app.signal(Signal::SIGTERM);

    let answered: Vec<String> = posts.join_all().await.into_iter().flatten().collect();
    assert_eq!(app.wait(LIMIT).await.code(), Some(0));
    let records = app.records().await;
    for id in &answered {
        assert!(records.iter().any(|record| record.headers["id"] == *id), "{id} was answered");
    }
    assert_eq!(app.logged("stopped").await["records_left"], 0);
}

#[tokio::test]
async fn a_request_under_way_is_answered_while_new_ones_are_not_taken() {
    let kafka = MockCluster::new(1).unwrap();
    kafka.create_topic("slow", 1, 1).unwrap();
    let mut app =
        TestApp::builder().brokers(&kafka.bootstrap_servers()).topic("slow").start().await;
    app.client.event(event("first")).await;
    app.metric_reaches("dual_stream_notifications_published_total", &[], 1.0).await;
    kafka.broker_round_trip_time(1, Duration::from_secs(2)).unwrap();
    let http = app.client.clone();
    let under_way = tokio::spawn(async move { http.event(event("under way")).await });
    eventually("it is in flight", async || {
        (app.metric("dual_stream_in_flight_bytes", &[]).await > 0.0).then_some(())
    })
    .await;

    app.signal(Signal::SIGTERM);

    app.listener_closes().await;
    let readiness = app.admin.get("/readyz").await;
    assert_eq!((readiness.status, &readiness.json()["shutting_down"]), (503, &json!(true)));
    assert_eq!(under_way.await.unwrap().status, 201);
    assert_eq!(app.wait(LIMIT).await.code(), Some(0));
    assert_eq!(app.last_numbers().await, json!([0, 1, 0, 1, 0]));
    kafka.broker_round_trip_time(1, Duration::ZERO).unwrap();
    assert_eq!(read_all(&app.brokers, &app.topic).await.len(), 2);
}

#[tokio::test]
async fn load_balancers_get_the_time_that_is_set_to_notice() {
    let mut app = TestApp::builder().set("shutdown.delay", "1s").start().await;

    app.signal(Signal::SIGTERM);

    let readiness = app.unready().await;
    assert_eq!(readiness["shutting_down"], true);
    let answer = app.client.event(event("while leaving")).await;
    assert_eq!((answer.status, answer.header("connection")), (201, Some("close")));
    assert_eq!(app.wait(LIMIT).await.code(), Some(0));
    assert_eq!(app.records().await.len(), 1);
}

#[tokio::test]
async fn a_second_signal_ends_it_at_once() {
    let mut app =
        TestApp::builder().set("shutdown.delay", "5s").set("shutdown.grace", "40s").start().await;

    app.signal(Signal::SIGTERM);
    app.unready().await;
    // One that follows at once is taken for the same, and a later one is not.
    app.signal(Signal::SIGTERM);
    assert_eq!(app.client.event(event("still served")).await.status, 201);
    let status = eventually("it ends", async || {
        app.signal(Signal::SIGINT);
        app.exited()
    })
    .await;

    assert_eq!(status.code(), Some(130));
    app.logged("a second signal").await;
}

#[tokio::test]
async fn a_redis_that_does_not_answer_cannot_stretch_the_grace() {
    let mut redis = RedisServer::new();
    redis.start().await;
    let mut app = TestApp::builder()
        .set("redis.url", redis.url())
        .set("redis.response_timeout", "60s")
        .set("kafka.message_timeout", "2s")
        .set("http.request_timeout", "4s")
        .set("http.body_timeout", "1s")
        .set("shutdown.grace", "9s")
        .start()
        .await;
    redis.freeze();
    let batch = json!((0..100).map(|id| event(&id.to_string())).collect::<Vec<_>>());
    assert_eq!(app.client.batch(batch).await.status, 201);

    app.signal(Signal::SIGTERM);

    assert_eq!(app.wait(LIMIT).await.code(), Some(0));
    assert_eq!(app.last_numbers().await, json!([0, 0, 0, 0, 100]));
}

#[tokio::test]
async fn notifications_that_wait_are_sent_before_the_end() {
    let mut redis = RedisServer::new();
    redis.start().await;
    let mut app = TestApp::builder()
        .set("redis.url", redis.url())
        .set("redis.response_timeout", "60s")
        .start()
        .await;
    redis.freeze();
    let batch = json!((0..100).map(|id| event(&id.to_string())).collect::<Vec<_>>());
    assert_eq!(app.client.batch(batch).await.status, 201);

    app.signal(Signal::SIGTERM);
    app.listener_closes().await;
    redis.thaw();

    assert_eq!(app.wait(LIMIT).await.code(), Some(0));
    assert_eq!(app.last_numbers().await, json!([0, 0, 0, 100, 0]));
}

#[tokio::test]
async fn notifications_that_redis_never_got_are_told_however_they_were_lost() {
    let kafka = MockCluster::new(1).unwrap();
    kafka.create_topic("slow", 1, 1).unwrap();
    let mut app = TestApp::builder()
        .brokers(&kafka.bootstrap_servers())
        .topic("slow")
        .set("redis.url", "redis://127.0.0.1:1")
        .start()
        .await;
    app.metric_is("dual_stream_notify_circuit_open", 1.0).await;
    kafka.broker_round_trip_time(1, Duration::from_secs(2)).unwrap();
    let http = app.client.clone();
    let under_way = tokio::spawn(async move { http.event(event("under way")).await });
    eventually("it is in flight", async || {
        (app.metric("dual_stream_in_flight_bytes", &[]).await > 0.0).then_some(())
    })
    .await;

    app.signal(Signal::SIGTERM);

    assert_eq!(under_way.await.unwrap().status, 201);
    assert_eq!(app.wait(LIMIT).await.code(), Some(0));
    assert_eq!(app.last_numbers().await, json!([0, 1, 0, 0, 1]));
}

#[tokio::test]
async fn a_body_that_stopped_midway_is_answered_before_the_end() {
    let mut app = TestApp::builder().set("http.body_timeout", "2s").start().await;
    let mut raw = Raw::post(&app.client.address, "/events", "Content-Length: 100").await;
    raw.send("{").await;
    app.metric_is("dual_stream_arriving_bytes", 1.0).await;

    app.signal(Signal::SIGTERM);

    let answer = raw.read_to_end().await;
    assert!(answer.starts_with("HTTP/1.1 408"), "{answer}");
    assert_eq!(app.wait(LIMIT).await.code(), Some(0));
    assert_eq!(app.last_numbers().await[0], 0);
}

#[tokio::test]
async fn a_log_that_nobody_reads_holds_up_neither_answers_nor_the_end() {
    let builder = TestApp::builder().set("log.level", "trace").log_unread();
    let mut app = tokio::time::timeout(LIMIT, builder.start()).await.expect("it starts");
    for number in 0..200 {
        let answer = app.client.event(event(&number.to_string()));
        let answer = tokio::time::timeout(LIMIT, answer).await.expect("an answer");
        assert_eq!(answer.status, 201);
    }

    app.signal(Signal::SIGTERM);

    assert_eq!(app.wait(LIMIT).await.code(), Some(0));
}
