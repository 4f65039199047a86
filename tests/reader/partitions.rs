//! More partitions later: a source has its new events elsewhere, and its old ones where they were.

use std::time::Duration;

use dual_stream::cursor::Cursor;
use dual_stream::kafka::partitions_of;
use dual_stream::position::Position;
use dual_stream::reader::{Found, ReadError, Start};

use crate::harness::{eventually, kafka};
use crate::rig::{Log, Record, ids, now, source};

/// A source that lies elsewhere among five partitions than among two.
fn moving() -> (String, i32, i32) {
    let place = |id: &str, count| partitions_of(id.as_bytes(), count, &[count])[0];
    (0..)
        .map(|n| format!("s{n}"))
        .map(|id| (place(&id, 2), place(&id, 5), id))
        .find_map(|(two, five, id)| (two != five && five > 1).then_some((id, two, five)))
        .unwrap()
}

#[tokio::test]
async fn events_are_found_where_they_were_put_when_there_were_fewer_partitions() {
    let (id, old, new) = moving();
    for (counts, with_memory) in [("", true), ("", false), ("2", false)] {
        let log = Log::create(2, &[]).await;
        let builder = log.reader().set("kafka.partition_counts", counts);
        let builder = if with_memory { builder } else { builder.without_memory() };
        let rig = builder.start().await;
        let time = now();
        let early: Vec<_> =
            (0..20).map(|n| Record::event(old, &id, &n.to_string()).at(time + n)).collect();
        log.write(&early).await;
        assert_eq!(
            rig.reader.event(Cursor::new(new, 0).unwrap()).await,
            Ok(Found::NoPartition { count: 2 })
        );
        kafka::add_partitions(&log.brokers, &log.topic, 5).await;
        let later: Vec<_> =
            (20..40).map(|n| Record::event(new, &id, &n.to_string()).at(time + n)).collect();
        let log = Log::at(&log.brokers, &log.topic);
        let cursors = log.write(&later).await;
        eventually("the new partition is read", async || {
            let found = rig.reader.event(cursors[19]).await;
            matches!(found, Ok(Found::Event(_))).then_some(())
        })
        .await;
        let expected: Vec<_> = (0..40).map(|n| n.to_string()).collect();
        eventually("all are found, oldest first", async || {
            let start = Start::After(Position::beginning());
            let page = rig.reader.replay(&source(&id), &start, 100).await.unwrap();
            (ids(&page.events) == expected).then_some(())
        })
        .await;
        let newest_first: Vec<_> = expected.iter().rev().map(String::as_str).collect();
        eventually("all are found, newest first", async || {
            let page = rig.reader.recent(&source(&id), None, 100).await.unwrap();
            (ids(&page.events) == newest_first).then_some(())
        })
        .await;
        if with_memory {
            rig.has_in_memory(cursors[19]).await;
        }
        rig.stop().await;
    }
}

#[tokio::test]
async fn a_replay_may_begin_at_a_time() {
    let log = Log::create(1, &[]).await;
    let time = now() - 10_000;
    let records: Vec<_> =
        (0..100).map(|n| Record::event(0, "a", &n.to_string()).at(time + n * 10)).collect();
    log.write(&records).await;
    let rig = log.reader().start().await;
    for (after, first) in [(0, 0), (time, 0), (time + 495, 50), (time + 500, 50), (time + 990, 99)]
    {
        let page = rig.reader.replay(&source("a"), &Start::Time(after), 1_000).await.unwrap();
        let expected: Vec<_> = (first..100).map(|n| n.to_string()).collect();
        assert_eq!(ids(&page.events), expected, "{}", after - time);
    }
    let page = rig.reader.replay(&source("a"), &Start::Time(time + 991), 10).await.unwrap();
    assert_eq!((page.events.len(), page.complete), (0, true));
    assert_eq!(page.next.unwrap().to_string(), "0-99");
    rig.stop().await;
}

/// However short the moment between the question for the time and the one for the end.
#[tokio::test]
async fn what_comes_while_a_time_is_looked_for_is_not_passed_over() {
    let log = Log::create(1, &[]).await;
    let rig = log.reader().start().await;
    let begin = now();
    for n in 0..600 {
        // Later than all before it.
        let time = begin + 10 * n;
        let write = log.write_one(Record::event(0, "a", &n.to_string()).at(time));
        let read = async {
            tokio::time::sleep(Duration::from_micros(fastrand::u64(0..4_000))).await;
            rig.reader.replay(&source("a"), &Start::Time(time), 5).await.unwrap()
        };
        let (cursor, page) = tokio::join!(write, read);
        let has_passed = page.next.unwrap().offset(0) >= Some(cursor.offset());
        assert_eq!(page.events.len(), usize::from(has_passed), "{n}");
    }
    rig.stop().await;
}

#[tokio::test]
async fn what_came_to_an_empty_partition_and_is_gone_is_told() {
    let id = (0..).map(|n| format!("s{n}")).find(|id| {
        // It may be in both.
        partitions_of(id.as_bytes(), 2, &[]).len() == 2
    });
    let id = id.unwrap();
    let log = Log::create(2, &[]).await;
    log.write_one(Record::event(0, &id, "first")).await;
    let rig = log.reader().start().await;
    let start = Start::After(Position::beginning());
    let page = rig.reader.replay(&source(&id), &start, 10).await.unwrap();
    assert_eq!((ids(&page.events), page.complete), (vec!["first"], true));
    let next = page.next.unwrap();
    assert_eq!(next.to_string(), "0-0,1-none");

    let records: Vec<_> = (0..5).map(|n| Record::event(1, &id, &n.to_string())).collect();
    log.write(&records).await;
    log.delete_before(1, 3).await;
    let told = rig.reader.replay(&source(&id), &Start::After(next), 10).await;
    let Err(ReadError::Removed { earliest }) = told else { panic!("{told:?}") };
    assert_eq!(earliest.to_string(), "0-0,1-2");
    let page = rig.reader.replay(&source(&id), &Start::After(earliest), 10).await.unwrap();
    assert_eq!(ids(&page.events), ["3", "4"]);
    // Who has seen nothing begins where the log does.
    let page = rig.reader.replay(&source(&id), &start, 10).await.unwrap();
    assert_eq!(ids(&page.events), ["first", "3", "4"]);
    rig.stop().await;
}
