//! Going on where a stream was, in the log and beyond it.

use std::collections::{BTreeMap, BTreeSet};

use nix::sys::signal::Signal;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};

use crate::harness::kafka::{
    add_partitions, create_topic, delete_all_records, delete_records, try_write, write,
};
use crate::harness::reading::store;
use crate::harness::{TestApp, eventually, required, unique};

const SOURCE: &str = "?source_type=s&source_id=i";

#[tokio::test]
async fn whoever_comes_again_has_everything_once() {
    let app = TestApp::start().await;
    let all = store(&app.client, "i", 400).await;
    let mut came = Vec::new();
    let mut id = "beginning".to_owned();
    while came.len() < all.len() {
        let mut stream = app.client.resume(SOURCE, &id).await;
        came.extend(stream.cursors(50).await);
        stream.confirmed(came.last().unwrap()).await;
        id = stream.last_id.clone();
    }
    assert_eq!(came, all);
    // What browsers cannot set at first goes into the query.
    let mut stream = app.client.stream(&format!("{SOURCE}&last_event_id={id}")).await;
    let more = store(&app.client, "i", 5).await;
    assert_eq!(stream.cursors(5).await, more);
}

#[tokio::test]
async fn any_instance_goes_on_where_another_was() {
    let one = TestApp::start().await;
    let other = TestApp::builder().topic(&one.topic).start().await;
    let mut id = "beginning".to_owned();
    let mut came = Vec::new();
    let mut all = Vec::new();
    for turn in 0..10 {
        all.extend(store(&one.client, "i", 20).await);
        let app = if turn % 2 == 0 { &one } else { &other };
        let mut stream = app.client.resume(SOURCE, &id).await;
        came.extend(stream.cursors(20).await);
        stream.confirmed(came.last().unwrap()).await;
        id = stream.last_id.clone();
    }
    assert_eq!(came, all);
}

#[tokio::test]
async fn all_partitions_are_resumed_at_once() {
    let app = TestApp::start().await;
    let mut all = BTreeSet::new();
    for source in 0..30 {
        all.extend(store(&app.client, &source.to_string(), 20).await);
    }
    let (mut came, mut id) = (BTreeSet::new(), "beginning".to_owned());
    while came.len() < all.len() {
        let mut stream = app.client.resume("", &id).await;
        for cursor in stream.cursors(100).await {
            assert!(came.insert(cursor.clone()), "{cursor} came twice");
        }
        id = stream.last_id.clone();
    }
    assert_eq!(came, all);
}

/// As after a pause of the whole machine: the tail finds out of one partition after the other that it
/// was overtaken.
#[tokio::test]
async fn a_tail_that_retention_has_overtaken_everywhere_is_told_once() {
    const PARTITIONS: i32 = 8;
    let (brokers, topic) = (required("KAFKA_BROKERS"), unique("overtaken"));
    create_topic(&brokers, &topic, PARTITIONS, &[]).await;
    let write_to_all = async || {
        for partition in 0..PARTITIONS {
            write(&brokers, &topic, partition, "i", &["{}"; 10]).await;
        }
    };
    write_to_all().await;
    let app = TestApp::builder().topic(&topic).start().await;
    let mut stream = app.client.resume(SOURCE, "beginning").await;
    stream.cursors(80).await;

    app.signal(Signal::SIGSTOP);
    write_to_all().await;
    let below = (0..PARTITIONS).map(|partition| (partition, 18)).collect();
    delete_all_records(&brokers, &topic, &below).await;
    app.signal(Signal::SIGCONT);

    // A fetch may have been under way, and bring some that are gone by now.
    let left = (0..PARTITIONS).flat_map(|partition| [18, 19].map(|o| format!("{partition}-{o}")));
    let (mut left, mut resets): (BTreeSet<_>, _) = (left.collect(), 0);
    while !left.is_empty() {
        let message = stream.next().await;
        resets += usize::from(message.name == "reset");
        left.remove(message.data["cursor"].as_str().unwrap_or_default());
    }
    assert_eq!(resets, 1);
    assert_eq!(app.metric("dual_stream_live_resets_total", &[]).await, 1.0);
}

/// With so little memory that all of it has to come from Kafka.
#[tokio::test]
async fn what_memory_has_forgotten_comes_from_the_log() {
    let app = TestApp::builder().set("reader.memory", "16KiB").start().await;
    let all = store(&app.client, "i", 3000).await;
    // Whoever has the last one knows that the tail has come there: the log is read up to the tail.
    let mut last = app.client.resume(SOURCE, &all[2998]).await;
    assert_eq!(last.cursors(1).await, all[2999..]);
    let mut stream = app.client.resume(SOURCE, &all[9]).await;
    assert_eq!(stream.cursors(2990).await, all[10..]);
    let more = store(&app.client, "i", 5).await;
    assert_eq!(stream.cursors(5).await, more);
    assert!(app.metric("dual_stream_live_delivered_total", &["log"]).await >= 2990.0);
}

#[tokio::test]
async fn what_retention_has_removed_is_told_once() {
    let (brokers, topic) = (required("KAFKA_BROKERS"), unique("removed"));
    create_topic(&brokers, &topic, 1, &[]).await;
    let app = TestApp::builder().topic(&topic).start().await;
    let all = store(&app.client, "i", 20).await;
    delete_records(&brokers, &topic, 0, 10).await;

    let mut stream = app.client.resume(SOURCE, "0-4").await;
    let reset = stream.next().await;
    assert_eq!(reset.name, "reset");
    assert_eq!(reset.data, serde_json::json!({"reason": "removed", "position": "0-9"}));
    assert_eq!(reset.last_id, "0-9");
    assert_eq!(stream.cursors(10).await, all[10..]);
    // Told, it is not told again; and who begins at the beginning has lost nothing.
    for id in ["0-9", "beginning"] {
        let mut stream = app.client.resume(SOURCE, id).await;
        assert_eq!(stream.cursors(10).await, all[10..], "{id}");
    }
    assert_eq!(app.metric("dual_stream_live_resets_total", &[]).await, 1.0);
}

