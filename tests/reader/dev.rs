//! The mock cluster of `dual-stream dev`.

use dual_stream::cursor::Cursor;
use dual_stream::kafka::MockKafka;
use dual_stream::position::Position;
use dual_stream::reader::{Found, Start};

use crate::rig::{Log, Record, ids, source};

#[tokio::test]
async fn in_front_of_the_mock_cluster_it_is_the_same() {
    let kafka = MockKafka::start("events", 2).unwrap();
    let log = Log::at(&kafka.brokers(), "events");
    let rig = log.reader().set("reader.tail_wait", "20ms").start().await;
    let place = dual_stream::kafka::partitions_of(b"a", 2, &[2])[0];
    for n in 0..50 {
        let cursor = log.write_one(Record::event(place, "a", &n.to_string())).await;
        rig.heads.saw(cursor);
        assert_eq!(rig.event(cursor).await.id(), n.to_string());
        let page = rig.reader.recent(&source("a"), None, 1).await.unwrap();
        assert_eq!(ids(&page.events), [n.to_string()]);
    }
    rig.has_in_memory(Cursor::new(place, 49).unwrap()).await;
    let at = |partition, offset| Cursor::new(partition, offset).unwrap();
    assert_eq!(rig.reader.event(at(place, 50)).await, Ok(Found::NotYet));
    assert_eq!(rig.reader.event(at(place, 5_000)).await, Ok(Found::NotYet));
    assert_eq!(rig.reader.event(at(2, 0)).await, Ok(Found::NoPartition { count: 2 }));
    let start = Start::After(Position::beginning());
    let page = rig.reader.replay(&source("a"), &start, 100).await.unwrap();
    let expected: Vec<_> = (0..50).map(|n| n.to_string()).collect();
    assert_eq!(
        (ids(&page.events), page.complete),
        (expected.iter().map(String::as_str).collect(), true)
    );
    let mut stream = rig.reader.replay_stream(source("a"), start).await.unwrap();
    let mut count = 0;
    while let Some(part) = stream.next().await {
        count += part.unwrap().len();
    }
    assert_eq!(count, 50);
    rig.stop().await;
}
