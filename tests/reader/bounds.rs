//! What reads may take: of memory, of answers, of Kafka.

use dual_stream::position::Position;
use dual_stream::reader::{Found, ReadError, Start};
use futures_util::future::join_all;

use crate::rig::{Log, Record, ids, source};

const MIB: usize = 1024 * 1024;

async fn large_events(count: usize) -> (Log, Vec<dual_stream::cursor::Cursor>) {
    let log = Log::create(1, &[("max.message.bytes", "4000000")]).await;
    let record = |n: usize| {
        let value = format!(r#"{{"id":"{n}","padding":"{}"}}"#, "x".repeat(900_000));
        Record::event(0, "a", &n.to_string()).value(value)
    };
    let records: Vec<_> = (0..count).map(record).collect();
    let cursors = log.write(&records).await;
    (log, cursors)
}

#[tokio::test]
async fn large_events_stay_within_the_bounds() {
    let (log, cursors) = large_events(40).await;
    let rig = log.reader().start().await;
    rig.has_in_memory(cursors[39]).await;
    assert!(rig.metric("reader_memory_bytes", "") <= 16.0 * MIB as f64);
    let expected: Vec<_> = (0..40).map(|n| n.to_string()).collect();

    let (mut seen, mut before) = (Vec::new(), None::<Position>);
    loop {
        let page = rig.reader.recent(&source("a"), before.as_ref(), 50).await.unwrap();
        let bytes: usize = page.events.iter().map(|event| event.value().len()).sum();
        assert!(bytes <= 8 * MIB, "{bytes}");
        seen.extend(ids(&page.events).iter().map(|id| (*id).to_owned()));
        let Some(next) = page.next else { break };
        assert!(!page.events.is_empty());
        before = Some(next);
    }
    seen.reverse();
    assert_eq!(seen, expected);

    let (mut seen, mut start) = (Vec::new(), Start::After(Position::beginning()));
    while seen.len() < 40 {
        let page = rig.reader.replay(&source("a"), &start, 50).await.unwrap();
        let bytes: usize = page.events.iter().map(|event| event.value().len()).sum();
        assert!(bytes <= 8 * MIB && !page.events.is_empty(), "{bytes}");
        seen.extend(ids(&page.events).iter().map(|id| (*id).to_owned()));
        start = Start::After(page.next.unwrap());
    }
    assert_eq!(seen, expected);

    let found = rig.reader.events(&cursors).await;
    let events = found.iter().filter(|found| matches!(found, Ok(Found::Event(_)))).count();
    assert!((8..=9).contains(&events), "{events}");
    let omitted = found.iter().filter(|found| **found == Err(ReadError::AnswerFull)).count();
    assert_eq!(events + omitted, 40);
    rig.stop().await;
}

#[tokio::test]
async fn an_event_larger_than_an_answer_is_one_all_the_same() {
    let (log, cursors) = large_events(3).await;
    let rig = log.reader().set("reader.page_bytes", "100KiB").start().await;
    let start = Start::After(Position::beginning());
    let page = rig.reader.replay(&source("a"), &start, 50).await.unwrap();
    assert_eq!((ids(&page.events), page.complete), (vec!["0"], false));
    let page = rig.reader.recent(&source("a"), None, 50).await.unwrap();
    assert_eq!((ids(&page.events), page.complete), (vec!["2"], false));
    let found = rig.reader.events(&cursors).await;
    let events = found.iter().filter(|found| matches!(found, Ok(Found::Event(_)))).count();
    let omitted = found.iter().filter(|found| **found == Err(ReadError::AnswerFull)).count();
    assert_eq!((events, omitted), (1, 2));
    rig.stop().await;
}

#[tokio::test]
async fn answers_that_nobody_has_taken_keep_within_a_bound_together() {
    let (log, cursors) = large_events(30).await;
    let rig = log.reader().without_memory().set("reader.page_bytes", "1MiB").start().await;
    let asked: Vec<_> = cursors.iter().map(|cursor| [*cursor]).collect();
    let answers = join_all(asked.iter().map(|cursor| rig.reader.events(cursor))).await;
    let mut read = 0;
    for answer in answers.iter().flatten() {
        match answer {
            Ok(Found::Event(event)) => read += event.value().len(),
            other => assert_eq!(*other, Err(ReadError::Busy)),
        }
    }
    assert!((3 * MIB..=5 * MIB).contains(&read), "{read}");
    drop(answers);
    for cursor in cursors {
        rig.event(cursor).await;
    }
    rig.stop().await;
}

#[tokio::test]
async fn who_follows_next_comes_forward_however_little_may_be_looked_at() {
    let log = Log::create(6, &[]).await;
    let large = "x".repeat(2_500);
    let records = (0..8_000).map(|n| {
        let id = if n == 0 { "rare" } else { "often" };
        let value = format!(r#"{{"id":"{n}","padding":"{large}"}}"#);
        Record::event(0, id, &n.to_string()).value(value)
    });
    log.write(&records.collect::<Vec<_>>()).await;
    for (setting, least) in [("reader.scan_bytes", "1KiB"), ("reader.scan_time", "1ms")] {
        let rig = log.reader().set(setting, least).without_memory().start().await;
        let (mut start, mut seen) = (Start::After(Position::beginning()), 0);
        loop {
            let page = rig.reader.replay(&source("rare"), &start, 10).await.unwrap();
            let next = Start::After(page.next.unwrap());
            seen += page.events.len();
            if page.complete || seen > 0 {
                break;
            }
            assert_ne!(next, start, "{setting}: a replay stands still");
            start = next;
        }
        assert_eq!(seen, 1, "{setting}");
        let mut before = None;
        loop {
            let page = rig.reader.recent(&source("rare"), before.as_ref(), 10).await.unwrap();
            if !page.events.is_empty() {
                break;
            }
            assert!(page.next.is_some(), "{setting}: the event is missing");
            assert_ne!(page.next, before, "{setting}: looking back stands still");
            before = page.next;
        }
        rig.stop().await;
    }
}

#[tokio::test]
async fn a_scan_that_reaches_its_bounds_says_where_to_go_on() {
    let log = Log::create(1, &[]).await;
    let records: Vec<_> = (0..20_000)
        .map(|n| {
            Record::event(0, if n % 10_000 == 5_000 { "rare" } else { "often" }, &n.to_string())
        })
        .collect();
    log.write(&records).await;
    let rig = log.reader().set("reader.scan_records", 2_000).without_memory().start().await;
    let (mut pages, mut seen) = (0, Vec::new());
    let mut start = Start::After(Position::beginning());
    loop {
        let page = rig.reader.replay(&source("rare"), &start, 10).await.unwrap();
        pages += 1;
        seen.extend(ids(&page.events).iter().map(|id| (*id).to_owned()));
        start = Start::After(page.next.unwrap());
        if page.complete {
            break;
        }
    }
    assert_eq!(seen, ["5000", "15000"]);
    assert!((5..=11).contains(&pages), "{pages}");
    assert!(rig.metric("reader_scans_total", "unfinished") > 3.0);
    rig.stop().await;
}
