//! The broker killed and frozen, and brokers that ask who is there.

use std::time::{Duration, Instant};

use dual_stream::cursor::Cursor;
use dual_stream::position::Position;
use dual_stream::reader::{Found, ReadError, Start};
use futures_util::future::join_all;
use tokio::time::timeout;

use crate::harness::broker::Settings;
use crate::harness::proxy::{Mode, Proxy};
use crate::harness::{Broker, Cluster, eventually, kafka, unique};
use crate::rig::{Log, Record, ids, source};

fn events(from: usize, count: usize) -> Vec<Record> {
    (from..from + count).map(|n| Record::event(0, "a", &n.to_string())).collect()
}

#[tokio::test]
async fn the_tail_goes_on_over_a_restart_of_the_broker() {
    let mut broker = Broker::new();
    broker.start().await;
    let log = Log::create_at(&broker.address(), 1, &[]).await;
    let rig = log.reader().start().await;
    let mut cursors = log.write(&events(0, 100)).await;
    rig.has_in_memory(cursors[99]).await;
    rig.has_end_in_memory(&source("a")).await;
    for round in 1..3 {
        if round == 1 {
            broker.kill().await
        } else {
            broker.stop().await
        }
        // What is in memory is there without Kafka.
        assert_eq!(rig.event(cursors[50]).await.id(), "50");
        let page = rig.reader.recent(&source("a"), None, 10).await.unwrap();
        assert_eq!(page.events.len(), 10);
        broker.start().await;
        cursors.extend(log.write(&events(round * 100, 100)).await);
        rig.has_in_memory(cursors[round * 100 + 99]).await;
    }
    let hits = || rig.metric("reader_lookups_total", r#"read="event",memory="hit""#);
    let before = hits();
    for (n, cursor) in cursors.iter().enumerate() {
        assert_eq!(rig.event(*cursor).await.id(), n.to_string());
    }
    assert_eq!(hits() - before, 300.0, "all of them are in memory");
    rig.stop().await;
}

#[tokio::test]
async fn a_frozen_broker_is_told_of_in_time_and_reading_goes_on_after_it() {
    let mut broker = Broker::new();
    broker.start().await;
    let log = Log::create_at(&broker.address(), 1, &[]).await;
    let cursors = log.write(&events(0, 1_000)).await;
    let rig = log
        .reader()
        .without_memory()
        .set("reader.timeout", "700ms")
        .set("reader.scans", 1)
        .start()
        .await;
    broker.freeze();
    let started = Instant::now();
    assert_eq!(rig.reader.event(cursors[0]).await, Err(ReadError::Unavailable));
    let start = Start::After(Position::beginning());
    let page = rig.reader.replay(&source("a"), &start, 10).await;
    assert_eq!(page, Err(ReadError::Unavailable));
    let page = rig.reader.recent(&source("a"), None, 10).await;
    assert_eq!(page, Err(ReadError::Unavailable));
    assert!(started.elapsed() < Duration::from_secs(8), "{:?}", started.elapsed());
    // Once it is known to be away, nobody waits.
    eventually("the cluster is down", async || {
        let started = Instant::now();
        let answer = rig.reader.event(cursors[0]).await;
        (answer == Err(ReadError::Unavailable) && started.elapsed() < Duration::from_millis(5))
            .then_some(())
    })
    .await;
    broker.thaw();
    eventually("it is read again", async || {
        matches!(rig.reader.event(cursors[0]).await, Ok(Found::Event(_))).then_some(())
    })
    .await;
    let page = rig.reader.recent(&source("a"), None, 10).await.unwrap();
    assert_eq!(page.events.len(), 10);
    rig.stop().await;
}

#[tokio::test]
async fn reads_beyond_those_that_may_wait_are_refused() {
    let mut broker = Broker::new();
    broker.start().await;
    let log = Log::create_at(&broker.address(), 1, &[]).await;
    log.write(&events(0, 10)).await;
    let rig = log.reader().without_memory().set("reader.scans", 1).start().await;
    broker.freeze();
    let (source, start) = (source("a"), Start::After(Position::beginning()));
    let started = Instant::now();
    let answers = join_all((0..50).map(|_| rig.reader.replay(&source, &start, 10))).await;
    let busy = answers.iter().filter(|answer| **answer == Err(ReadError::Busy)).count();
    assert!(busy >= 17, "{busy}");
    assert!(started.elapsed() < Duration::from_secs(10), "{:?}", started.elapsed());
    assert!(rig.metric("reader_scans_total", "busy") > 0.0);
    broker.thaw();
    eventually("it is read again", async || {
        let page = rig.reader.replay(&source, &start, 10).await.ok()?;
        (page.events.len() == 10).then_some(())
    })
    .await;
    assert_eq!(rig.metric("reader_under_way", ""), 0.0);
    rig.stop().await;
}

#[tokio::test]
async fn consumers_say_who_they_are_as_the_producer_does() {
    let mut broker = Broker::for_user("reader", "s3cret");
    broker.start().await;
    let open = Log::create_at(&broker.back_door(), 1, &[]).await;
    let cursors = open.write(&events(0, 10)).await;
    let log = Log::at(&broker.address(), &open.topic);
    let rig = log
        .reader()
        .set("kafka.options.security_protocol", "sasl_plaintext")
        .set("kafka.options.sasl_mechanism", "PLAIN")
        .set("kafka.options.sasl_username", "reader")
        .set("kafka.options.sasl_password", "s3cret")
        // A property of producers, which consumers pass over.
        .set("kafka.options.compression_codec", "lz4")
        .start()
        .await;
    assert_eq!(rig.event(cursors[3]).await.id(), "3");
    let page = rig.reader.recent(&source("a"), None, 3).await.unwrap();
    assert_eq!(ids(&page.events), ["9", "8", "7"]);
    let start = Start::After(Cursor::new(0, 6).into_iter().collect());
    let page = rig.reader.replay(&source("a"), &start, 10).await.unwrap();
    assert_eq!(ids(&page.events), ["7", "8", "9"]);
    rig.stop().await;
}

/// Nothing comes through to the tail while what it is to read next is written, and removed.
#[tokio::test]
async fn retention_that_overtakes_the_tail_leaves_no_hole_that_nobody_knows_of() {
    let mut proxy = Proxy::bind().await;
    let mut broker = Broker::with(&Settings::for_user("reader", "s3cret").advertised(proxy.port()));
    broker.start().await;
    proxy.serve(broker.address());
    let direct = Log::create_at(&broker.back_door(), 1, &[]).await;
    let mut cursors = direct.write(&events(0, 10)).await;
    let rig = Log::at(&proxy.address(), &direct.topic)
        .reader()
        .set("kafka.options.security_protocol", "sasl_plaintext")
        .set("kafka.options.sasl_mechanism", "PLAIN")
        .set("kafka.options.sasl_username", "reader")
        .set("kafka.options.sasl_password", "s3cret")
        .start()
        .await;
    rig.has_in_memory(cursors[9]).await;

    proxy.set(Mode::Hold);
    cursors.extend(direct.write(&events(10, 10)).await);
    direct.delete_before(0, 15).await;
    proxy.set(Mode::Pass);

    for (n, cursor) in cursors.iter().enumerate().skip(15) {
        rig.has_in_memory(*cursor).await;
        assert_eq!(rig.event(*cursor).await.id(), n.to_string());
    }
    rig.has_end_in_memory(&source("a")).await;
    for cursor in &cursors[..15] {
        assert_eq!(rig.reader.event(*cursor).await, Ok(Found::Removed { earliest: 15 }));
    }
    let page = rig.reader.recent(&source("a"), None, 100).await.unwrap();
    assert_eq!((ids(&page.events), page.next), (vec!["19", "18", "17", "16", "15"], None));
    let behind = Start::After([cursors[9]].into_iter().collect());
    let told = rig.reader.replay(&source("a"), &behind, 100).await;
    let earliest = [cursors[14]].into_iter().collect();
    assert_eq!(told, Err(ReadError::Removed { earliest }));
    rig.stop().await;
}

#[tokio::test]
async fn without_kafka_nobody_waits() {
    let rig = Log::at("127.0.0.1:1", "nothing").reader().start_anyhow();
    let started = Instant::now();
    let cursor = Cursor::new(0, 0).unwrap();
    assert_eq!(rig.reader.event(cursor).await, Err(ReadError::Unavailable));
    assert_eq!(rig.reader.recent(&source("a"), None, 1).await, Err(ReadError::Unavailable));
    assert!(started.elapsed() < Duration::from_millis(500));
    rig.stop().await;
}

#[tokio::test]
async fn a_partition_without_a_leader_keeps_no_other_from_being_read() {
    let mut cluster = Cluster::start().await;
    // Each broker has one of the partitions, and nobody else has it.
    let brokers = cluster.addresses();
    let topic = unique("log");
    kafka::create_topic_on(&brokers, &topic, &[&[1], &[2], &[3]]).await;
    let log = Log::at(&brokers, &topic);
    let records: Vec<_> = (0..60).map(|n| Record::event(n % 3, "a", &n.to_string())).collect();
    let cursors = log.write(&records).await;
    let running = log.reader().set("reader.timeout", "1s").start().await;
    running.has_in_memory(cursors[58]).await;
    cluster.broker(3).kill().await;
    eventually("a partition has no leader", async || {
        (kafka::leader(&brokers, &topic, 2) < 0).then_some(())
    })
    .await;
    let cold = log.reader().set("reader.timeout", "1s").without_memory();
    let started = log.reader().set("reader.timeout", "1s");
    for rig in [running, started.start().await, cold.start().await] {
        let more = [Record::event(0, "a", "x"), Record::event(1, "a", "y")];
        let [first, second] = log.write(&more).await[..] else { panic!("two cursors") };
        for (cursor, id) in [(first, "x"), (second, "y"), (cursors[0], "0"), (cursors[58], "58")] {
            assert_eq!(rig.event(cursor).await.id(), id);
        }
        let time = Instant::now();
        let (led, lost) = tokio::join!(rig.reader.event(first), rig.reader.event(cursors[2]));
        assert!(matches!(led, Ok(Found::Event(_))));
        // The first one may have it in memory.
        assert!(matches!(lost, Ok(Found::Event(_)) | Err(ReadError::Unavailable)), "{lost:?}");
        assert!(time.elapsed() < Duration::from_secs(3), "{:?}", time.elapsed());
        // However many are asked for, they wait for it together.
        let far = (100..500).map(|n| Cursor::new(2, n * 1_000).unwrap());
        let asked: Vec<_> = [first, second].into_iter().chain(far).collect();
        let found = timeout(Duration::from_secs(6), rig.reader.events(&asked)).await.unwrap();
        assert!(found[..2].iter().all(|found| matches!(found, Ok(Found::Event(_)))));
        assert!(found[2..].iter().all(|found| *found == Err(ReadError::Unavailable)));
        rig.stop().await;
    }
}

#[tokio::test]
async fn a_reader_that_starts_beside_a_partition_without_a_leader_follows_the_others() {
    let mut cluster = Cluster::start().await;
    let brokers = cluster.addresses();
    let topic = unique("log");
    kafka::create_topic_on(&brokers, &topic, &[&[1], &[2], &[3]]).await;
    let log = Log::at(&brokers, &topic);
    cluster.broker(2).kill().await;
    eventually("a partition has no leader", async || {
        (kafka::leader(&brokers, &topic, 1) < 0).then_some(())
    })
    .await;
    let rig = log.reader().start().await;
    let cursors = log.write(&[Record::event(0, "a", "x"), Record::event(2, "a", "y")]).await;
    for cursor in cursors {
        rig.has_in_memory(cursor).await;
    }
    cluster.broker(2).start().await;
    let cursor = log.write_one(Record::event(1, "a", "z")).await;
    rig.has_in_memory(cursor).await;
    rig.stop().await;
}
