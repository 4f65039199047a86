//! Connections that end, and clients that go on behind the last positions.

use std::time::Duration;

use nix::sys::signal::Signal;
use serde_json::json;
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::Message;

use super::{SOON, after, ended, of};
use crate::harness::raw::{Raw, dawdle};
use crate::harness::reading::store;
use crate::harness::socket::{Socket, cursor};
use crate::harness::{TestApp, eventually};

/// A connection with little room for what comes.
async fn narrow(app: &TestApp) -> TcpStream {
    app.client.connect_narrow().await.unwrap()
}

/// A client that follows whole events with two subscriptions, and reads nothing after that.
async fn stuck(app: &TestApp) -> Socket {
    let mut socket = app.client.socket_on(narrow(app).await, "x-of", "tests").await.unwrap();
    let mut whole = of("i");
    whole["include"] = json!("event");
    socket.subscribe("one", whole.clone()).await;
    socket.subscribe("other", whole).await;
    socket
}

async fn post_large(app: &TestApp, count: usize) -> Vec<String> {
    let mut cursors = Vec::new();
    for n in 0..count {
        let event = json!({"id": n.to_string(), "type": "t", "source_type": "s",
                           "source_id": "i", "data": "x".repeat(500_000)});
        let answer = app.client.event(event).await;
        cursors.push(answer.json()["cursor"].as_str().unwrap().to_owned());
    }
    cursors
}

#[tokio::test]
async fn a_client_that_takes_nothing_is_closed_and_delays_nobody() {
    let app = TestApp::start().await;
    let _stuck = stuck(&app).await;
    let mut quick = app.client.socket().await;
    quick.subscribe("all", json!({})).await;

    // One by one: each of them is as large as all that may wait for a client.
    for _ in 0..30 {
        let posted = post_large(&app, 1).await;
        assert_eq!(quick.cursors("all", 1).await, posted);
    }

    let held = app.metric("dual_stream_live_held_bytes", &[]).await;
    assert!(held < 4_000_000.0, "{held}");
}

#[tokio::test]
async fn a_slow_client_is_told_and_each_subscription_goes_on_where_it_was() {
    let app = TestApp::builder().set("live.queue", "4").start().await;
    let mut slow = stuck(&app).await;
    let posted = post_large(&app, 30).await;

    let (events, end) = slow.closed().await;

    assert_eq!(end, Some((4000, "slow".to_owned())));
    ended(&app, "slow", 1).await;
    let mut again = app.client.socket().await;
    for name in ["one", "other"] {
        let had = events.iter().filter(|event| event["subscription"] == name).map(cursor);
        let mut had: Vec<_> = had.collect();
        again.subscribe(name, after("i", &slow.positions[name])).await;
        had.extend(again.cursors(name, 30 - had.len()).await);
        assert_eq!(had, posted, "{name}");
    }
    assert_eq!(again.next_within(SOON).await, None);
}

#[tokio::test]
async fn what_waits_counts_for_all_subscriptions_together() {
    let app =
        TestApp::builder().set("live.queue", "40").set("live.queue_bytes", "100MiB").start().await;
    let mut whole = of("i");
    whole["include"] = json!("event");
    let mut few = app.client.socket_on(narrow(&app).await, "x-of", "tests").await.unwrap();
    let mut many = app.client.socket_on(narrow(&app).await, "x-of", "tests").await.unwrap();
    few.subscribe("0", whole.clone()).await;
    for name in 0..8 {
        many.subscribe(&name.to_string(), whole.clone()).await;
    }
    // As much as the buffers of the system take, and then some that wait.
    post_large(&app, 12).await;
    store(&app.client, "i", 20).await;

    assert_eq!(many.closed().await.1, Some((4000, "slow".to_owned())));
    ended(&app, "slow", 1).await;
    assert_eq!(few.cursors("0", 32).await.len(), 32);
}

