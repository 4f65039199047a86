//! Sizes, counts and times.

use std::time::Duration;

use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::harness::{TestApp, eventually};

fn event_of(bytes: usize) -> String {
    let frame = r#"{"id":"1","type":"t","source_type":"s","source_id":"i","data":""}"#;
    frame.replace("\"\"", &format!("\"{}\"", "x".repeat(bytes - frame.len())))
}

#[tokio::test]
async fn an_event_up_to_the_limit_is_stored_and_one_byte_more_is_not() {
    let app = TestApp::builder().set("publisher.max_event", "2KiB").start().await;

    assert_eq!(app.client.event(event_of(2048)).await.status, 201);
    let answer = app.client.event(event_of(2049)).await;

    assert_eq!((answer.status, answer.problem().as_str()), (413, "too-large"));
    assert_eq!(app.records().await.len(), 1);
}

#[tokio::test]
async fn the_largest_event_of_the_defaults_is_taken_by_a_broker_with_its_defaults() {
    let app = TestApp::start().await;

    let answer = app.client.event(event_of(1000 * 1024)).await;

    assert_eq!(answer.status, 201, "{}", answer.text());
    assert_eq!(app.records().await[0].value.len(), 1000 * 1024);
}

#[tokio::test]
async fn a_batch_may_have_so_many_events_and_so_many_bytes() {
    let app = TestApp::builder()
        .set("publisher.max_batch", 3)
        .set("publisher.max_event", "2KiB")
        .set("http.max_body", "4KiB")
        .start()
        .await;
    let event = json!({"type": "t", "source_type": "s", "source_id": "i"});

    let fits = app.client.batch(json!([event, event, event])).await;
    let too_many = app.client.batch(json!([event, event, event, event])).await;
    let too_long = app.client.batch(format!("[{}]", vec![event_of(1500); 3].join(","))).await;
    let one_too_large = app.client.batch(format!("[{}]", event_of(3000))).await;

    assert_eq!(fits.status, 201, "{}", fits.text());
    for refused in [&too_many, &too_long, &one_too_large] {
        assert_eq!((refused.status, refused.problem().as_str()), (413, "too-large"));
    }
    assert_eq!(one_too_large.pointers(), ["/0"]);
    assert_eq!(app.records().await.len(), 3);
}

#[tokio::test]
async fn a_body_that_announces_too_much_is_refused_before_it_is_sent() {
    let app = TestApp::start().await;
    let mut connection = TcpStream::connect(&app.client.address).await.unwrap();
    let head = "POST /events HTTP/1.1\r\nHost: h\r\nContent-Type: application/json\r\n\
        Content-Length: 99999999\r\nExpect: 100-continue\r\n\r\n";

    connection.write_all(head.as_bytes()).await.unwrap();

    let mut answer = [0; 12];
    connection.read_exact(&mut answer).await.unwrap();
    assert_eq!(String::from_utf8_lossy(&answer), "HTTP/1.1 413");
}

#[tokio::test]
async fn a_body_without_a_length_is_bounded_too() {
    let app = TestApp::builder().set("publisher.max_event", "2KiB").start().await;
    let chunks = (0..10).map(|_| Ok::<_, std::io::Error>("x".repeat(1000)));

    let body = reqwest::Body::wrap_stream(futures_util::stream::iter(chunks));
    let answer = app.client.send(app.client.post("/events", "application/json", body)).await;

    assert_eq!((answer.status, answer.problem().as_str()), (413, "too-large"));
}

#[tokio::test]
async fn a_body_in_many_pieces_is_put_together() {
    let app = TestApp::start().await;
    let event = event_of(300_000);
    let pieces: Vec<_> = event
        .as_bytes()
        .chunks(7_001)
        .map(|piece| Ok::<_, std::io::Error>(piece.to_vec()))
        .collect();

    let body = reqwest::Body::wrap_stream(futures_util::stream::iter(pieces));
    let answer = app.client.send(app.client.post("/events", "application/json", body)).await;

    assert_eq!(answer.status, 201, "{}", answer.text());
    assert_eq!(String::from_utf8_lossy(&app.records().await[0].value), event);
}

