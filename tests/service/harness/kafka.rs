//! Reading a topic back, and making topics.

use std::collections::BTreeMap;
use std::time::Duration;

use dual_stream::cursor::Cursor;
use rdkafka::ClientConfig;
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::message::{BorrowedMessage, Headers, Message};
use rdkafka::{Offset, TopicPartitionList};

const TIMEOUT: Duration = Duration::from_secs(20);

/// A record as it lies in Kafka.
#[derive(Clone, Debug, PartialEq)]
pub struct Record {
    pub cursor: Cursor,
    pub key: String,
    pub value: Vec<u8>,
    pub headers: BTreeMap<String, String>,
    /// Milliseconds since 1970.
    pub time: i64,
}

impl Record {
    fn of(message: &BorrowedMessage<'_>) -> Self {
        let headers = message.headers().map(|headers| {
            let text = |bytes: Option<&[u8]>| {
                String::from_utf8(bytes.unwrap_or_default().to_vec()).expect("UTF-8")
            };
            headers.iter().map(|header| (header.key.to_owned(), text(header.value))).collect()
        });
        Record {
            cursor: Cursor::new(message.partition(), message.offset()).expect("a place"),
            key: String::from_utf8(message.key().unwrap_or_default().to_vec()).expect("UTF-8"),
            value: message.payload().unwrap_or_default().to_vec(),
            headers: headers.unwrap_or_default(),
            time: message.timestamp().to_millis().expect("a time"),
        }
    }
}

/// Every record of the topic, by partition and offset.
pub async fn read_all(brokers: &str, topic: &str) -> Vec<Record> {
    let (brokers, topic) = (brokers.to_owned(), topic.to_owned());
    tokio::task::spawn_blocking(move || read(&brokers, &topic)).await.expect("no panic")
}

fn read(brokers: &str, topic: &str) -> Vec<Record> {
    let consumer: BaseConsumer = client(brokers)
        .set("group.id", "tests")
        .set("enable.auto.commit", "false")
        .create()
        .expect("a consumer");
    let metadata = consumer.fetch_metadata(Some(topic), TIMEOUT).expect("metadata");
    let mut records = Vec::new();
    for partition in metadata.topics()[0].partitions() {
        read_partition(&consumer, topic, partition.id(), &mut records);
    }
    records
}

fn read_partition(consumer: &BaseConsumer, topic: &str, partition: i32, records: &mut Vec<Record>) {
    let (low, high) = consumer.fetch_watermarks(topic, partition, TIMEOUT).expect("watermarks");
    let mut assignment = TopicPartitionList::new();
    assignment.add_partition_offset(topic, partition, Offset::Offset(low)).expect("an offset");
    consumer.assign(&assignment).expect("an assignment");
    let mut next = low;
    while next < high {
        let message = consumer.poll(TIMEOUT).expect("a record in time").expect("no error");
        next = message.offset() + 1;
        records.push(Record::of(&message));
    }
}

/// Makes a topic with settings of its own.
pub async fn create_topic(brokers: &str, topic: &str, partitions: i32, config: &[(&str, &str)]) {
    let admin: AdminClient<DefaultClientContext> = client(brokers).create().expect("a client");
    let topic = NewTopic::new(topic, partitions, TopicReplication::Fixed(1));
    let topic = config.iter().fold(topic, |topic, (key, value)| topic.set(key, value));
    let results = admin.create_topics([&topic], &AdminOptions::new()).await.expect("an answer");
    results.into_iter().for_each(|result| {
        result.expect("a new topic");
    });
}

fn client(brokers: &str) -> ClientConfig {
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", brokers);
    config
}
