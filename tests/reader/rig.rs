//! A topic of the test's own, something that writes to it, and a reader of it.

#![allow(unreachable_pub, reason = "a module of a test binary has no outside")]

use std::sync::Arc;
use std::time::{Duration, Instant};

use dual_stream::cursor::Cursor;
use dual_stream::event::Source;
use dual_stream::kafka::{Cluster, Heads, Producer};
use dual_stream::metrics::Metrics;
use dual_stream::reader::{Found, Reader, StoredEvent};
use dual_stream::settings::Settings;
use rdkafka::ClientConfig;
use rdkafka::admin::{AdminClient, AdminOptions};
use rdkafka::client::DefaultClientContext;
use rdkafka::message::{Header, OwnedHeaders};
use rdkafka::producer::{FutureProducer, FutureRecord};
use rdkafka::{Offset, TopicPartitionList};

use crate::harness::{eventually, kafka, required, unique};

/// A reader of a topic, in front of a real broker.
pub struct Rig {
    pub reader: Reader,
    pub metrics: Arc<Metrics>,
    pub heads: Arc<Heads>,
    cluster: Cluster,
    producer: Arc<Producer<()>>,
}

/// Settings that differ from the defaults.
pub struct Builder {
    variables: Vec<(String, String)>,
}

/// A topic that is written to by anyone.
#[derive(Clone)]
pub struct Log {
    pub brokers: String,
    pub topic: String,
    producer: FutureProducer,
}

/// A record as it is to be written.
#[derive(Clone, Debug)]
pub struct Record {
    pub partition: i32,
    pub key: Option<String>,
    pub value: Option<Vec<u8>>,
    pub headers: Vec<(&'static str, String)>,
    pub time: Option<i64>,
}

impl Record {
    /// As the service writes it, of the source `repo:SOURCE`.
    pub fn event(partition: i32, source: &str, id: &str) -> Self {
        let value =
            format!(r#"{{"id":"{id}","type":"push","source_type":"repo","source_id":"{source}"}}"#);
        Record {
            partition,
            key: Some(source.to_owned()),
            value: Some(value.into_bytes()),
            headers: vec![
                ("id", id.to_owned()),
                ("type", "push".to_owned()),
                ("source_type", "repo".to_owned()),
                ("content-type", "application/json".to_owned()),
            ],
            time: None,
        }
    }

    pub fn at(mut self, time: i64) -> Self {
        self.time = Some(time);
        self
    }

    pub fn value(mut self, value: impl Into<Vec<u8>>) -> Self {
        self.value = Some(value.into());
        self
    }
}

impl Log {
    /// A topic with so many partitions, and settings of its own.
    pub async fn create(partitions: i32, config: &[(&str, &str)]) -> Self {
        Self::create_at(&required("KAFKA_BROKERS"), partitions, config).await
    }

    pub async fn create_at(brokers: &str, partitions: i32, config: &[(&str, &str)]) -> Self {
        let topic = unique("log");
        kafka::create_topic(brokers, &topic, partitions, config).await;
        Self::at(brokers, &topic)
    }

    /// A topic that is there.
    pub fn at(brokers: &str, topic: &str) -> Self {
        let producer = client(brokers)
            .set("linger.ms", "2")
            .set("message.max.bytes", "4000000")
            .create()
            .unwrap();
        Log { brokers: brokers.to_owned(), topic: topic.to_owned(), producer }
    }

    /// Writes the records, in their order, and says where they lie.
    pub async fn write(&self, records: &[Record]) -> Vec<Cursor> {
        let mut sent = Vec::new();
        for record in records {
            let headers =
                record.headers.iter().fold(OwnedHeaders::new(), |headers, (key, value)| {
                    headers.insert(Header { key, value: Some(value) })
                });
            let mut message: FutureRecord<'_, str, [u8]> =
                FutureRecord::to(&self.topic).partition(record.partition).headers(headers);
            message.key = record.key.as_deref();
            message.payload = record.value.as_deref();
            message.timestamp = record.time;
            sent.push(loop {
                match self.producer.send_result(message) {
                    Ok(delivery) => break delivery,
                    Err((_, back)) => {
                        message = back;
                        tokio::time::sleep(Duration::from_millis(5)).await;
                    }
                }
            });
        }
        let mut cursors = Vec::new();
        for delivery in sent {
            let delivery = delivery.await.unwrap().unwrap();
            cursors.push(Cursor::new(delivery.partition, delivery.offset).unwrap());
        }
        cursors
    }

    pub async fn write_one(&self, record: Record) -> Cursor {
        self.write(&[record]).await[0]
    }

