//! HTTP/2 clients that keep to the protocol and take nothing.

use std::time::Duration;

use axum::http::Request;
use bytes::Bytes;
use h2::client::{Builder, SendRequest};
use rdkafka::mocking::MockCluster;
use tokio::net::TcpStream;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use crate::harness::kafka::create_topic;
use crate::harness::{PATIENCE, TestApp, required, unique};

const IN_FLIGHT: &str = "dual_stream_in_flight_bytes";
const CONNECTIONS: &str = "dual_stream_http_connections";

const EVENT: &str = r#"{"type":"t","source_type":"s","source_id":"i"}"#;

/// A connection, and the task that keeps it: it answers pings until the connection ends.
async fn connect(app: &TestApp, builder: &Builder) -> (SendRequest<Bytes>, JoinHandle<()>) {
    let stream = TcpStream::connect(&app.client.address).await.expect("a connection");
    let (client, connection) = builder.handshake(stream).await.expect("a handshake");
    let kept = tokio::spawn(async move {
        let _ = connection.await;
    });
    (client, kept)
}

/// Windows that never open: an answer's head comes, and its body cannot.
fn without_a_window() -> Builder {
    let mut builder = Builder::new();
    builder.initial_window_size(0);
    builder
}

/// Posts and gives the answer's head with its unread body.
async fn post(
    client: &SendRequest<Bytes>,
    path: &str,
    body: String,
) -> axum::http::Response<h2::RecvStream> {
    post_preferring(client, path, "return=representation", body).await
}

async fn post_preferring(
    client: &SendRequest<Bytes>,
    path: &str,
    prefer: &str,
    body: String,
) -> axum::http::Response<h2::RecvStream> {
    let mut client = client.clone().ready().await.expect("a stream");
    let uri = format!("http://h{path}");
    let request = Request::post(uri).header("content-type", "application/json");
    let request = request.header("prefer", prefer).body(());
    let (answer, mut stream) =
        client.send_request(request.expect("a request"), false).expect("it is taken");
    stream.send_data(body.into(), true).expect("it is taken");
    timeout(PATIENCE, answer).await.expect("an answer in time").expect("an answer")
}

fn batch() -> String {
    format!("[{}]", vec![EVENT; 1000].join(","))
}

async fn ends(connection: JoinHandle<()>) {
    timeout(PATIENCE, connection).await.expect("the connection is closed").unwrap();
}

#[tokio::test]
async fn an_answer_that_no_window_lets_through_ends_the_connection() {
    for path_and_body in [("/events", EVENT.to_owned()), ("/events/batch", batch())] {
        let app = TestApp::builder().set("http.write_timeout", "500ms").start().await;
        let before = app.metric(CONNECTIONS, &[]).await;
        let (client, connection) = connect(&app, &without_a_window()).await;

        let answer = post(&client, path_and_body.0, path_and_body.1).await;

        assert_eq!(answer.status(), 201);
        ends(connection).await;
        app.metric_is(IN_FLIGHT, 0.0).await;
        app.metric_is(CONNECTIONS, before).await;
    }
}

/// Whatever a batch is answered counts once while it is unread, and no more once it is gone.
async fn is_in_flight_until_it_is_read(app: &TestApp, body: String, status: u16) {
    let (client, _connection) = connect(app, &without_a_window()).await;
    for _ in 0..2 {
        let answer = post(&client, "/events/batch", body.clone()).await;

        assert_eq!(answer.status(), status);
        let length: f64 = answer.headers()["content-length"].to_str().unwrap().parse().unwrap();
        assert!(length > 10_000.0, "{length}");
        app.metric_is(IN_FLIGHT, length).await;
        drop(answer);
        app.metric_is(IN_FLIGHT, 0.0).await;
    }
}

#[tokio::test]
async fn a_batch_s_answer_is_in_flight_until_it_is_read() {
    is_in_flight_until_it_is_read(&TestApp::start().await, batch(), 201).await;
}

#[tokio::test]
async fn so_is_one_of_a_batch_that_is_stored_in_part() {
    let brokers = required("KAFKA_BROKERS");
    let topic = unique("part");
    create_topic(&brokers, &topic, 1, &[("max.message.bytes", "4000")]).await;
    let app = TestApp::builder().topic(&topic).start().await;
    let large = EVENT.replace("\"i\"", &format!("\"i\",\"data\":\"{}\"", "x".repeat(10_000)));
    let events = [vec![EVENT; 200], vec![&large]].concat();
    is_in_flight_until_it_is_read(&app, format!("[{}]", events.join(",")), 207).await;
}

#[tokio::test]
async fn so_is_a_refusal_that_names_every_event() {
    let app = TestApp::builder().brokers("127.0.0.1:1").start_unready().await;
    is_in_flight_until_it_is_read(&app, batch(), 503).await;
}

#[tokio::test]
async fn so_is_a_refusal_that_names_a_hundred_faults() {
    let app = TestApp::start().await;
    is_in_flight_until_it_is_read(&app, batch().replace("\"t\"", "7"), 422).await;
}

#[tokio::test]
async fn a_minimal_answer_costs_nothing() {
    // Longer than the test waits: an answer that is cut costs nothing either.
    let app = TestApp::builder().set("http.write_timeout", "60s").start().await;
    let (client, _connection) = connect(&app, &without_a_window()).await;

    let answer = post_preferring(&client, "/events/batch", "return=minimal", batch()).await;

    assert_eq!(answer.headers()["preference-applied"], "return=minimal");
    app.metric_is(IN_FLIGHT, 0.0).await;
    drop(answer);
}

#[tokio::test]
async fn a_connection_that_asks_nothing_is_closed() {
    let app = TestApp::builder().set("http.idle_timeout", "500ms").start().await;
    let (client, unused) = connect(&app, &Builder::new()).await;
    ends(unused).await;
    drop(client);

    let (client, idle) = connect(&app, &Builder::new()).await;
    assert_eq!(post(&client, "/events", EVENT.into()).await.status(), 201);
    ends(idle).await;
}

#[tokio::test]
async fn a_connection_that_waits_for_an_answer_is_not_idle() {
    let kafka = MockCluster::new(1).unwrap();
    kafka.create_topic("slow", 1, 1).unwrap();
    let app = TestApp::builder()
        .brokers(&kafka.bootstrap_servers())
        .topic("slow")
        .set("http.idle_timeout", "300ms")
        .start()
        .await;
    kafka.broker_round_trip_time(1, Duration::from_secs(1)).unwrap();
    let (client, _connection) = connect(&app, &Builder::new()).await;

    assert_eq!(post(&client, "/events", EVENT.into()).await.status(), 201);
}
