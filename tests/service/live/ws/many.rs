//! Many subscriptions on one connection, none at the cost of another.

use serde_json::{Value, json};

use super::{after, of};
use crate::harness::kafka::{create_topic, write};
use crate::harness::reading::store;
use crate::harness::socket::{Socket, cursor};
use crate::harness::{TestApp, required, unique};

async fn subscribe_all(socket: &mut Socket, count: usize) {
    for source in 0..count {
        socket.subscribe(&source.to_string(), of(&source.to_string())).await;
    }
}

#[tokio::test]
async fn each_of_a_hundred_has_its_own() {
    let app = TestApp::start().await;
    let mut socket = app.client.socket().await;
    subscribe_all(&mut socket, 100).await;
    let names: Vec<_> = (0..100).map(|source| source.to_string()).collect();
    let mut posted = Vec::new();
    for name in &names {
        posted.push(store(&app.client, name, 5).await);
    }

    let names: Vec<_> = names.iter().map(String::as_str).collect();
    let came = socket.cursors_of(&names, 500).await;

    for (name, posted) in names.iter().zip(posted) {
        assert_eq!(came[*name], posted);
    }
    assert_eq!(app.metric("dual_stream_live_subscriptions", &[]).await, 100.0);
}

#[tokio::test]
async fn there_are_limits_and_the_connection_stays() {
    let app =
        TestApp::builder().set("live.subscriptions", "3").set("live.sources", "4").start().await;
    let mut socket = app.client.socket().await;
    subscribe_all(&mut socket, 2).await;
    let named = |names: &[&str]| {
        let source = |name: &&str| json!({"source_type": "s", "source_id": name});
        json!({"sources": names.iter().map(source).collect::<Vec<_>>()})
    };
    for (name, more, pointer) in [
        ("0", of("x"), "/subscription"),
        ("large", named(&["a", "b", "c"]), "/sources"),
        ("larger", named(&["a", "b", "c", "d", "e"]), "/sources"),
    ] {
        socket.ask(name, more).await;
        refused(&mut socket, name, pointer).await;
    }
    socket.subscribe("last", named(&["a", "b"])).await;
    socket.ask("more", json!({})).await;
    refused(&mut socket, "more", "/subscription").await;

    socket.send(json!({"op": "unsubscribe", "subscription": "last"})).await;
    assert_eq!(socket.next().await["op"], "unsubscribed");
    socket.send(json!({"op": "unsubscribe", "subscription": "last"})).await;
    refused(&mut socket, "last", "/subscription").await;
    socket.subscribe("everything", json!({})).await;
}

async fn refused(socket: &mut Socket, name: &str, pointer: &str) {
    let error = socket.next().await;
    assert_eq!((&error["op"], &error["subscription"]), (&json!("error"), &json!(name)), "{error}");
    assert_eq!(error["problem"]["type"], "/docs/problems#invalid-request");
    assert_eq!(error["problem"]["errors"][0]["pointer"], pointer, "{error}");
}

#[tokio::test]
async fn one_that_reads_much_of_the_log_does_not_hold_the_others_up() {
    let app = TestApp::builder().set("reader.memory", "0B").start().await;
    let old = store(&app.client, "old", 60_000).await;
    let mut socket = app.client.socket().await;
    socket.subscribe("live", of("new")).await;
    for reader in 0..6 {
        socket.ask(&format!("old{reader}"), after("old", "beginning")).await;
    }

    let new = store(&app.client, "new", 10).await;

    let mut late = 0;
    let (mut came, mut read) = (Vec::new(), std::collections::HashMap::new());
    while read.values().sum::<usize>() < 6 * old.len() || came.len() < new.len() {
        let message = socket.next().await;
        let name = message["subscription"].as_str().unwrap().to_owned();
        match message["op"].as_str().unwrap() {
            "event" if name == "live" => came.push(cursor(&message)),
            "event" => {
                late += usize::from(came.len() < new.len());
                *read.entry(name).or_insert(0) += 1;
            }
            _ => {}
        }
    }
    assert_eq!(came, new);
    assert!(late < 3 * old.len(), "{late} old ones came before the new ones");
    assert!(read.values().all(|count| *count == old.len()), "{read:?}");
}

/// They wait for those that read the log. What comes meanwhile, to a partition in which nothing was,
/// comes after them, and none of them is left out for it.
#[tokio::test]
async fn recent_events_that_are_read_late_are_those_before_ready() {
    let (brokers, topic) = (required("KAFKA_BROKERS"), unique("late"));
    create_topic(&brokers, &topic, 2, &[]).await;
    let large = json!({"id": "x", "type": "t", "source_type": "s", "source_id": "old",
                       "data": "x".repeat(10_000)})
    .to_string();
    write(&brokers, &topic, 0, "old", &[large.as_str(); 2000]).await;
    // Of two partitions it lies in the other one; here it lay when there was one only.
    write(&brokers, &topic, 0, "new", &["{}"; 3]).await;
    let app = TestApp::builder().topic(&topic).set("reader.memory", "0B").start().await;
    let mut other = app.client.stream("?source_type=s&source_id=new").await;
    let stream = app.client.connect_narrow().await.unwrap();
    let mut socket = app.client.socket_on(stream, "x-of", "tests").await.unwrap();
    // More than is read below: all that may read the log stay at it.
    let names: Vec<_> = (0..4).map(|reader| format!("old{reader}")).collect();
    for name in &names {
        let mut whole = after("old", "beginning");
        whole["include"] = json!("event");
        socket.ask(name, whole).await;
    }
    for name in &names {
        next_event_of(&mut socket, name).await;
    }
    let mut recent = of("new");
    recent["recent"] = json!(3);
    socket.ask("recent", recent).await;
    // When the second is answered, it has been begun.
    for _ in 0..2 {
        socket.send(json!({"op": "ping"})).await;
        while socket.next().await["op"] != "pong" {}
    }

    write(&brokers, &topic, 1, "new", &["{}"; 3]).await;
    assert_eq!(other.cursors(3).await, ["1-0", "1-1", "1-2"]);
    for name in &names {
        socket.send(json!({"op": "unsubscribe", "subscription": name})).await;
    }
    for expected in ["0-2000", "0-2001", "0-2002", "1-0", "1-1", "1-2"] {
        assert_eq!(cursor(&next_event_of(&mut socket, "recent").await), expected);
    }
}

/// Passes over everything else.
async fn next_event_of(socket: &mut Socket, name: &str) -> Value {
    loop {
        let message = socket.next().await;
        if message["op"] == "event" && message["subscription"] == name {
            return message;
        }
    }
}
