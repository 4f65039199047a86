//! What reads may take: of memory, of answers, of Kafka.

use dual_stream::position::Position;
use dual_stream::reader::{Found, ReadError, Start};

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
    let full = found.iter().position(|found| *found == Err(ReadError::AnswerFull)).unwrap();
    assert!((8..=9).contains(&full), "{full}");
    assert!(found[..full].iter().all(|found| matches!(found, Ok(Found::Event(_)))));
    assert!(found[full..].iter().all(|found| *found == Err(ReadError::AnswerFull)));
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
    assert!(matches!(found[0], Ok(Found::Event(_))));
    assert_eq!(found[1..], [Err(ReadError::AnswerFull), Err(ReadError::AnswerFull)]);
    rig.stop().await;
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