#[tokio::test]
async fn a_client_that_stops_sending_is_answered_and_let_go() {
    let app = TestApp::builder().set("http.body_timeout", "300ms").start().await;
    let mut connection = TcpStream::connect(&app.client.address).await.unwrap();
    let head = "POST /events HTTP/1.1\r\nHost: h\r\nContent-Type: application/json\r\n\
        Content-Length: 100\r\n\r\n{\"type\"";

    connection.write_all(head.as_bytes()).await.unwrap();

    let mut answer = String::new();
    let read = connection.read_to_string(&mut answer);
    tokio::time::timeout(Duration::from_secs(10), read).await.expect("an end").unwrap();
    assert!(answer.starts_with("HTTP/1.1 408"), "{answer}");
    assert!(answer.contains("body-timeout"), "{answer}");
}

#[tokio::test]
async fn a_client_that_sends_no_head_is_let_go() {
    let app = TestApp::builder().set("http.idle_timeout", "300ms").start().await;
    for sent in ["POST /events HT", "", "P", "PRI * HTTP/2.0\r\n"] {
        let mut connection = TcpStream::connect(&app.client.address).await.unwrap();
        connection.write_all(sent.as_bytes()).await.unwrap();

        let mut rest = Vec::new();
        let read = connection.read_to_end(&mut rest);
        tokio::time::timeout(Duration::from_secs(10), read).await.expect("an end").unwrap();
    }
}

/// Bodies that each hold a part of the room and wait for the rest would keep each other out.
#[tokio::test(flavor = "multi_thread")]
async fn many_large_bodies_at_once_are_stored_or_refused_and_none_times_out() {
    let app = TestApp::builder()
        .set("http.max_body", "2MiB")
        .set("publisher.max_in_flight_bytes", "8MiB")
        .set("publisher.admission_timeout", "2s")
        .start()
        .await;
    let batch = format!("[{}]", vec![event_of(15_000); 100].join(","));

    let mut posts = tokio::task::JoinSet::new();
    for _ in 0..30 {
        let (client, batch) = (app.client.clone(), batch.clone());
        posts.spawn(async move { client.batch(batch).await.status });
    }
    let statuses = posts.join_all().await;

    assert!(statuses.iter().all(|status| [201, 503].contains(status)), "{statuses:?}");
    assert!(statuses.iter().filter(|status| **status == 201).count() > 5, "{statuses:?}");
    app.metric_is("dual_stream_in_flight_bytes", 0.0).await;
}

#[tokio::test]
async fn large_bodies_that_never_end_leave_room_for_others() {
    let app = TestApp::builder()
        .set("publisher.max_event", "512KiB")
        .set("http.max_body", "512KiB")
        .set("publisher.max_in_flight_bytes", "1MiB")
        .set("http.body_timeout", "60s")
        .set("shutdown.grace", "90s")
        .start()
        .await;
    let mut stuck = Vec::new();
    for _ in 0..20 {
        let mut connection = TcpStream::connect(&app.client.address).await.unwrap();
        let head = "POST /events/batch HTTP/1.1\r\nHost: h\r\nContent-Type: application/json\r\n\
            Content-Length: 500000\r\n\r\n";
        connection.write_all(head.as_bytes()).await.unwrap();
        connection.write_all(&[b' '; 100_000]).await.unwrap();
        stuck.push(connection);
    }
    eventually("one of them holds its room", async || {
        (app.metric("dual_stream_in_flight_bytes", &[]).await > 0.0).then_some(())
    })
    .await;

    assert_eq!(app.client.event(event_of(100_000)).await.status, 503);
    assert_eq!(app.client.event(event_of(50_000)).await.status, 201);
}

#[tokio::test]
async fn a_client_that_does_not_read_its_answer_is_let_go() {
    let app = TestApp::builder().set("http.write_timeout", "500ms").start().await;
    let event = r#"{"type":"t","source_type":"s","source_id":"i"}"#;
    let batch = format!("[{}]", vec![event; 10_000].join(","));
    let mut connection = TcpStream::connect(&app.client.address).await.unwrap();
    let head = "POST /events/batch HTTP/1.1\r\nHost: h\r\nContent-Type: application/json\r\n";
    let request = format!("{head}Content-Length: {}\r\n\r\n{batch}", batch.len());

    // It never reads: once the system's buffers are full of answers, the service can write no more.
    let closed = async { while connection.write_all(request.as_bytes()).await.is_ok() {} };
    tokio::time::timeout(Duration::from_secs(60), closed).await.expect("the connection is closed");
}