#[tokio::test]
async fn a_slow_client_that_reads_what_it_has_missed_is_not_closed_for_that() {
    let app = TestApp::builder()
        .set("live.queue", "20")
        .set("live.queue_bytes", "20KiB")
        .set("reader.memory", "0B")
        .start()
        .await;
    let mut posted = post_large(&app, 20).await;
    let stream = narrow(&app).await;
    let mut slow = app.client.socket_on(stream, "x-of", "tests").await.unwrap();
    let mut whole = after("i", "beginning");
    whole["include"] = json!("event");
    slow.subscribe("missed", whole).await;
    let mut had = slow.cursors("missed", 1).await;
    // More than may wait, while it is at the old ones.
    posted.extend(store(&app.client, "i", 200).await);
    dawdle(Duration::from_millis(200)).await;

    had.extend(slow.cursors("missed", posted.len() - 1).await);

    assert_eq!(had, posted);
}

#[tokio::test]
async fn a_client_that_answers_no_ping_is_closed() {
    let app = TestApp::builder().set("live.heartbeat", "200ms").start().await;
    let mut raw = Raw::connect(&app.client.address).await;
    raw.send(
        "GET /events/ws HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
    )
    .await;
    let read = raw.read_to_end().await;
    assert!(read.ends_with("silent"), "{read:?}");
    ended(&app, "silent", 1).await;
    app.metric_is("dual_stream_live_streams", 0.0).await;
}

#[tokio::test]
async fn a_client_that_says_goodbye_has_an_answer_and_one_that_goes_leaves_nothing() {
    let app = TestApp::start().await;
    let mut polite = app.client.socket().await;
    polite.subscribe("feed", of("i")).await;
    polite.send_raw(Message::Close(None)).await;
    assert_eq!(polite.closed().await, (Vec::new(), None));
    let mut rude = app.client.socket().await;
    rude.subscribe("feed", of("i")).await;
    drop(rude);
    app.metric_is("dual_stream_live_streams", 0.0).await;
    app.metric_is("dual_stream_live_subscriptions", 0.0).await;
    ended(&app, "client", 2).await;
    let connections = async || app.metric("dual_stream_http_connections", &[]).await;
    // Those of the clients that the test keeps.
    eventually("the connections are gone", async || (connections().await <= 2.0).then_some(()))
        .await;
}

#[tokio::test]
async fn at_the_end_clients_are_told_and_go_on_at_another_instance() {
    let mut app = TestApp::start().await;
    let other = TestApp::builder().topic(&app.topic).start().await;
    let mut socket = app.client.socket().await;
    socket.subscribe("a", of("a")).await;
    socket.subscribe("b", of("b")).await;
    let early = [store(&app.client, "a", 5).await, store(&app.client, "b", 5).await];
    let came = socket.cursors_of(&["a", "b"], 10).await;
    assert_eq!([&came["a"], &came["b"]], [&early[0], &early[1]]);

    app.signal(Signal::SIGTERM);

    assert_eq!(socket.closed().await.1, Some((1001, "shutting_down".to_owned())));
    let late = [store(&other.client, "a", 5).await, store(&other.client, "b", 5).await];
    let mut again = other.client.socket().await;
    for (name, late) in ["a", "b"].into_iter().zip(late) {
        again.subscribe(name, after(name, &socket.positions[name])).await;
        assert_eq!(again.cursors(name, 5).await, late);
    }
    assert_eq!(again.next_within(SOON).await, None);
    assert_eq!(app.last_numbers().await[0], 0);
    assert!(app.wait(Duration::from_secs(10)).await.success());
}

#[tokio::test]
async fn a_stuck_client_does_not_hold_the_end_up() {
    let mut app = TestApp::builder().set("live.queue_bytes", "100MiB").start().await;
    let _stuck = stuck(&app).await;
    post_large(&app, 30).await;

    app.signal(Signal::SIGTERM);

    assert!(app.wait(Duration::from_secs(20)).await.success());
}
