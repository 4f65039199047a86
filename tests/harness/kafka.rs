//! Reading a topic back, and what an operator and other producers do to topics.

use std::collections::BTreeMap;
use std::time::Duration;

use dual_stream::cursor::Cursor;
use futures_util::future::join_all;
use rdkafka::ClientConfig;
use rdkafka::admin::{
    AdminClient, AdminOptions, AlterConfig, NewPartitions, NewTopic, ResourceSpecifier,
    TopicReplication,
};
use rdkafka::client::DefaultClientContext;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::KafkaError;
use rdkafka::message::{BorrowedMessage, Header, Headers, Message, OwnedHeaders};
use rdkafka::producer::{FutureProducer, FutureRecord};
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
    let read = move || {
        let mut records = Vec::new();
        scan(&brokers, &topic, |message| records.push(Record::of(message)));
        records.sort_by_key(|record: &Record| record.cursor);
        records
    };
    tokio::task::spawn_blocking(read).await.expect("no panic")
}

/// Shows every record of the topic, those of a partition by offset. Blocks.
pub fn scan(brokers: &str, topic: &str, see: impl FnMut(&BorrowedMessage<'_>)) {
    scan_on(brokers, topic, &mut BTreeMap::new(), see);
}

/// The same from these offsets on, which it moves. Of a partition that is not named, everything.
pub fn scan_on(
    brokers: &str,
    topic: &str,
    nexts: &mut BTreeMap<i32, i64>,
    mut see: impl FnMut(&BorrowedMessage<'_>),
) {
    let consumer: BaseConsumer = client(brokers)
        .set("group.id", "tests")
        .set("enable.auto.commit", "false")
        .create()
        .expect("a consumer");
    let metadata = consumer.fetch_metadata(Some(topic), TIMEOUT).expect("metadata");
    let (mut ends, mut assignment) = (BTreeMap::new(), TopicPartitionList::new());
    for partition in metadata.topics()[0].partitions().iter().map(|partition| partition.id()) {
        let (low, high) = consumer.fetch_watermarks(topic, partition, TIMEOUT).expect("watermarks");
        let next = nexts.entry(partition).or_insert(0);
        *next = low.max(*next);
        if *next < high {
            let from = Offset::Offset(*next);
            assignment.add_partition_offset(topic, partition, from).expect("an offset");
            ends.insert(partition, high);
        }
    }
    consumer.assign(&assignment).expect("an assignment");
    while !ends.is_empty() {
        let message = consumer.poll(TIMEOUT).expect("a record in time").expect("no error");
        let (partition, next) = (message.partition(), message.offset() + 1);
        // What was written meanwhile is for the next time.
        if let Some(end) = ends.get(&partition).copied() {
            nexts.insert(partition, next);
            see(&message);
            if next >= end {
                ends.remove(&partition);
            }
        }
    }
}

/// Who leads a partition.
pub fn leader(brokers: &str, topic: &str, partition: i32) -> i32 {
    let consumer: BaseConsumer = client(brokers).create().expect("a consumer");
    let metadata = consumer.fetch_metadata(Some(topic), TIMEOUT).expect("metadata");
    metadata.topics()[0].partitions()[partition as usize].leader()
}

/// How many partitions have all of their replicas in sync, as far as can be told now.
pub fn whole_partitions(brokers: &str, topic: &str) -> usize {
    let consumer: BaseConsumer = client(brokers).create().expect("a consumer");
    let Ok(metadata) = consumer.fetch_metadata(Some(topic), TIMEOUT) else { return 0 };
    let partitions = metadata.topics()[0].partitions();
    partitions.iter().filter(|p| p.leader() >= 0 && p.isr().len() == p.replicas().len()).count()
}

/// Makes a topic with settings of its own.
pub async fn create_topic(brokers: &str, topic: &str, partitions: i32, config: &[(&str, &str)]) {
    let topic = NewTopic::new(topic, partitions, TopicReplication::Fixed(-1));
    let topic = config.iter().fold(topic, |topic, (key, value)| topic.set(key, value));
    let results = admin(brokers).create_topics([&topic], &AdminOptions::new()).await;
    results.expect("an answer").into_iter().for_each(|result| {
        result.expect("a new topic");
    });
}

/// Makes a topic, unless one of that name is there, or is not quite gone.
pub async fn try_create_topic(brokers: &str, topic: &str, partitions: i32) -> bool {
    let topic = NewTopic::new(topic, partitions, TopicReplication::Fixed(-1));
    let results = admin(brokers).create_topics([&topic], &AdminOptions::new()).await;
    results.expect("an answer").iter().all(Result::is_ok)
}

/// Makes a topic whose partitions lie on these brokers.
pub async fn create_topic_on(brokers: &str, topic: &str, partitions: &[&[i32]]) {
    let count = i32::try_from(partitions.len()).expect("some");
    let topic = NewTopic::new(topic, count, TopicReplication::Variable(partitions))
        .set("min.insync.replicas", "1");
    let results = admin(brokers).create_topics([&topic], &AdminOptions::new()).await;
    results.expect("an answer").into_iter().for_each(|result| {
        result.expect("a new topic");
    });
}

pub async fn delete_topic(brokers: &str, topic: &str) {
    let results = admin(brokers).delete_topics(&[topic], &AdminOptions::new()).await;
    results.expect("an answer").into_iter().for_each(|result| {
        result.expect("a topic that was there");
    });
}

/// Stores events of a source of the type `s` in a partition, as another producer would: wherever the
/// source lies by its name.
pub async fn write(brokers: &str, topic: &str, partition: i32, source_id: &str, events: &[&str]) {
    try_write(brokers, topic, partition, source_id, events).await.expect("they are stored");
}

/// The same; an error: not all of them are stored.
pub async fn try_write(
    brokers: &str,
    topic: &str,
    partition: i32,
    source_id: &str,
    events: &[&str],
) -> Result<(), KafkaError> {
    let producer: FutureProducer = client(brokers).create().expect("a producer");
    let names = [("id", "x"), ("type", "t"), ("source_type", "s")];
    let headers = names.into_iter().fold(OwnedHeaders::new(), |headers, (key, value)| {
        headers.insert(Header { key, value: Some(value) })
    });
    let sent = events.iter().map(|event| {
        let record = FutureRecord::to(topic).partition(partition).key(source_id).payload(*event);
        producer.send(record.headers(headers.clone()), TIMEOUT)
    });
    let mut stored = join_all(sent).await.into_iter();
    stored.try_for_each(|stored| stored.map(drop).map_err(|(error, _)| error))
}

/// Removes what a partition has below this offset, as retention would.
pub async fn delete_records(brokers: &str, topic: &str, partition: i32, below: i64) {
    delete_all_records(brokers, topic, &BTreeMap::from([(partition, below)])).await;
}

/// The same of several partitions at once.
pub async fn delete_all_records(brokers: &str, topic: &str, below: &BTreeMap<i32, i64>) {
    let mut offsets = TopicPartitionList::new();
    for (&partition, &below) in below {
        offsets.add_partition_offset(topic, partition, Offset::Offset(below)).expect("an offset");
    }
    let deleted = admin(brokers).delete_records(&offsets, &AdminOptions::new()).await;
    for partition in deleted.expect("an answer").elements() {
        partition.error().expect("records that were there");
    }
}

/// Gives the topic so many partitions in all.
pub async fn add_partitions(brokers: &str, topic: &str, partitions: usize) {
    let more = NewPartitions::new(topic, partitions);
    let results = admin(brokers).create_partitions([&more], &AdminOptions::new()).await;
    results.expect("an answer").into_iter().for_each(|result| {
        result.expect("more partitions");
    });
}

/// Changes a setting of the topic.
pub async fn configure_topic(brokers: &str, topic: &str, key: &str, value: &str) {
    let change = AlterConfig::new(ResourceSpecifier::Topic(topic)).set(key, value);
    let results = admin(brokers).alter_configs([&change], &AdminOptions::new()).await;
    results.expect("an answer").into_iter().for_each(|result| {
        result.expect("a changed topic");
    });
}

fn admin(brokers: &str) -> AdminClient<DefaultClientContext> {
    client(brokers).create().expect("a client")
}

fn client(brokers: &str) -> ClientConfig {
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", brokers);
    config
}