    /// Removes what lies before an offset, as retention does.
    pub async fn delete_before(&self, partition: i32, offset: i64) {
        let mut list = TopicPartitionList::new();
        list.add_partition_offset(&self.topic, partition, Offset::Offset(offset)).unwrap();
        let admin: AdminClient<DefaultClientContext> = client(&self.brokers).create().unwrap();
        admin.delete_records(&list, &AdminOptions::new()).await.unwrap();
    }

    /// A reader of it, with the default settings.
    pub fn reader(&self) -> Builder {
        let builder = Builder { variables: Vec::new() };
        builder
            .set("kafka.brokers", &self.brokers)
            .set("kafka.topic", &self.topic)
            .set("kafka.create_topic", false)
    }
}

pub fn client(brokers: &str) -> ClientConfig {
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", brokers);
    config
}

impl Builder {
    /// Sets for example `reader.memory`.
    pub fn set(mut self, setting: &str, value: impl ToString) -> Self {
        let variable = format!("DUAL_STREAM__{}", setting.replace('.', "__")).to_uppercase();
        self.variables.push((variable, value.to_string()));
        self
    }

    /// With as little memory as there can be, so that everything is read from Kafka.
    pub fn without_memory(self) -> Self {
        self.set("reader.memory", "1KiB").set("reader.warm", "0B")
    }

    /// Starts it, and waits until it has seen the cluster.
    pub async fn start(self) -> Rig {
        let rig = self.start_anyhow();
        eventually("the reader sees the cluster", async || {
            let far = Cursor::new(0, i64::MAX - 1).unwrap();
            (rig.reader.event(far).await == Ok(Found::NotYet)).then_some(())
        })
        .await;
        rig
    }

    /// Starts it, whatever there is.
    pub fn start_anyhow(self) -> Rig {
        let settings = Settings::load(self.variables).unwrap();
        let heads = Arc::new(Heads::default());
        let metrics = Arc::new(Metrics::new());
        let producer =
            Producer::<()>::new(&settings.kafka, &settings.publisher, |_, ()| {}).unwrap();
        let producer = Arc::new(producer);
        let cluster = Cluster::watch(&settings, Arc::clone(&producer)).unwrap();
        let reader = Reader::start(
            &settings,
            cluster.state().clone(),
            Arc::clone(&heads),
            Box::new(|_| ()),
            &metrics,
        )
        .unwrap();
        Rig { reader, metrics, heads, cluster, producer }
    }
}

impl Rig {
    /// The event at a cursor, which must be there.
    pub async fn event(&self, cursor: Cursor) -> StoredEvent {
        match self.reader.event(cursor).await {
            Ok(Found::Event(event)) => event,
            other => panic!("no event at {cursor}: {other:?}"),
        }
    }

    /// The value of a metric's samples whose labels contain `labels`.
    pub fn metric(&self, name: &str, labels: &str) -> f64 {
        let text = self.metrics.render();
        let lines = text.lines().filter(|line| {
            line.starts_with(&format!("dual_stream_{name}")) && line.contains(labels)
        });
        lines.filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok()).sum()
    }

    /// Waits until the tail has an event, and with it what came before in its partition.
    pub async fn has_in_memory(&self, cursor: Cursor) {
        let hits = || self.metric("reader_lookups_total", r#"read="event",memory="hit""#);
        eventually("the event is in memory", async || {
            let before = hits();
            let found = self.reader.event(cursor).await;
            (matches!(found, Ok(Found::Event(_))) && hits() > before).then_some(())
        })
        .await;
    }

    /// Waits until the newest events of a source come from memory, which then has the end of the
    /// partitions.
    pub async fn has_end_in_memory(&self, source: &Source) {
        let hits = || self.metric("reader_lookups_total", r#"read="recent",memory="hit""#);
        eventually("the end is in memory", async || {
            let before = hits();
            let page = self.reader.recent(source, None, 1).await;
            (page.is_ok() && hits() > before).then_some(())
        })
        .await;
    }

    /// How many records scans have looked at.
    pub fn scanned(&self) -> f64 {
        self.metric("reader_scanned_records_total", "")
    }

    pub async fn stop(self) {
        let deadline = Instant::now() + Duration::from_secs(10);
        self.cluster.stop();
        self.reader.stop(deadline).await;
        self.producer.stop(deadline).await;
    }
}

/// The source `repo:ID`.
pub fn source(id: &str) -> Source {
    Source::new("repo", id).unwrap()
}

pub fn ids(events: &[StoredEvent]) -> Vec<&str> {
    events.iter().map(StoredEvent::id).collect()
}

/// Milliseconds since 1970. Much earlier ones fall to retention.
pub fn now() -> i64 {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    now.unwrap().as_millis() as i64
}
