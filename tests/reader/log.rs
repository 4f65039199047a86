//! What else a log may hold: transactions, holes of compaction.

use std::time::Duration;

use dual_stream::cursor::Cursor;
use dual_stream::position::Position;
use dual_stream::reader::{Found, Start};
use rdkafka::message::{Header, OwnedHeaders};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};

use crate::harness::{Broker, broker, eventually};
use crate::rig::{Log, Record, client, ids, source};

const PATIENCE: Duration = Duration::from_secs(30);

/// Writes events of the source `a` in one transaction.
fn transaction(producer: &BaseProducer, topic: &str, events: &[&str], is_committed: bool) {
    producer.begin_transaction().unwrap();
    for id in events {
        let headers = [("id", *id), ("type", "t"), ("source_type", "repo")];
        let headers = headers.iter().fold(OwnedHeaders::new(), |headers, (key, value)| {
            headers.insert(Header { key, value: Some(*value) })
        });
        let record = BaseRecord::to(topic).partition(0).key("a").payload("{}").headers(headers);
        producer.send(record).map_err(|(error, _)| error).unwrap();
    }
    producer.flush(PATIENCE).unwrap();
    if is_committed {
        producer.commit_transaction(PATIENCE).unwrap();
    } else {
        producer.abort_transaction(PATIENCE).unwrap();
    }
}

#[tokio::test]
async fn markers_of_transactions_and_what_was_aborted_are_no_events() {
    let log = Log::create(1, &[]).await;
    let (brokers, topic) = (log.brokers.clone(), log.topic.clone());
    tokio::task::spawn_blocking(move || {
        let producer: BaseProducer =
            client(&brokers).set("transactional.id", &topic).create().unwrap();
        producer.init_transactions(PATIENCE).unwrap();
        // Offsets 0 and 1, and a marker; 3, and a marker; 5, and a marker at the end.
        transaction(&producer, &topic, &["0", "1"], true);
        transaction(&producer, &topic, &["3"], false);
        transaction(&producer, &topic, &["5"], true);
    })
    .await
    .unwrap();
    for with_memory in [false, true] {
        let builder = log.reader();
        let rig = if with_memory { builder } else { builder.without_memory() }.start().await;
        let at = |offset| Cursor::new(0, offset).unwrap();
        if with_memory {
            rig.has_in_memory(at(5)).await;
        }
        for (offset, id) in [(0, "0"), (1, "1"), (5, "5")] {
            assert_eq!(rig.event(at(offset)).await.id(), id);
        }
        for offset in [2, 3, 4, 6] {
            assert_eq!(rig.reader.event(at(offset)).await, Ok(Found::NoEvent), "{offset}");
        }
        assert_eq!(rig.reader.event(at(7)).await, Ok(Found::NotYet));
        let start = Start::After(Position::beginning());
        let page = rig.reader.replay(&source("a"), &start, 10).await.unwrap();
        assert_eq!((ids(&page.events), page.complete), (vec!["0", "1", "5"], true));
        let page = rig.reader.replay(&source("a"), &Start::After(page.next.unwrap()), 10).await;
        assert_eq!(page.unwrap().events, []);
        let page = rig.reader.recent(&source("a"), None, 10).await.unwrap();
        assert_eq!((ids(&page.events), page.next), (vec!["5", "1", "0"], None));
        rig.stop().await;
    }
}

#[tokio::test]
async fn what_was_compacted_away_is_no_event() {
    let settings = broker::Settings::plain().with("log.cleaner.backoff.ms=100");
    let mut broker = Broker::with(&settings);
    broker.start().await;
    let config = [
        ("cleanup.policy", "compact"),
        ("segment.ms", "100"),
        ("min.cleanable.dirty.ratio", "0.001"),
    ];
    let log = Log::create_at(&broker.address(), 1, &config).await;
    for n in 0..4 {
        log.write_one(Record::event(0, "a", &n.to_string())).await;
    }
    let rig = log.reader().without_memory().start().await;
    let at = |offset| Cursor::new(0, offset).unwrap();
    let mut last = 4;
    eventually("the first events are compacted away", async || {
        // Only a segment that is not written to any more is compacted.
        log.write_one(Record::event(0, "other", &last.to_string())).await;
        last += 1;
        tokio::time::sleep(Duration::from_millis(120)).await;
        let found = rig.reader.events(&[at(0), at(1), at(2)]).await;
        found.iter().all(|found| *found == Ok(Found::NoEvent)).then_some(())
    })
    .await;
    assert_eq!(rig.event(at(3)).await.id(), "3");
    let page = rig.reader.recent(&source("a"), None, 10).await.unwrap();
    assert_eq!((ids(&page.events), page.next), (vec!["3"], None));
    let start = Start::After(Position::beginning());
    let page = rig.reader.replay(&source("a"), &start, 10).await.unwrap();
    assert_eq!(ids(&page.events), ["3"]);
    let asked: Vec<_> = (0..4).map(at).collect();
    let found = rig.reader.events(&asked).await;
    assert_eq!(found[..3], [Ok(Found::NoEvent), Ok(Found::NoEvent), Ok(Found::NoEvent)]);
    rig.stop().await;
}
