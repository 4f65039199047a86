//! Kafka away, frozen, slow: the answers say which of the three is true.

use std::time::{Duration, Instant};

use rdkafka::mocking::MockCluster;
use rdkafka::types::{RDKafkaApiKey, RDKafkaRespErr};
use serde_json::json;
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

use crate::harness::broker::Settings;
use crate::harness::{Broker, TestApp};

fn event(id: &str) -> serde_json::Value {
    json!({"id": id, "type": "t", "source_type": "s", "source_id": "i"})
}

/// Far less than a message timeout.
const AT_ONCE: Duration = Duration::from_millis(500);

async fn timed<T>(what: impl Future<Output = T>) -> (T, Duration) {
    let started = Instant::now();
    (what.await, started.elapsed())
}

#[tokio::test]
async fn with_kafka_absent_at_start_it_refuses_and_serves_once_kafka_comes() {
    let mut broker = Broker::new();
    let app = TestApp::builder().brokers(&broker.address()).start_unready().await;

    let readiness = app.unready().await;
    let refused = app.client.event(event("early")).await;
    let refused_batch = app.client.batch(json!([event("early")])).await;

    assert_eq!(readiness["kafka"]["state"], "starting");
    assert!(readiness["reason"].as_str().unwrap().contains(&broker.address()), "{readiness}");
    for answer in [&refused, &refused_batch] {
        assert_eq!((answer.status, answer.problem().as_str()), (503, "not-stored"));
        assert!(answer.header("retry-after").unwrap().parse::<u32>().unwrap() >= 1);
    }
    assert_eq!(
        refused_batch.json()["results"][0],
        json!({"status": "not_stored", "id": "early", "reason": "kafka_unavailable"})
    );

    broker.start().await;
    app.ready().await;
    assert_eq!(app.client.event(event("late")).await.status, 201);
    let ids: Vec<_> = app.records().await.into_iter().map(|r| r.headers["id"].clone()).collect();
    assert_eq!(ids, ["late"]);
}

/// The default message timeout of 10 s would be the answer's time.
#[tokio::test]
async fn while_the_broker_is_lost_it_refuses_at_once_and_is_ready_soon_after_it_is_back() {
    let mut broker = Broker::new();
    broker.start().await;
    let app = TestApp::builder().brokers(&broker.address()).start().await;
    assert_eq!(app.client.event(event("before")).await.status, 201);

    broker.kill().await;
    let readiness = app.unready().await;
    let (refused, took) = timed(app.client.event(event("while away"))).await;

    assert_eq!(readiness["kafka"]["state"], "down");
    assert_eq!((refused.status, refused.problem().as_str()), (503, "not-stored"));
    assert_eq!(refused.json()["reason"], "kafka_unavailable");
    assert!(took < AT_ONCE, "{took:?}");
    app.metric_is("dual_stream_in_flight_bytes", 0.0).await;

    broker.start().await;
    app.ready().await;
    assert_eq!(app.client.event(event("after")).await.status, 201);
    let ids: Vec<_> = app.records().await.into_iter().map(|r| r.headers["id"].clone()).collect();
    assert_eq!(ids, ["before", "after"]);
}

#[tokio::test]
async fn a_broker_that_is_away_for_less_than_two_probes_is_waited_for() {
    let mut broker = Broker::new();
    broker.start().await;
    let app = TestApp::builder()
        .brokers(&broker.address())
        .set("kafka.probe_interval", "1m")
        .set("kafka.message_timeout", "40s")
        .set("http.request_timeout", "50s")
        .set("shutdown.grace", "90s")
        .start()
        .await;
    assert_eq!(app.client.event(event("before")).await.status, 201);

    broker.kill().await;
    let (waiting, ()) = tokio::join!(app.client.event(event("while away")), broker.start());

    assert_eq!(waiting.status, 201, "{}", waiting.text());
}

#[tokio::test]
async fn a_frozen_broker_makes_it_unready_and_the_answer_unknown_and_then_it_refuses_at_once() {
    let mut broker = Broker::new();
    broker.start().await;
    let app = TestApp::builder()
        .brokers(&broker.address())
        .set("kafka.message_timeout", "2s")
        .set("kafka.probe_interval", "4s")
        .start()
        .await;
    assert_eq!(app.client.event(event("before")).await.status, 201);

    broker.freeze();
    let unknown = app.client.event(event("sent")).await;
    app.unready().await;
    let (refused, took) = timed(app.client.event(event("refused"))).await;

    assert_eq!((unknown.status, unknown.problem().as_str()), (504, "unknown-outcome"));
    assert_eq!((refused.status, refused.problem().as_str()), (503, "not-stored"));
    assert!(took < AT_ONCE, "{took:?}");

    broker.thaw();
    let ((), took) = timed(app.ready()).await;
    assert!(took < Duration::from_secs(2), "without waiting for the next interval: {took:?}");
    assert_eq!(app.client.event(event("after")).await.status, 201);
}

