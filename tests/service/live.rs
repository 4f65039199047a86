//! Streams: what comes, where it begins, and where it goes on.

mod early;
mod ends;
mod faults;
mod gone;
mod refusals;
mod resume;
mod ws;

use std::time::Duration;

use serde_json::json;

use crate::harness::TestApp;
use crate::harness::reading::store;

/// Within this nothing more comes.
const SOON: Duration = Duration::from_millis(300);

#[tokio::test]
async fn what_is_posted_after_ready_comes_each_once_and_in_order() {
    let app = TestApp::start().await;
    store(&app.client, "i", 3).await;
    let mut stream = app.client.stream("?source_type=s&source_id=i").await;

    let posted = store(&app.client, "i", 200).await;
    store(&app.client, "another", 5).await;

    assert_eq!(stream.cursors(200).await, posted);
    assert_eq!(stream.next_within(SOON).await, None);
    let header = |name: &str| stream.headers.get(name).map(|value| value.to_str().unwrap());
    assert_eq!(header("content-type"), Some("text/event-stream"));
    assert_eq!(header("cache-control"), Some("no-store"));
    assert_eq!(header("x-accel-buffering"), Some("no"));
    assert_eq!(header("content-encoding"), None);
    assert!(header("x-request-id").is_some());
    assert_eq!(stream.retry, Some(2000));
}

#[tokio::test]
async fn a_notification_names_and_an_event_is_what_was_posted() {
    let app = TestApp::start().await;
    let mut told = app.client.stream("?source_type=repo&source_id=owner%2Frepo").await;
    let mut whole = app.client.stream("?source_type=repo&include=event").await;
    let event = "{\n \"id\":\"1\",\"type\":\"push\",\"source_type\":\"repo\",\
                 \"source_id\":\"owner/repo\",\"n\":12345678901234567890123}";

    let cursor = app.client.event(event).await.json()["cursor"].clone();

    let notification = told.next().await;
    assert_eq!(
        notification.data,
        json!({"id": "1", "type": "push", "source_type": "repo", "source_id": "owner/repo",
               "cursor": cursor})
    );
    let whole = whole.next().await;
    assert_eq!(whole.data["cursor"], cursor);
    assert!(whole.data["time"].is_string());
    assert_eq!(whole.data["event"]["source_id"], "owner/repo");
    assert_eq!(notification.last_id, whole.last_id);
}

#[tokio::test]
async fn several_sources_a_type_or_everything_and_some_types_of_events() {
    let app = TestApp::start().await;
    let mut two = app.client.stream("?source_type=a&source_id=1&source_type=b&source_id=2").await;
    let mut ids = app.client.stream("?source_type=a&source_id=1&source_id=2").await;
    let mut of_type = app.client.stream("?source_type=b").await;
    let mut all = app.client.stream("").await;
    let mut pushes = app.client.stream("?types=push,star").await;
    let mut odd = app.client.stream("?type=push%2Cstar&type=star").await;
    let mut cursors = Vec::new();
    for (source_type, source_id, kind) in
        [("a", "1", "push"), ("a", "2", "push,star"), ("b", "1", "pull"), ("b", "2", "star")]
    {
        let event = json!({"type": kind, "source_type": source_type, "source_id": source_id});
        let cursor = app.client.event(event).await.json()["cursor"].as_str().unwrap().to_owned();
        cursors.push(cursor);
    }
    for (stream, expected) in [
        (&mut two, &[0, 3][..]),
        (&mut ids, &[0, 1]),
        (&mut of_type, &[2, 3]),
        (&mut all, &[0, 1, 2, 3]),
        (&mut pushes, &[0, 3]),
        (&mut odd, &[1, 3]),
    ] {
        let expected: Vec<_> =
            expected.iter().map(|&index: &usize| cursors[index].clone()).collect();
        let mut came = stream.cursors(expected.len()).await;
        // Posted one after the other, but to several partitions.
        came.sort_by_key(|cursor| cursors.iter().position(|known| known == cursor));
        assert_eq!(came, expected);
        assert_eq!(stream.next_within(SOON).await, None);
    }
}

#[tokio::test]
async fn recent_events_come_first_and_are_not_what_is_resumed_at() {
    let app = TestApp::start().await;
    let old = store(&app.client, "i", 20).await;
    let mut stream = app.client.stream("?source_type=s&source_id=i&recent=5").await;
    let began = stream.last_id.clone();

    assert_eq!(stream.cursors(5).await, old[15..]);
    assert_eq!(stream.last_id, began);
    let new = store(&app.client, "i", 5).await;
    assert_eq!(stream.cursors(5).await, new);
    assert_ne!(stream.last_id, began);

    let mut few = app.client.stream("?source_type=s&source_id=none&recent=5").await;
    assert_eq!(few.next_within(SOON).await, None);
}

