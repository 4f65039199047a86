//! The same over WebSockets: many subscriptions on one connection.

mod ends;
mod faults;
mod handshake;
mod many;

use std::time::Duration;

use serde_json::{Value, json};

use crate::harness::reading::store;
use crate::harness::socket::cursor;
use crate::harness::{TestApp, eventually};

/// Within this nothing more comes.
const SOON: Duration = Duration::from_millis(300);

/// To follow one source.
fn of(source_id: &str) -> Value {
    json!({"sources": [{"source_type": "s", "source_id": source_id}]})
}

/// The same behind a position.
fn after(source_id: &str, position: &str) -> Value {
    let mut message = of(source_id);
    message["after"] = json!(position);
    message
}

/// Waits until so many have ended for this reason: they do after the client has said goodbye, too.
async fn ended(app: &TestApp, reason: &str, count: usize) {
    let metric = async || app.metric("dual_stream_live_ended_total", &["websocket", reason]).await;
    let what = format!("{count} ended as {reason}");
    eventually(&what, async || (metric().await == count as f64).then_some(())).await;
}

#[tokio::test]
async fn what_is_posted_after_ready_comes_each_once_and_in_order() {
    let app = TestApp::start().await;
    store(&app.client, "i", 3).await;
    let mut socket = app.client.socket().await;
    socket.subscribe("feed", of("i")).await;

    let posted = store(&app.client, "i", 200).await;
    store(&app.client, "another", 5).await;

    assert_eq!(socket.cursors("feed", 200).await, posted);
    assert_eq!(socket.next_within(SOON).await, None);
}

#[tokio::test]
async fn a_notification_names_and_an_event_is_what_was_posted() {
    let app = TestApp::start().await;
    let mut socket = app.client.socket().await;
    let sources = json!([{"source_type": "repo"}]);
    socket.subscribe("whole", json!({"sources": sources, "include": "event"})).await;
    socket.subscribe("named", json!({"sources": sources})).await;
    let event = "{\n \"id\":\"1\",\"type\":\"push\",\"source_type\":\"repo\",\
                 \"source_id\":\"owner/repo\",\"n\":12345678901234567890123}";

    let stored = app.client.event(event).await.json()["cursor"].clone();

    let mut came = [socket.next_but_positions().await, socket.next_but_positions().await];
    came.sort_by_key(|message| message["subscription"].to_string());
    let [named, whole] = came;
    assert_eq!(
        named["data"],
        json!({"id": "1", "type": "push", "source_type": "repo", "source_id": "owner/repo",
               "cursor": stored})
    );
    assert_eq!((cursor(&whole), &whole["position"]), (cursor(&named), &named["position"]));
    let n = &whole["data"]["event"]["n"];
    assert!(n.is_number() && whole["data"]["event"]["source_id"] == "owner/repo", "{whole}");
}

#[tokio::test]
async fn an_event_that_needs_several_frames_comes_whole() {
    let app = TestApp::start().await;
    let mut socket = app.client.socket().await;
    socket.subscribe("all", json!({"include": "event"})).await;
    // Characters of several bytes, so that frames end within some.
    let text = "é€🦀".repeat(40_000);
    let event = json!({"id": "1", "type": "t", "source_type": "s", "source_id": "i", "data": text});

    app.client.event(&event).await;

    let message = socket.next_but_positions().await;
    assert_eq!(message["data"]["event"], event);
    store(&app.client, "i", 1).await;
    assert_eq!(socket.cursors("all", 1).await.len(), 1);
}

#[tokio::test]
async fn each_subscription_has_what_it_asked_for_and_a_position_of_its_own() {
    let app = TestApp::start().await;
    let old = store(&app.client, "a", 20).await;
    let mut socket = app.client.socket().await;
    let mut recent = of("a");
    recent["recent"] = json!(5);
    socket.subscribe("recent", recent).await;
    let came: Vec<_> = socket.cursors("recent", 5).await;
    assert_eq!(came, old[15..]);
    // In the other partitions there is nothing of it.
    socket.subscribe("resumed", after("a", &old[9])).await;
    assert_eq!(socket.cursors("resumed", 10).await, old[10..]);
    socket.subscribe("pushes", json!({"types": ["push"]})).await;
    assert_eq!(socket.next_within(SOON).await, None);

    let new = store(&app.client, "a", 3).await;
    let push = json!({"type": "push", "source_type": "other", "source_id": "x"});
    let push = app.client.event(push).await.json()["cursor"].as_str().unwrap().to_owned();

    let mut came = socket.cursors_of(&["recent", "resumed", "pushes"], 7).await;
    assert_eq!(came.remove("recent").as_ref(), Some(&new));
    assert_eq!(came.remove("resumed"), Some(new));
    assert_eq!(came.remove("pushes"), Some(vec![push]));
}

#[tokio::test]
async fn one_that_was_unsubscribed_brings_nothing_more_and_its_name_is_free() {
    let app = TestApp::start().await;
    let mut socket = app.client.socket().await;
    socket.subscribe("one", of("a")).await;
    socket.subscribe("other", of("a")).await;
    socket.send(json!({"op": "unsubscribe", "subscription": "one"})).await;
    assert_eq!(socket.next().await, json!({"op": "unsubscribed", "subscription": "one"}));

    let posted = store(&app.client, "a", 10).await;
    assert_eq!(socket.cursors("other", 10).await, posted);

    let position = socket.positions["one"].clone();
    socket.subscribe("one", after("a", &position)).await;
    assert_eq!(socket.cursors("one", 10).await, posted);
    assert_eq!(app.metric("dual_stream_live_subscriptions", &[]).await, 2.0);
    assert_eq!(app.metric("dual_stream_live_streams", &["websocket"]).await, 1.0);
}

#[tokio::test]
async fn a_ping_is_answered_with_what_it_had() {
    let app = TestApp::start().await;
    let mut socket = app.client.socket().await;
    for data in [json!(7), json!("x"), json!({"a": [null]})] {
        socket.send(json!({"op": "ping", "data": data})).await;
        assert_eq!(socket.next().await, json!({"op": "pong", "data": data}));
    }
    socket.send(json!({"op": "ping"})).await;
    assert_eq!(socket.next().await, json!({"op": "pong"}));
}

#[tokio::test]
async fn a_silent_subscription_has_a_heart_that_beats_and_moves_its_position() {
    let app = TestApp::builder().set("live.heartbeat", "200ms").start().await;
    let mut socket = app.client.socket().await;
    socket.subscribe("silent", of("silent")).await;
    let others = store(&app.client, "another", 10).await;
    while !socket.positions["silent"].contains(&others[9]) {
        assert_eq!(socket.next().await["op"], "position");
    }
    // It would be closed by the third.
    let pings = socket.pings;
    while socket.pings < pings + 5 {
        socket.next().await;
    }

    let mut again = app.client.socket().await;
    again.subscribe("silent", after("silent", &socket.positions["silent"])).await;
    let posted = store(&app.client, "silent", 2).await;
    let mut came = Vec::new();
    for _ in 0..2 {
        came.push(cursor(&again.next_but_positions().await));
    }
    assert_eq!(came, posted);
}

#[tokio::test]
async fn it_is_the_same_in_dev() {
    let app = TestApp::builder().dev().start().await;
    let old = store(&app.client, "i", 3).await;
    let mut socket = app.client.socket().await;
    socket.subscribe("i", after("i", "beginning")).await;
    assert_eq!(socket.cursors("i", 3).await, old);
    let new = store(&app.client, "i", 3).await;
    assert_eq!(socket.cursors("i", 3).await, new);
}