/// As when a firewall forgets connections: nothing passes on those that are open, and nobody says
/// so. On a new one all is well.
#[tokio::test]
async fn a_connection_that_went_silent_is_given_up_in_time_for_the_event_to_be_stored() {
    let front = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = front.local_addr().unwrap();
    let mut broker = Broker::with(&Settings::plain().advertised(address.port()));
    broker.start().await;
    let silence = forward(front, broker.address());
    let app = TestApp::builder()
        .brokers(&address.to_string())
        .set("kafka.message_timeout", "8s")
        .start()
        .await;
    assert_eq!(app.client.event(event("before")).await.status, 201);

    silence.send_modify(|silences| *silences += 1);
    let stored = app.client.event(event("in the silence")).await;

    assert_eq!(stored.status, 201, "{}", stored.text());
    assert_eq!(app.records().await.len(), 2);
}

/// Passes on what comes; with each change, what is open then falls silent without an end.
fn forward(front: TcpListener, broker: String) -> watch::Sender<usize> {
    let (silence, silent) = watch::channel(0);
    tokio::spawn(async move {
        while let Ok((mut client, _)) = front.accept().await {
            let (broker, mut silent) = (broker.clone(), silent.clone());
            silent.mark_unchanged();
            tokio::spawn(async move {
                let mut server = TcpStream::connect(&broker).await.unwrap();
                tokio::select! {
                    _ = copy_bidirectional(&mut client, &mut server) => {}
                    _ = silent.changed() => std::future::pending().await,
                }
            });
        }
    });
    silence
}

/// The leader steps down when it has appended, and the next one wants nothing of it: whether the
/// event is in the log, nobody has said.
#[tokio::test]
async fn an_event_whose_leader_stepped_down_is_unknown_when_the_next_one_refuses_it() {
    let kafka = MockCluster::new(1).unwrap();
    kafka.create_topic("moved", 1, 1).unwrap();
    let brokers = kafka.bootstrap_servers();
    let app = TestApp::builder().brokers(&brokers).topic("moved").start().await;
    kafka.request_errors(
        RDKafkaApiKey::Produce,
        &[
            RDKafkaRespErr::RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION,
            RDKafkaRespErr::RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED,
        ],
    );

    let unknown = app.client.event(event("moved")).await;

    assert_eq!((unknown.status, unknown.problem().as_str()), (504, "unknown-outcome"));
    assert_eq!(unknown.json()["reason"], "refused");
}

/// Mock brokers that keep what they got and answer after everybody has stopped waiting.
#[tokio::test]
async fn a_broker_that_does_not_answer_in_time_makes_the_outcome_unknown() {
    let kafka = MockCluster::new(1).unwrap();
    kafka.create_topic("slow", 1, 1).unwrap();
    let app = TestApp::builder()
        .brokers(&kafka.bootstrap_servers())
        .topic("slow")
        .set("kafka.message_timeout", "1s")
        .start()
        .await;
    assert_eq!(app.client.event(event("first")).await.status, 201);
    kafka.broker_round_trip_time(1, Duration::from_secs(20)).unwrap();

    let single = app.client.event(event("single"));
    let batch = app.client.batch(json!([event("1"), event("2")]));
    let (single, batch) = tokio::join!(single, batch);

    assert_eq!((single.status, single.problem().as_str()), (504, "unknown-outcome"));
    assert_eq!(single.json()["id"], "single");
    assert_eq!(single.json()["reason"], "timed_out");
    assert_eq!((batch.status, batch.problem().as_str()), (504, "unknown-outcome"));
    let results = batch.json()["results"].clone();
    assert_eq!(results[0]["status"], "unknown");
    assert_eq!(results[0]["id"], "1");
    assert!(app.metric("dual_stream_events_total", &["unknown"]).await >= 1.0);
}

#[tokio::test]
async fn a_topic_that_is_missing_and_not_to_be_made_is_said_and_nothing_is_written() {
    let app = TestApp::builder().set("kafka.create_topic", false).start_unready().await;

    let readiness = app.unready().await;
    let refused = app.client.event(event("1")).await;

    assert_eq!(refused.status, 503);
    let what_to_do = crate::harness::eventually("the reason names the setting", async || {
        let reason = app.readiness().await.1["reason"].as_str()?.to_owned();
        reason.contains("kafka.create_topic").then_some(reason)
    })
    .await;
    assert!(what_to_do.contains(&app.topic), "{what_to_do} {readiness}");
}

