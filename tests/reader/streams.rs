//! Replays without a limit.

use std::time::Duration;

use dual_stream::position::Position;
use dual_stream::reader::{ReadError, ReplayStream, Start, StoredEvent};

use crate::harness::eventually;
use crate::rig::{Log, Record, ids, source};

fn beginning() -> Start {
    Start::After(Position::beginning())
}

async fn rest(stream: &mut ReplayStream) -> Vec<StoredEvent> {
    let mut events = Vec::new();
    while let Some(part) = stream.next().await {
        let part = part.unwrap();
        assert!(!part.is_empty());
        events.extend(part);
    }
    events
}

fn large(count: usize, size: usize) -> Vec<Record> {
    let record = |n: usize| {
        let value = format!(r#"{{"id":"{n}","padding":"{}"}}"#, "x".repeat(size));
        Record::event(0, "a", &n.to_string()).value(value)
    };
    (0..count).map(record).collect()
}

#[tokio::test]
async fn a_stream_ends_where_the_log_ended_when_it_was_asked_for() {
    let log = Log::create(1, &[]).await;
    log.write(&large(5_000, 100)).await;
    let rig = log.reader().start().await;
    let mut stream = rig.reader.replay_stream(source("a"), beginning()).await.unwrap();
    let first = stream.next().await.unwrap().unwrap();
    log.write(&large(10, 100)).await;
    let mut events = first;
    events.extend(rest(&mut stream).await);
    let expected: Vec<_> = (0..5_000).map(|n| n.to_string()).collect();
    assert_eq!(ids(&events), expected);
    assert!(stream.next().await.is_none(), "the end stays the end");
    rig.stop().await;
}

#[tokio::test]
async fn a_stream_is_read_no_faster_than_it_is_taken() {
    let log = Log::create(1, &[]).await;
    log.write(&large(4_000, 10_000)).await;
    let rig = log.reader().start().await;
    let mut stream = rig.reader.replay_stream(source("a"), beginning()).await.unwrap();
    let mut events = stream.next().await.unwrap().unwrap();
    let scans = || rig.metric("reader_scans_total", "");
    // The thread finds no room, and leaves.
    let before = scans();
    eventually("the replay is parked", async || (scans() > before).then_some(())).await;
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert!(rig.scanned() < 1_500.0, "{} records were read ahead", rig.scanned());
    // Others have the threads meanwhile.
    let page = rig.reader.replay(&source("a"), &beginning(), 5).await.unwrap();
    assert_eq!(page.events.len(), 5);
    events.extend(rest(&mut stream).await);
    let expected: Vec<_> = (0..4_000).map(|n| n.to_string()).collect();
    assert_eq!(ids(&events), expected);
    rig.stop().await;
}

#[tokio::test]
async fn a_stream_that_retention_overtakes_says_so() {
    let log = Log::create(1, &[]).await;
    log.write(&large(3_000, 10_000)).await;
    let rig = log.reader().start().await;
    let mut stream = rig.reader.replay_stream(source("a"), beginning()).await.unwrap();
    assert!(stream.next().await.unwrap().is_ok());
    tokio::time::sleep(Duration::from_millis(200)).await;
    log.delete_before(0, 2_990).await;
    let mut seen = 0;
    let error = loop {
        match stream.next().await {
            Some(Ok(part)) => seen += part.len(),
            Some(Err(error)) => break error,
            None => panic!("a hole was not told of, after {seen} events"),
        }
    };
    let ReadError::Removed { earliest } = error else { panic!("{error:?}") };
    assert_eq!(earliest.to_string(), "0-2989");
    let page = rig.reader.replay(&source("a"), &Start::After(earliest), 100).await.unwrap();
    assert_eq!(page.events.len(), 10);
    rig.stop().await;
}

#[tokio::test]
async fn no_more_streams_are_begun_than_the_settings_allow() {
    let log = Log::create(1, &[]).await;
    log.write(&large(10, 10)).await;
    let rig = log.reader().set("reader.streams", 1).start().await;
    let stream = rig.reader.replay_stream(source("a"), beginning()).await.unwrap();
    let second = rig.reader.replay_stream(source("a"), beginning()).await;
    assert_eq!(second.err(), Some(ReadError::Busy));
    drop(stream);
    let mut third = rig.reader.replay_stream(source("a"), beginning()).await.unwrap();
    assert_eq!(rest(&mut third).await.len(), 10);
    rig.stop().await;
}
