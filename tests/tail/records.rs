//! What else lies in the log.

use std::io::{BufRead, BufReader};

use crate::command::{Tail, assert_same};
use crate::harness::{eventually, kafka};
use crate::log::{Log, Record, a_moment};

#[tokio::test]
async fn records_that_are_no_events_are_passed_over() {
    let log = Log::new(1).await;
    let event = |id| Record::event("owner/repo", id);
    let without = |name: &str| {
        let mut record = event("foreign");
        record.headers.retain(|(header, _)| *header != name);
        record
    };
    log.write([
        event("a"),
        Record { headers: Vec::new(), ..event("foreign") },
        Record { value: None, ..event("tombstone") },
        Record { key: None, ..event("foreign") },
        without("id"),
        without("type"),
        without("source_type"),
        event("avro").value("\u{1}avro"),
        event("two").value("{} {}"),
        event("b"),
        Record { value: None, headers: Vec::new(), ..event("tombstone") },
    ])
    .await;
    let tail = Tail::run(&log, &[]).await.succeeds();
    assert_eq!(tail.ids(), ["a", "b"]);
    // What was passed over at the end has been seen, too.
    assert_eq!(tail.position(), "0-10");
    let tail = Tail::run(&log, &["--group", &log.topic]).await.succeeds();
    assert_eq!(tail.ids(), ["a", "b"]);
    assert_eq!(log.committed(&log.topic, 0), Some(11));
}

#[tokio::test]
async fn transactions_leave_markers_and_what_was_aborted_and_none_of_it_is_an_event() {
    let log = Log::new(1).await;
    log.write([Record::event("owner/repo", "a")]).await;
    log.transaction("aborted", false);
    log.transaction("committed", true);
    log.write([Record::event("owner/repo", "b")]).await;
    log.transaction("last", false);
    let tail = Tail::run(&log, &[]).await.succeeds();
    assert_eq!(tail.ids(), ["a", "committed", "b"]);
    assert_eq!(tail.position(), "0-7", "up to the last marker");
}

#[tokio::test]
async fn a_reader_that_retention_overtakes_is_told_what_is_missing_and_goes_on() {
    let log = Log::new(1).await;
    // More than is fetched ahead.
    let large = "x".repeat(20_000);
    let record = |number: usize| {
        let id = format!("a-{number}");
        let value = format!(r#"{{"id":"{id}","x":"{large}"}}"#);
        Record::event("owner/repo", &id).value(&value)
    };
    log.write((0..3_000).map(record)).await;
    let mut tail = Tail::unread(&log, &["--follow", "--limit", "100000"], &[]);
    let stdout = tail.stdout();
    a_moment().await;
    kafka::delete_records(&log.brokers, &log.topic, 0, 2_900).await;
    let lines = std::thread::spawn(move || {
        let mut lines = BufReader::new(stdout).lines().map_while(Result::ok);
        let mut count = 1;
        while lines.next().is_some_and(|line| !line.contains("\"a-2999\"")) {
            count += 1;
        }
        count
    });
    tail.says("removed from the log before they were read").await;
    let count = tokio::task::spawn_blocking(move || lines.join().unwrap()).await.unwrap();
    assert!((100..2_900).contains(&count), "{count}");
    assert!(tail.errors().contains("up to 0-2899"), "{}", tail.errors());
    // The reader is gone.
    assert_eq!(tail.end().await.succeeds().position(), "0-2999");
}

#[tokio::test]
async fn a_topic_that_is_made_anew_is_read_from_its_beginning() {
    let log = Log::new(1).await;
    log.events("old", 50).await;
    let tail = Tail::start(&log, &["--follow"]);
    tail.has(50).await;
    kafka::delete_topic(&log.brokers, &log.topic).await;
    // Brokers delete in their own time.
    eventually("it can be made anew", async || {
        kafka::try_create_topic(&log.brokers, &log.topic, 1).await.then_some(())
    })
    .await;
    let log = Log::of(&log);
    let ids = log.events("new", 10).await;
    tail.has(60).await;
    let tail = tail.stop().await.succeeds();
    assert_same(&tail.ids()[50..], &ids);
    assert_eq!(tail.position(), "0-9");
}