#[tokio::test]
async fn more_than_fits_in_flight_is_refused_with_a_time_to_come_back() {
    // A broker that is down, so that what is admitted stays in flight.
    let kafka = MockCluster::new(1).unwrap();
    kafka.create_topic("full", 1, 1).unwrap();
    let app = TestApp::builder()
        .brokers(&kafka.bootstrap_servers())
        .topic("full")
        .set("publisher.max_event", "2KiB")
        .set("http.max_body", "4KiB")
        .set("publisher.max_in_flight_bytes", "8KiB")
        .set("publisher.admission_timeout", "100ms")
        .start()
        .await;
    kafka.broker_down(1).unwrap();
    let large =
        json!({"type": "t", "source_type": "s", "source_id": "i", "data": "x".repeat(1800)});

    let mut posts = tokio::task::JoinSet::new();
    for _ in 0..12 {
        let (client, body) = (app.client.clone(), large.clone());
        posts.spawn(async move { client.event(body).await });
    }
    let first = posts.join_next().await.unwrap().unwrap();

    assert_eq!((first.status, first.problem().as_str()), (503, "not-stored"));
    let retry_after = first.header("retry-after").unwrap().parse::<u32>().unwrap();
    assert!((1..=30).contains(&retry_after));
    // Four fit, and 512 bytes for each of their records come to it.
    assert!(app.metric("dual_stream_in_flight_bytes", &[]).await <= 8192.0 + 4.0 * 512.0);
    kafka.broker_up(1).unwrap();
    let rest = posts.join_all().await;
    let stored = rest.iter().filter(|answer| answer.status == 201).count();
    assert!(stored > 0, "what was admitted is stored once Kafka is back");
    assert_eq!(app.records().await.len(), stored);
}

/// Or a flood of them would take many times the memory that is planned for.
#[tokio::test]
async fn what_small_records_cost_counts_even_where_there_is_no_room_for_it() {
    let kafka = MockCluster::new(1).unwrap();
    kafka.create_topic("tiny", 1, 1).unwrap();
    let app = TestApp::builder()
        .brokers(&kafka.bootstrap_servers())
        .topic("tiny")
        .set("publisher.max_event", "2KiB")
        .set("http.max_body", "4KiB")
        .set("publisher.max_in_flight_bytes", "8KiB")
        .set("publisher.admission_timeout", "100ms")
        .start()
        .await;
    kafka.broker_down(1).unwrap();
    let batch = serde_json::to_string(&vec![event("1"); 10]).unwrap();
    let cost = (batch.len() + 10 * 512) as f64;

    let mut posts = tokio::task::JoinSet::new();
    for number in 1..=2 {
        let (client, batch) = (app.client.clone(), batch.clone());
        posts.spawn(async move { client.batch(batch).await.status });
        app.metric_is("dual_stream_in_flight_bytes", f64::from(number) * cost).await;
    }

    assert_eq!(app.client.event(event("2")).await.status, 503);
    kafka.broker_up(1).unwrap();
    assert_eq!(posts.join_all().await, [201, 201]);
    app.metric_is("dual_stream_in_flight_bytes", 0.0).await;
    assert_eq!(app.client.event(event("2")).await.status, 201);
}

#[tokio::test]
async fn a_password_reaches_kafka_and_a_wrong_one_makes_it_unready() {
    let mut broker = Broker::for_user("svc", "r1ght-passw0rd");
    broker.start().await;
    let with_password = |password: &str| {
        TestApp::builder()
            .brokers(&broker.address())
            .set("kafka.options.security_protocol", "sasl_plaintext")
            .set("kafka.options.sasl_mechanism", "PLAIN")
            .set("kafka.options.sasl_username", "svc")
            .set("kafka.options.sasl_password", password)
    };

    let right = with_password("r1ght-passw0rd").start().await;
    let wrong = with_password("wr0ng-passw0rd").start_unready().await;

    assert_eq!(right.client.event(event("1")).await.status, 201);
    wrong.logged("kafka is not ready yet: no answer").await;
    assert_eq!(wrong.unready().await["kafka"]["state"], "starting");
    assert_eq!(wrong.client.event(event("2")).await.status, 503);
    let said = format!("{}{}", wrong.log().join("\n"), wrong.unready().await);
    assert!(!said.contains("wr0ng-passw0rd"), "{said}");
}
