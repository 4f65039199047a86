//! Clients that ask for much and read slowly, or not at all.

use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use serde_json::json;
use tokio::io::AsyncReadExt;

use crate::harness::TestApp;
use crate::harness::app::Builder;
use crate::harness::raw::{Raw, dawdle};
use crate::harness::reading::{after, recent};

const CONNECTIONS: &str = "dual_stream_http_connections";
const ANSWERS: &str = "dual_stream_read_answers_bytes";

/// More than the system buffers for a connection.
const EVENTS: usize = 60;
const EVENT: usize = 500_000;

fn soon_cut() -> Builder {
    TestApp::builder().set("http.write_timeout", "1s")
}

async fn fill(app: &TestApp) {
    for n in 0..EVENTS {
        let event = json!({"id": format!("{n}"), "type": "t", "source_type": "s",
                           "source_id": "i", "data": "x".repeat(EVENT)});
        assert_eq!(app.client.event(event).await.status, 201);
    }
}

async fn ask(app: &TestApp, path: &str) -> Raw {
    let mut raw = Raw::connect(&app.client.address).await;
    let head = "Host: h\r\nAccept: application/x-ndjson, */*;q=0.5";
    raw.send(format!("GET {path} HTTP/1.1\r\n{head}\r\n\r\n")).await;
    raw.read_until("\r\n\r\n").await;
    raw
}

#[tokio::test]
async fn a_replay_that_nobody_takes_is_cut_and_cost_little() {
    let app = soon_cut().start().await;
    fill(&app).await;
    let before = app.metric(CONNECTIONS, &[]).await;
    let resident = app.resident_kib();

    let mut stuck = Vec::new();
    for _ in 0..8 {
        stuck.push(ask(&app, &after("s", "i", "beginning")).await);
    }

    app.metric_is(CONNECTIONS, before).await;
    let more = app.peak_resident_kib().saturating_sub(resident);
    assert!(more < 120 * 1024, "{more} KiB more for 8 replays of 30 MB");
    let text = stuck[0].read_to_end().await;
    assert!(!text.ends_with("0\r\n\r\n"), "it has a proper end though it was cut");
}

#[tokio::test]
async fn a_replay_does_not_hold_up_the_end_of_the_service() {
    let mut app = TestApp::start().await;
    fill(&app).await;
    let mut raw = ask(&app, &after("s", "i", "beginning")).await;

    app.signal(Signal::SIGTERM);
    let rest = raw.read_to_end().await;

    assert!(!rest.ends_with("\r\n0\r\n\r\n"), "a proper end after {} bytes", rest.len());
    assert_eq!(app.wait(Duration::from_secs(10)).await.code(), Some(0));
    assert_eq!(app.last_numbers().await[0], 0);
}

/// Over HTTP/2, where no write ever times out.
#[tokio::test]
async fn a_replay_over_http2_is_taken_whole_or_cut() {
    let app = soon_cut().set("http.write_timeout", "300ms").start().await;
    fill(&app).await;
    let before = app.metric(CONNECTIONS, &[]).await;
    let path = format!("{}{}", app.client.url, after("s", "i", "beginning"));
    let get = async || {
        let client = reqwest::Client::builder().no_proxy().http2_prior_knowledge();
        let request = client.build().unwrap().get(&path).header("accept", "application/x-ndjson");
        request.send().await.unwrap()
    };

    let mut taken = get().await;
    let (mut lines, started) = (0, Instant::now());
    while let Some(piece) = taken.chunk().await.expect("no cut") {
        lines += piece.iter().filter(|byte| **byte == b'\n').count();
        dawdle(Duration::from_millis(2)).await;
    }
    assert_eq!(lines, EVENTS);
    assert!(started.elapsed() > Duration::from_millis(1000), "{:?}", started.elapsed());
    drop(taken);

    let stuck = get().await;
    app.metric_is(CONNECTIONS, before).await;
    drop(stuck);
}

/// Longer than any single piece may take.
#[tokio::test]
async fn a_replay_that_is_taken_slowly_comes_whole() {
    let app = soon_cut().set("http.write_timeout", "300ms").start().await;
    fill(&app).await;
    let mut raw = ask(&app, &after("s", "i", "beginning")).await;

    let (started, mut taken, mut buffer) = (Instant::now(), 0, vec![0; 1 << 20]);
    let mut end = Vec::new();
    while !end.ends_with(b"\r\n0\r\n\r\n") {
        let read = raw.stream.read(&mut buffer).await.expect("no cut");
        assert!(read > 0, "it ended after {taken} bytes");
        taken += read;
        end.extend_from_slice(&buffer[..read]);
        let keep = end.len().saturating_sub(16);
        end.drain(..keep);
        dawdle(Duration::from_millis(50)).await;
    }

    assert!(taken > EVENTS * EVENT, "{taken} bytes");
    assert!(started.elapsed() > Duration::from_millis(1500), "{:?}", started.elapsed());
}

#[tokio::test]
async fn unread_answers_keep_out_readers_and_never_writers() {
    let app = soon_cut()
        .set("http.write_timeout", "5s")
        .set("publisher.max_event", "1000KiB")
        .set("http.max_body", "1MiB")
        .set("publisher.max_in_flight_bytes", "16MiB")
        .start()
        .await;
    fill(&app).await;
    let page = format!("{}&limit=60", recent("s", "i"));

    let mut stuck = vec![ask(&app, &page).await];
    assert!(app.metric(ANSWERS, &[]).await > 4_000_000.0);
    stuck.push(ask(&app, &page).await);
    let refused = app.client.get(&page).await;
    assert_eq!((refused.status, refused.problem().as_str()), (503, "too-many-reads"));
    assert!(refused.header("retry-after").is_some());
    let event =
        json!({"type": "t", "source_type": "s", "source_id": "j", "data": "x".repeat(900_000)});
    for _ in 0..5 {
        assert_eq!(app.client.event(&event).await.status, 201);
    }

    app.metric_is(ANSWERS, 0.0).await;
    assert_eq!(app.client.get(&page).await.status, 200);
}