#[tokio::test]
async fn recent_events_are_no_more_than_one_answer_has() {
    let app = TestApp::builder().set("reader.page_bytes", "40KiB").start().await;
    for source in ["a", "b"] {
        for _ in 0..5 {
            let data = "x".repeat(10_000);
            let event = json!({"type": "t", "source_type": "s", "source_id": source, "data": data});
            assert_eq!(app.client.event(event).await.status, 201);
        }
    }
    let both = "?source_type=s&source_id=a&source_id=b&recent=5";

    // Each source is read with as much. Identifiers are small.
    assert_eq!(app.client.stream(both).await.cursors(8).await.len(), 8);
    let mut stream = app.client.stream(&format!("{both}&include=event")).await;
    assert_eq!(stream.cursors(4).await.len(), 4);
    assert_eq!(stream.next_within(SOON).await, None);
}

#[tokio::test]
async fn joining_while_writers_are_at_full_speed_misses_nothing() {
    let app = TestApp::start().await;
    let writers: Vec<_> = (0..3)
        .map(|writer| {
            let client = app.client.clone();
            let source = format!("w{writer}");
            tokio::spawn(async move {
                let mut cursors = Vec::new();
                for _ in 0..60 {
                    cursors.extend(store(&client, &source, 100).await);
                }
                cursors
            })
        })
        .collect();
    let mut readers = Vec::new();
    for _ in 0..4 {
        for writer in 0..3 {
            let query = format!("?source_type=s&source_id=w{writer}&after=beginning");
            let client = app.client.clone();
            readers.push(tokio::spawn(async move {
                let mut stream = client.stream(&query).await;
                (writer, stream.cursors(6000).await)
            }));
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let mut written = Vec::new();
    for writer in writers {
        written.push(writer.await.unwrap());
    }
    for reader in readers {
        let (writer, came): (usize, _) = reader.await.unwrap();
        assert!(came == written[writer], "a reader of w{writer} has something else");
    }
}

#[tokio::test]
async fn over_http2_many_streams_share_a_connection() {
    let app = TestApp::start().await;
    let http = reqwest::Client::builder().no_proxy().http2_prior_knowledge().build().unwrap();
    let mut streams = Vec::new();
    for source in 0..20 {
        let url = format!("{}/events/stream?source_type=s&source_id={source}", app.client.url);
        streams.push(app.client.open(http.get(url)).await);
    }
    assert_eq!(streams[0].version, reqwest::Version::HTTP_2);
    for (source, stream) in streams.iter_mut().enumerate() {
        let posted = store(&app.client, &source.to_string(), 3).await;
        assert_eq!(stream.cursors(3).await, posted);
    }
    let before = app.metric("dual_stream_live_streams", &[]).await;
    assert_eq!(before, 20.0);
    drop(streams);
    app.metric_is("dual_stream_live_streams", 0.0).await;
    let gone = app.metric("dual_stream_live_ended_total", &["client"]).await;
    assert_eq!(gone, 20.0);
}

#[tokio::test]
async fn a_silent_stream_has_a_heart_that_beats_and_moves_its_position() {
    let app = TestApp::builder().set("live.heartbeat", "100ms").start().await;
    let mut stream = app.client.stream("?source_type=s&source_id=silent").await;
    let began = stream.last_id.clone();
    stream.beat().await;
    assert_eq!(stream.last_id, began);

    let others = store(&app.client, "another", 10).await;
    while !stream.last_id.contains(&others[9]) {
        stream.beat().await;
    }
    let mut resumed = app.client.resume("?source_type=s&source_id=silent", &stream.last_id).await;
    let posted = store(&app.client, "silent", 2).await;
    assert_eq!(resumed.cursors(2).await, posted);
}

#[tokio::test]
async fn it_is_the_same_in_dev() {
    let app = TestApp::builder().dev().start().await;
    let old = store(&app.client, "i", 3).await;
    let mut stream = app.client.stream("?source_type=s&source_id=i&after=beginning").await;
    assert_eq!(stream.cursors(3).await, old);
    let new = store(&app.client, "i", 3).await;
    assert_eq!(stream.cursors(3).await, new);
}
