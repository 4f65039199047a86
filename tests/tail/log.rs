//! Topics of the test's own, and what is written to them.

use std::time::Duration;

use dual_stream::cursor::Cursor;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::message::{Header, OwnedHeaders};
use rdkafka::producer::{BaseProducer, BaseRecord, FutureProducer, FutureRecord, Producer};
use rdkafka::{ClientConfig, Offset, TopicPartitionList};

use crate::harness::{kafka, required, unique};

/// A topic, and a producer that writes as the service does, and otherwise.
pub struct Log {
    pub brokers: String,
    pub topic: String,
    producer: FutureProducer,
}

/// A record; `Record::event` is one of the service's.
pub struct Record {
    pub key: Option<String>,
    pub value: Option<Vec<u8>>,
    pub headers: Vec<(&'static str, String)>,
    pub partition: Option<i32>,
    /// Milliseconds since 1970; now when none.
    pub time: Option<i64>,
}

impl Record {
    pub fn event(source_id: &str, id: &str) -> Self {
        let value = format!(
            r#"{{"id":"{id}","type":"push","source_type":"repo","source_id":"{source_id}"}}"#
        );
        Record {
            key: Some(source_id.to_owned()),
            value: Some(value.into_bytes()),
            headers: vec![
                ("id", id.to_owned()),
                ("type", "push".to_owned()),
                ("source_type", "repo".to_owned()),
                ("content-type", "application/json".to_owned()),
            ],
            partition: None,
            time: None,
        }
    }

    pub fn value(self, value: &str) -> Self {
        Record { value: Some(value.as_bytes().to_vec()), ..self }
    }

    pub fn partition(self, partition: i32) -> Self {
        Record { partition: Some(partition), ..self }
    }

    pub fn time(self, time: i64) -> Self {
        Record { time: Some(time), ..self }
    }
}

impl Log {
    /// A topic on the broker of the test run.
    pub async fn new(partitions: i32) -> Self {
        Self::with(&required("KAFKA_BROKERS"), partitions, &[]).await
    }

    pub async fn with(brokers: &str, partitions: i32, config: &[(&str, &str)]) -> Self {
        let topic = unique("tail");
        kafka::create_topic(brokers, &topic, partitions, config).await;
        Log { brokers: brokers.to_owned(), topic, producer: producer(brokers) }
    }

    /// A topic that is not there, or on a broker that is not.
    pub fn unmade(brokers: &str, topic: &str) -> Self {
        let producer = producer(brokers);
        Log { brokers: brokers.to_owned(), topic: topic.to_owned(), producer }
    }

    /// Writes records in their order, and says where they are.
    pub async fn write(&self, records: impl IntoIterator<Item = Record>) -> Vec<Cursor> {
        let sent: Vec<_> = records.into_iter().map(|record| self.send(&record)).collect();
        let mut cursors = Vec::new();
        for delivery in sent {
            let delivery = delivery.await.expect("a report").expect("written");
            cursors.push(Cursor::new(delivery.partition, delivery.offset).expect("a place"));
        }
        cursors
    }

    fn send(&self, record: &Record) -> rdkafka::producer::DeliveryFuture {
        let mut sent: FutureRecord<'_, String, Vec<u8>> =
            FutureRecord::to(&self.topic).headers(headers(record));
        (sent.key, sent.payload) = (record.key.as_ref(), record.value.as_ref());
        (sent.partition, sent.timestamp) = (record.partition, record.time);
        self.producer.send_result(sent).map_err(|(error, _)| error).expect("room in the queue")
    }

    /// Events `{prefix}-0`, `{prefix}-1`, … of some sources. Gives their ids.
    pub async fn events(&self, prefix: &str, count: usize) -> Vec<String> {
        let ids: Vec<_> = (0..count).map(|number| format!("{prefix}-{number}")).collect();
        let record =
            |(number, id): (usize, &String)| Record::event(&format!("owner/{}", number % 20), id);
        self.write(ids.iter().enumerate().map(record)).await;
        ids
    }
}

/// Waits a little, between two looks at something that must not change.
pub async fn a_moment() {
    tokio::time::sleep(Duration::from_millis(1500)).await;
}

impl Log {
    /// The same topic through a producer that is new to it, and knows all of its partitions.
    pub fn of(other: &Log) -> Self {
        Log {
            brokers: other.brokers.clone(),
            topic: other.topic.clone(),
            producer: producer(&other.brokers),
        }
    }

    /// Writes one event in a transaction.
    pub fn transaction(&self, id: &str, commits: bool) {
        let limit = Duration::from_secs(30);
        let producer: BaseProducer = ClientConfig::new()
            .set("bootstrap.servers", &self.brokers)
            .set("transactional.id", unique("transaction"))
            .create()
            .expect("a producer");
        producer.init_transactions(limit).expect("a coordinator");
        producer.begin_transaction().expect("a transaction");
        let record = Record::event("owner/repo", id);
        let sent: BaseRecord<'_, String, Vec<u8>> = BaseRecord::to(&self.topic)
            .key(record.key.as_ref().expect("a key"))
            .payload(record.value.as_ref().expect("a value"))
            .headers(headers(&record));
        producer.send(sent).map_err(|(error, _)| error).expect("room in the queue");
        producer.flush(limit).expect("written");
        let end = if commits {
            producer.commit_transaction(limit)
        } else {
            producer.abort_transaction(limit)
        };
        end.expect("the end of the transaction");
    }

    /// What a group has committed of a partition.
    pub fn committed(&self, group: &str, partition: i32) -> Option<i64> {
        let consumer: BaseConsumer = ClientConfig::new()
            .set("bootstrap.servers", &self.brokers)
            .set("group.id", group)
            .create()
            .expect("a consumer");
        let mut asked = TopicPartitionList::new();
        asked.add_partition(&self.topic, partition);
        let found = consumer.committed_offsets(asked, Duration::from_secs(20)).expect("an answer");
        match found.elements()[0].offset() {
            Offset::Offset(offset) => Some(offset),
            _ => None,
        }
    }
}

fn producer(brokers: &str) -> FutureProducer {
    ClientConfig::new()
        .set("bootstrap.servers", brokers)
        .set("partitioner", "murmur2_random")
        .set("linger.ms", "2")
        .set("enable.idempotence", "true")
        .create()
        .expect("a producer")
}

fn headers(record: &Record) -> OwnedHeaders {
    record.headers.iter().fold(OwnedHeaders::new(), |headers, (key, value)| {
        headers.insert(Header { key, value: Some(value) })
    })
}
