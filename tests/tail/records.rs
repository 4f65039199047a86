//! What else lies in the log.

use crate::command::Tail;
use crate::log::{Log, Record};

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
