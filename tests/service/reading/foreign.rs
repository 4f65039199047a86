//! Records of other programs, and the service without Kafka.

use rdkafka::ClientConfig;
use rdkafka::message::{Header, OwnedHeaders};
use rdkafka::producer::{FutureProducer, FutureRecord};

use crate::harness::kafka::create_topic;
use crate::harness::reading::store;
use crate::harness::{TestApp, required, unique};

const KEY: &str = "i";
const VALUE: &str = r#"{"id":"x","type":"t","source_type":"s","source_id":"i"}"#;

fn headers(names: &[&str]) -> OwnedHeaders {
    let value = |name: &str| match name {
        "source_type" => "s",
        "id" => "foreign",
        _ => "t",
    };
    let add = |headers: OwnedHeaders, name: &&str| {
        headers.insert(Header { key: name, value: Some(value(name)) })
    };
    names.iter().fold(OwnedHeaders::new(), add)
}

/// Writes records that are no events, or not ours.
async fn write_foreign(brokers: &str, topic: &str) -> usize {
    let producer: FutureProducer =
        ClientConfig::new().set("bootstrap.servers", brokers).create().unwrap();
    let all = headers(&["id", "type", "source_type"]);
    let records: [(Option<&str>, Option<&str>, OwnedHeaders); 6] = [
        (Some(KEY), Some(VALUE), OwnedHeaders::new()),
        (None, Some(VALUE), all.clone()),
        (Some(KEY), None, all.clone()),
        (Some(KEY), Some(VALUE), headers(&["id", "type"])),
        (Some(KEY), Some("no JSON"), all.clone()),
        (Some(KEY), Some("{\"a\":1} {"), all),
    ];
    let count = records.len();
    for (key, value, headers) in records {
        let mut record = FutureRecord::<str, str>::to(topic).partition(0).headers(headers);
        record.key = key;
        record.payload = value;
        producer.send(record, None).await.unwrap();
    }
    count
}

#[tokio::test]
async fn records_that_are_no_events_neither_break_a_scan_nor_leak() {
    let (brokers, topic) = (required("KAFKA_BROKERS"), unique("events"));
    create_topic(&brokers, &topic, 1, &[]).await;
    let app = TestApp::builder().topic(&topic).start().await;
    let mut streams = Vec::new();
    for more in ["", "&include=event"] {
        let query = format!("?source_type=s&source_id={KEY}{more}");
        streams.push(app.client.stream(&query).await);
        streams.push(app.client.stream(&format!("?after=beginning{more}")).await);
    }
    let first = store(&app.client, KEY, 3).await;
    let foreign = write_foreign(&brokers, &topic).await;
    let last = store(&app.client, KEY, 3).await;
    let restarted = TestApp::builder().topic(&topic).start().await;

    let expected: Vec<_> = first.iter().chain(&last).cloned().collect();
    for more in ["?after=beginning", "?source_type=s&source_id=i&recent=9&include=event"] {
        streams.push(restarted.client.stream(more).await);
    }
    for stream in &mut streams {
        assert_eq!(stream.cursors(expected.len()).await, expected);
    }

    for app in [&app, &restarted] {
        let forward = app.client.replay("s", KEY, "beginning", "&limit=2").await;
        assert_eq!(forward.into_iter().map(|read| read.cursor).collect::<Vec<_>>(), expected);
        let mut back = app.client.read_back("s", KEY, "&limit=2").await;
        back.reverse();
        assert_eq!(back.into_iter().map(|read| read.cursor).collect::<Vec<_>>(), expected);
        let cursors: Vec<_> = (3..3 + foreign).map(|offset| format!("0-{offset}")).collect();
        for cursor in &cursors {
            let answer = app.client.get(&format!("/events/{cursor}")).await;
            assert_eq!((answer.status, answer.problem().as_str()), (404, "no-event"), "{cursor}");
        }
        let fetched = app.client.fetch(&cursors).await.json();
        let results = fetched["results"].as_array().unwrap();
        assert!(results.iter().all(|result| result["status"] == "not_found"), "{fetched}");
    }
}

#[tokio::test]
async fn dev_reads_back_what_was_posted() {
    let app = TestApp::builder().dev().start().await;
    let cursors = store(&app.client, "i", 30).await;

    let forward = app.client.replay("s", "i", "beginning", "&limit=7").await;
    let mut back = app.client.read_back("s", "i", "&limit=7").await;
    back.reverse();

    assert_eq!(forward.iter().map(|read| read.cursor.clone()).collect::<Vec<_>>(), cursors);
    assert_eq!(back, forward);
    let fetched = app.client.fetch(&cursors).await.json();
    let results = fetched["results"].as_array().unwrap();
    assert!(results.iter().all(|result| result["status"] == "found"), "{fetched}");
    assert_eq!(app.client.get("/events/0-99999").await.status, 404);
    assert_eq!(app.client.get("/events/999-0").await.problem(), "no-such-partition");
}
