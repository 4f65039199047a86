//! Kafka away, or not as it should be.

use std::collections::BTreeSet;
use std::time::Duration;

use crate::command::{Tail, assert_same};
use crate::harness::{Broker, free_port, kafka, required, unique};
use crate::log::{Log, Record};

fn nobody() -> Log {
    Log::unmade(&format!("127.0.0.1:{}", free_port()), "events")
}

#[tokio::test]
async fn without_a_broker_it_says_so_and_ends() {
    let tail = Tail::run(&nobody(), &[]).await;
    assert_eq!(tail.status.code(), Some(1));
    assert!(tail.errors.contains("kafka.brokers"), "{}", tail.errors);
}

#[tokio::test]
async fn with_follow_it_says_so_and_waits_for_the_broker_and_the_topic() {
    let mut broker = Broker::new();
    let log = Log::unmade(&broker.address(), "events");
    let alone = Tail::start(&log, &["--follow"]);
    let member = Tail::start(&log, &["--follow", "--group", "billing"]);
    alone.says("kafka.brokers").await;
    member.says("kafka.brokers").await;
    broker.start().await;
    alone.says("there is no topic `events`").await;
    kafka::create_topic(&broker.address(), "events", 2, &[]).await;
    let ids = log.events("a", 20).await;
    for tail in [alone, member] {
        tail.has(20).await;
        assert_same(&tail.stop().await.succeeds().ids(), &ids);
    }
}

#[tokio::test]
async fn a_topic_that_is_not_there_is_named() {
    let log = Log::unmade(&required("KAFKA_BROKERS"), &unique("missing"));
    let tail = Tail::run(&log, &["--group", "billing"]).await;
    assert_eq!(tail.status.code(), Some(1));
    let named = tail.errors.contains(&log.topic) && tail.errors.contains("kafka.topic");
    assert!(named, "{}", tail.errors);
    let waits = Tail::start(&log, &["--follow"]);
    waits.says("kafka.topic").await;
    waits.stop().await.succeeds();
}

#[tokio::test]
async fn a_broker_that_is_killed_costs_no_event() {
    let mut broker = Broker::new();
    broker.start().await;
    let log = Log::with(&broker.address(), 3, &[]).await;
    let alone = Tail::start(&log, &["--follow"]);
    let member = Tail::start(&log, &["--follow", "--group", "billing"]);
    let mut ids = log.events("before", 300).await;
    alone.has(300).await;
    member.has(300).await;
    broker.kill().await;
    alone.says("trying again").await;
    member.says("trying again").await;
    broker.start().await;
    ids.extend(log.events("after", 300).await);
    let all = ids.len();
    alone.has(all).await;
    member.has(all).await;
    let alone = alone.stop().await.succeeds();
    assert_same(&alone.ids(), &ids);
    let seen: BTreeSet<_> = member.stop().await.succeeds().ids().into_iter().collect();
    assert_same(&seen.into_iter().collect::<Vec<_>>(), &ids);
}

#[tokio::test]
async fn a_broker_that_is_killed_ends_a_run_that_was_to_end() {
    let mut broker = Broker::new();
    broker.start().await;
    let log = Log::with(&broker.address(), 1, &[]).await;
    // More than is fetched ahead.
    let large = format!(r#"{{"id":"a","x":"{}"}}"#, "x".repeat(20_000));
    log.write((0..3_000).map(|_| Record::event("owner/repo", "a").value(&large))).await;
    let mut tail = Tail::unread(&log, &[], &[]);
    // It is in the middle as long as nobody reads.
    let stdout = tail.stdout();
    tokio::time::sleep(Duration::from_secs(3)).await;
    broker.kill().await;
    let read = std::thread::spawn(move || std::io::read_to_string(stdout).expect("UTF-8"));
    let ended = tail.end().await;
    assert_eq!(ended.status.code(), Some(1), "{}", ended.errors);
    assert!(ended.errors.contains("kafka.brokers"), "{}", ended.errors);
    broker.start().await;
    let rest = Tail::run(&log, &["--from", &ended.position()]).await.succeeds();
    let read = read.join().unwrap();
    assert_eq!(read.lines().count() + rest.lines.len(), 3_000, "the position is exact");
}

#[tokio::test]
async fn a_wrong_password_is_named_and_the_right_one_is_used() {
    let mut broker = Broker::for_user("reader", "secret");
    broker.start().await;
    let back = Log::with(&broker.back_door(), 1, &[]).await;
    back.events("a", 10).await;
    let log = Log::unmade(&broker.address(), &back.topic);
    let with = |password| {
        [
            ("DUAL_STREAM__KAFKA__OPTIONS__SECURITY_PROTOCOL", "SASL_PLAINTEXT"),
            ("DUAL_STREAM__KAFKA__OPTIONS__SASL_MECHANISM", "PLAIN"),
            ("DUAL_STREAM__KAFKA__OPTIONS__SASL_USERNAME", "reader"),
            ("DUAL_STREAM__KAFKA__OPTIONS__SASL_PASSWORD", password),
        ]
    };
    let wrong = Tail::reading(Tail::unread(&log, &["--follow"], &with("guess"))).end().await;
    assert_eq!(wrong.status.code(), Some(1));
    assert!(wrong.errors.contains("kafka.options"), "{}", wrong.errors);
    let right = ["--group", "billing"];
    let right = Tail::reading(Tail::unread(&log, &right, &with("secret"))).end().await.succeeds();
    assert_eq!(right.lines.len(), 10);
}
