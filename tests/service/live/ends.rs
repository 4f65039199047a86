//! Streams that end: by the service, or because nobody takes what comes.

use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use serde_json::json;
use tokio::net::TcpSocket;

use crate::harness::TestApp;
use crate::harness::raw::Raw;
use crate::harness::reading::store;

const SOURCE: &str = "?source_type=s&source_id=i";
const ENDED: &str = "dual_stream_live_ended_total";

/// A client that asks and reads nothing, with little room for what comes.
async fn stuck(app: &TestApp, query: &str) -> Raw {
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(4096).unwrap();
    let stream = socket.connect(app.client.address.parse().unwrap()).await.unwrap();
    let mut raw = Raw { stream };
    raw.send(format!("GET /events/stream{query} HTTP/1.1\r\nHost: h\r\n\r\n")).await;
    raw.read_until("event: ready").await;
    raw
}

async fn post_large(app: &TestApp, count: usize) {
    let event = json!({"type": "t", "source_type": "s", "source_id": "i",
                       "data": "x".repeat(500_000)});
    for _ in 0..count {
        assert_eq!(app.client.event(event.clone()).await.status, 201);
    }
}

#[tokio::test]
async fn a_client_that_takes_nothing_is_closed_and_delays_nobody() {
    let app = TestApp::start().await;
    let _stuck = stuck(&app, &format!("{SOURCE}&include=event")).await;
    let mut quick = app.client.stream(&format!("{SOURCE}&include=event")).await;

    for _ in 0..30 {
        post_large(&app, 1).await;
        assert_eq!(quick.cursors(1).await.len(), 1);
    }

    let held = app.metric("dual_stream_live_held_bytes", &[]).await;
    assert!(held < 4_000_000.0, "{held}");
}

#[tokio::test]
async fn a_slow_client_is_told_and_goes_on_where_it_was() {
    let app = TestApp::builder().set("live.queue", "4").start().await;
    let mut slow = stuck(&app, &format!("{SOURCE}&include=event")).await;
    post_large(&app, 30).await;

    let text = slow.read_until("event: closed").await;

    assert!(text.contains(r#"data: {"reason":"slow"}"#));
    assert_eq!(app.metric(ENDED, &["slow"]).await, 1.0);
    let ids: Vec<_> = text.lines().filter_map(|line| line.strip_prefix("id: ")).collect();
    let came = text.matches("\"cursor\"").count();
    let mut rest = app.client.resume(SOURCE, ids.last().unwrap()).await;
    assert_eq!(rest.cursors(30 - came).await.len(), 30 - came);
}

#[tokio::test]
async fn recent_events_that_nobody_takes_have_no_room_for_others_until_their_client_goes() {
    let builder = TestApp::builder().set("reader.page_bytes", "20MiB");
    let app = builder.set("live.memory", "12MB").start().await;
    post_large(&app, 20).await;
    let recent = format!("{SOURCE}&recent=20&include=event");
    let stuck = stuck(&app, &recent).await;
    app.metric_reaches("dual_stream_live_recent_bytes", &[], 10_000_000.0).await;
    assert_eq!(
        app.client.get(&format!("/events/stream{recent}")).await.problem(),
        "too-many-reads"
    );

    stuck.reset();

    app.metric_is("dual_stream_live_recent_bytes", 0.0).await;
    app.client.stream(&recent).await;
}

#[tokio::test]
async fn at_the_end_streams_are_told_and_hold_nothing_up() {
    let mut app = TestApp::builder().start().await;
    let mut stream = app.client.stream(SOURCE).await;
    let http = reqwest::Client::builder().no_proxy().http2_prior_knowledge().build().unwrap();
    let url = format!("{}/events/stream", app.client.url);
    let mut other = app.client.open(http.get(url)).await;
    let posted = store(&app.client, "i", 2).await;
    assert_eq!(stream.cursors(2).await, posted);
    assert_eq!(other.cursors(2).await, posted);

    let started = Instant::now();
    app.signal(Signal::SIGTERM);

    for stream in [&mut stream, &mut other] {
        let last = stream.next().await;
        assert_eq!((last.name.as_str(), last.data), ("closed", json!({"reason": "shutting_down"})));
        assert_eq!(stream.next_or_end().await, None);
    }
    assert_eq!(app.last_numbers().await[0], 0);
    assert!(app.wait(Duration::from_secs(10)).await.success());
    assert!(started.elapsed() < Duration::from_secs(5), "{:?}", started.elapsed());
}

#[tokio::test]
async fn a_stuck_client_does_not_hold_the_end_up() {
    let mut app = TestApp::builder().set("live.queue_bytes", "100MiB").start().await;
    let _stuck = stuck(&app, &format!("{SOURCE}&include=event")).await;
    post_large(&app, 30).await;

    let started = Instant::now();
    app.signal(Signal::SIGTERM);

    assert!(app.wait(Duration::from_secs(20)).await.success());
    assert!(started.elapsed() < Duration::from_secs(8), "{:?}", started.elapsed());
}