#[tokio::test]
async fn what_retention_has_removed_of_many_partitions_is_told_once() {
    let (brokers, topic) = (required("KAFKA_BROKERS"), unique("removed"));
    create_topic(&brokers, &topic, 4, &[]).await;
    let app = TestApp::builder().topic(&topic).set("reader.memory", "0B").start().await;
    let mut all = BTreeSet::new();
    for source in 0..20 {
        all.extend(store(&app.client, &source.to_string(), 5).await);
    }
    let below = BTreeMap::from([(0, 4), (1, 4), (2, 4), (3, 4)]);
    delete_all_records(&brokers, &topic, &below).await;

    let mut stream = app.client.resume("", "0-0,1-1,2-0,3-0").await;
    let reset = stream.next().await;
    assert_eq!(reset.name, "reset");
    assert_eq!(reset.data["position"], "0-3,1-3,2-3,3-3");
    all.retain(|cursor| cursor.split_once('-').unwrap().1.parse::<i64>().unwrap() > 3);
    let came: BTreeSet<_> = stream.cursors(all.len()).await.into_iter().collect();
    assert_eq!(came, all);
    assert_eq!(app.metric("dual_stream_live_resets_total", &[]).await, 1.0);
}

#[tokio::test]
async fn a_position_behind_the_end_of_the_log_is_told() {
    let app = TestApp::builder().set("live.heartbeat", "200ms").start().await;
    let all = store(&app.client, "i", 3).await;
    let partition = all[0].split('-').next().unwrap();
    let mut stream = app.client.resume(SOURCE, &format!("{partition}-1000")).await;
    let reset = stream.next().await;
    assert_eq!((reset.name.as_str(), &reset.data["reason"]), ("reset", &"shortened".into()));
    assert_eq!(stream.cursors(3).await, all);
}

#[tokio::test]
async fn partitions_that_are_added_are_followed_from_their_beginning() {
    let app = TestApp::start().await;
    let mut stream = app.client.stream("").await;
    let mut all: BTreeSet<_> = store(&app.client, "first", 3).await.into_iter().collect();
    add_partitions(&app.brokers, &app.topic, 12).await;
    let mut sources = 0;
    while !all.iter().any(|cursor| cursor.split('-').next().unwrap().parse::<i32>().unwrap() > 5) {
        sources += 1;
        all.extend(store(&app.client, &format!("source {sources}"), 1).await);
    }
    let came: BTreeSet<_> = stream.cursors(all.len()).await.into_iter().collect();
    assert_eq!(came, all);
}

#[tokio::test]
async fn streams_need_no_memory_of_recent_events() {
    let app = TestApp::builder().set("reader.memory", "0B").start().await;
    let old = store(&app.client, "i", 20).await;
    let mut stream = app.client.resume(SOURCE, &old[4]).await;
    let new = store(&app.client, "i", 20).await;
    assert_eq!(stream.cursors(35).await, [&old[5..], &new].concat());
}

/// Another instance has heard of a partition first, and told two events of it.
#[tokio::test]
async fn what_was_had_of_a_partition_that_is_not_known_yet_does_not_come_again() {
    let app = TestApp::start().await;
    let mut stream = app.client.resume(SOURCE, "0-none,6-1").await;
    let posted = store(&app.client, "i", 1).await;
    assert_eq!(stream.cursors(1).await, posted);
    assert!(stream.last_id.ends_with(",6-1"), "{}", stream.last_id);

    add_partitions(&app.brokers, &app.topic, 7).await;
    write_once_there(&app, 6, &["{}"; 3]).await;

    assert_eq!(stream.cursors(1).await, ["6-2"]);
    let mut again = app.client.resume(SOURCE, &stream.last_id).await;
    write(&app.brokers, &app.topic, 6, "i", &["{}"]).await;
    assert_eq!(again.cursors(1).await, ["6-3"]);
}

/// Writes to a partition of which the broker itself may not have heard.
async fn write_once_there(app: &TestApp, partition: i32, events: &[&str]) {
    eventually("there is such a partition", async || {
        match try_write(&app.brokers, &app.topic, partition, "i", events).await {
            Err(KafkaError::MessageProduction(RDKafkaErrorCode::UnknownPartition)) => None,
            Err(error) => panic!("{error}"),
            Ok(()) => Some(()),
        }
    })
    .await;
}

/// As another instance writes it that has heard of more partitions: where a source lies by the
/// number that is known here says nothing of where it lies by another one.
#[tokio::test]
async fn what_was_missed_comes_from_whatever_partition_it_lies_in() {
    const PARTITIONS: i32 = 6;
    let (brokers, topic) = (required("KAFKA_BROKERS"), unique("anywhere"));
    create_topic(&brokers, &topic, PARTITIONS, &[]).await;
    for partition in 0..PARTITIONS {
        write(&brokers, &topic, partition, "i", &["{}"]).await;
    }
    for memory in ["0B", "1MiB"] {
        let app = TestApp::builder().topic(&topic).set("reader.memory", memory).start().await;
        let mut stream = app.client.resume(SOURCE, "beginning").await;
        let came: BTreeSet<_> = stream.cursors(6).await.into_iter().collect();
        assert_eq!(came, (0..PARTITIONS).map(|partition| format!("{partition}-0")).collect());
    }
}
