//! Topics that are written once and read in all repeats.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context, Result};
use rdkafka::ClientConfig;
use rdkafka::error::KafkaError;
use rdkafka::producer::{BaseProducer, DefaultProducerContext, Producer};
use rdkafka::types::RDKafkaErrorCode;

use super::topic::Topics;
use crate::contestants::raw::record::Event;
use crate::work::Shape;

/// Bytes of an event, as in the other works.
const PAYLOAD: usize = 500;
/// Events of a topic.
const RECORDS: u64 = 1_000_000;
const FLUSH: Duration = Duration::from_secs(60);

/// Makes each topic when it is first asked for.
pub struct Archives {
    brokers: String,
    made: RefCell<BTreeMap<u64, Archive>>,
}

/// A topic of one partition, full of events.
#[derive(Clone)]
pub struct Archive {
    pub topic: String,
    pub sources: u64,
    pub records: u64,
}

impl Archives {
    pub fn new(brokers: &str) -> Self {
        Archives { brokers: brokers.to_owned(), made: RefCell::default() }
    }

    /// The one whose events are of so many sources, in turn.
    pub fn of_sources(&self, topics: &Topics, sources: u64) -> Result<Archive> {
        if let Some(archive) = self.made.borrow().get(&sources) {
            return Ok(archive.clone());
        }
        let topic = format!("bench-archive-{}-{sources}", std::process::id());
        let archive = Archive { topic, sources, records: RECORDS };
        eprintln!("bench: writing {RECORDS} events to read");
        topics.create_with(&archive.topic, 1)?;
        self.fill(&archive)?;
        self.made.borrow_mut().insert(sources, archive.clone());
        Ok(archive)
    }

    fn fill(&self, archive: &Archive) -> Result<()> {
        let producer: BaseProducer = ClientConfig::new()
            .set("bootstrap.servers", &self.brokers)
            .set("enable.idempotence", "true")
            .set("linger.ms", "2")
            // About what comes of it when the service writes under load.
            .set("batch.num.messages", "100")
            .create()?;
        let mut event = Event::new(Shape { batch: None, payload: PAYLOAD, ids: true });
        for _ in 0..archive.records {
            event.next_of(archive.sources);
            send(&producer, &event, &archive.topic)?;
        }
        producer.flush(FLUSH).context("the events are not written in time")
    }

    /// Deletes what was made.
    pub fn delete(&self, topics: &Topics) -> Result<()> {
        let made = self.made.take();
        made.values().try_for_each(|archive| topics.delete(&archive.topic))
    }
}

fn send(producer: &BaseProducer<DefaultProducerContext>, event: &Event, topic: &str) -> Result<()> {
    while let Err((error, _)) = producer.send(event.record(topic, ())) {
        let is_full = matches!(error, KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull));
        if !is_full {
            return Err(error.into());
        }
        producer.poll(Duration::from_millis(10));
    }
    Ok(())
}

impl Archive {
    /// The id of a source, as the events have it.
    pub fn source(&self, number: u64) -> String {
        format!("u-{:04}", number % self.sources)
    }
}
