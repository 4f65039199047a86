//! What is in memory: the newest events, after a restart, too.

use dual_stream::cursor::Cursor;
use dual_stream::position::Position;
use dual_stream::reader::{Found, Start};

use crate::harness::{eventually, kafka};
use crate::rig::{Log, Record, ids, source};

/// Events of seven sources, one after the other, in partition 0.
fn mixed(count: usize) -> Vec<Record> {
    (0..count).map(|n| Record::event(0, &format!("s{}", n % 7), &n.to_string())).collect()
}

#[tokio::test]
async fn recent_events_are_answered_from_memory_after_a_restart_too() {
    let log = Log::create(1, &[]).await;
    let cursors = log.write(&mixed(2_000)).await;
    let rig = log.reader().start().await;
    rig.has_in_memory(cursors[1_999]).await;
    eventually("the memory is warm", async || {
        let page = rig.reader.recent(&source("s3"), None, 100).await.unwrap();
        (page.events.len() == 100
            && rig.metric("reader_lookups_total", r#"read="recent",memory="hit""#) > 0.0)
            .then_some(())
    })
    .await;
    let before = rig.scanned();
    let page = rig.reader.recent(&source("s3"), None, 100).await.unwrap();
    let expected: Vec<_> = (0..2_000).rev().filter(|n| n % 7 == 3).take(100).collect();
    let found: Vec<_> = ids(&page.events).iter().map(|id| id.parse::<i32>().unwrap()).collect();
    assert_eq!(found, expected);
    assert!(page.complete);
    assert_eq!(rig.scanned(), before, "nothing was read from Kafka");

    // The same from Kafka.
    let cold = log.reader().without_memory().start().await;
    let from_kafka = cold.reader.recent(&source("s3"), None, 100).await.unwrap();
    assert_eq!(ids(&from_kafka.events), ids(&page.events));
    assert!(cold.scanned() > 0.0);
    rig.stop().await;
    cold.stop().await;
}

#[tokio::test]
async fn memory_and_kafka_meet_without_a_gap_or_a_repetition() {
    let log = Log::create(1, &[]).await;
    log.write(&mixed(1_500)).await;
    // Room for some hundred of them.
    let rig = log.reader().set("reader.memory", "100KiB").start().await;
    rig.has_in_memory(Cursor::new(0, 1_499).unwrap()).await;
    for limit in [1, 7, 50, 1_000] {
        let (mut seen, mut before) = (Vec::new(), None::<Position>);
        loop {
            let page = rig.reader.recent(&source("s0"), before.as_ref(), limit).await.unwrap();
            seen.extend(ids(&page.events).iter().map(|id| id.parse::<i32>().unwrap()));
            let Some(next) = page.next else { break };
            before = Some(next);
        }
        let expected: Vec<_> = (0..1_500).rev().filter(|n| n % 7 == 0).collect();
        assert_eq!(seen, expected, "limit {limit}");
    }
    assert!(rig.metric("reader_memory_bytes", "") <= 100.0 * 1024.0);
    rig.stop().await;
}

#[tokio::test]
async fn a_replay_near_the_end_comes_from_memory_and_goes_as_far_as_the_log() {
    let log = Log::create(1, &[]).await;
    let mut cursors = log.write(&mixed(700)).await;
    let rig = log.reader().start().await;
    rig.has_in_memory(cursors[0]).await;
    rig.has_end_in_memory(&source("s0")).await;
    let mut position: Position = [cursors[349]].into_iter().collect();
    for (limit, expected) in [(1_000, 350..700), (20, 350..490)] {
        let (before, start) = (rig.scanned(), Start::After(position.clone()));
        let page = rig.reader.replay(&source("s0"), &start, limit).await.unwrap();
        let expected: Vec<_> = expected.filter(|n| n % 7 == 0).map(|n| n.to_string()).collect();
        assert_eq!(ids(&page.events), expected);
        assert!(page.complete);
        assert_eq!(rig.scanned(), before, "nothing was read from Kafka");
    }
    for n in 700..800 {
        // The tail may have it or not.
        position = [*cursors.last().unwrap()].into_iter().collect();
        cursors.push(log.write_one(Record::event(0, "s0", &n.to_string())).await);
        let page = rig.reader.replay(&source("s0"), &Start::After(position), 5).await.unwrap();
        assert_eq!((ids(&page.events), page.complete), (vec![n.to_string().as_str()], true));
        assert_eq!(page.next.unwrap().to_string(), cursors[n].to_string());
    }
    rig.stop().await;
}

#[tokio::test]
async fn what_was_acknowledged_here_is_among_the_recent_events_at_once() {
    let log = Log::create(3, &[]).await;
    let rig = log.reader().start().await;
    let place = dual_stream::kafka::partitions_of(b"a", 3, &[3])[0];
    for n in 0..100 {
        let cursor = log.write_one(Record::event(place, "a", &n.to_string())).await;
        rig.heads.saw(cursor);
        let page = rig.reader.recent(&source("a"), None, 1).await.unwrap();
        assert_eq!(ids(&page.events), [n.to_string()]);
    }
    rig.stop().await;
}

#[tokio::test]
async fn records_that_are_no_events_are_known_not_to_be() {
    let log = Log::create(1, &[]).await;
    let foreign = Record { headers: Vec::new(), ..Record::event(0, "a", "x") };
    let cursors =
        log.write(&[Record::event(0, "a", "0"), foreign, Record::event(0, "a", "2")]).await;
    let rig = log.reader().start().await;
    rig.has_in_memory(cursors[2]).await;
    let hits = || rig.metric("reader_lookups_total", r#"read="event",memory="hit""#);
    let before = hits();
    assert_eq!(rig.reader.event(cursors[1]).await, Ok(Found::NoEvent));
    assert_eq!(hits(), before + 1.0);
    rig.stop().await;
}

#[tokio::test]
async fn what_retention_removes_is_soon_removed_for_the_memory_too() {
    let log = Log::create(1, &[]).await;
    let cursors = log.write(&mixed(50)).await;
    let rig = log.reader().start().await;
    rig.has_in_memory(cursors[0]).await;
    log.delete_before(0, 20).await;
    eventually("it is removed", async || {
        (rig.reader.event(cursors[19]).await == Ok(Found::Removed { earliest: 20 })).then_some(())
    })
    .await;
    assert_eq!(rig.event(cursors[20]).await.id(), "20");
    let page = rig.reader.recent(&source("s0"), None, 100).await.unwrap();
    assert_eq!(ids(&page.events), ["49", "42", "35", "28", "21"]);
    assert_eq!(page.next, None);
    rig.stop().await;
}

#[tokio::test]
async fn a_topic_that_was_made_anew_is_followed_again() {
    let log = Log::create(1, &[]).await;
    let cursors = log.write(&mixed(30)).await;
    let rig = log.reader().start().await;
    rig.has_in_memory(cursors[29]).await;
    kafka::delete_topic(&log.brokers, &log.topic).await;
    let again = eventually("the topic is there again", async || {
        let log = log.clone();
        let make = tokio::spawn(async move {
            kafka::create_topic(&log.brokers, &log.topic, 1, &[]).await;
        });
        make.await.ok()
    });
    again.await;
    let new = Log::at(&log.brokers, &log.topic);
    let cursor = new.write_one(Record::event(0, "new", "new")).await;
    assert_eq!(cursor.offset(), 0);
    eventually("the new event is there", async || {
        let page = rig.reader.recent(&source("new"), None, 5).await.ok()?;
        (ids(&page.events) == ["new"]).then_some(())
    })
    .await;
    eventually("the new event is at the cursor of an old one", async || {
        let Ok(Found::Event(event)) = rig.reader.event(cursor).await else { return None };
        (event.id() == "new").then_some(())
    })
    .await;
    rig.stop().await;
}
