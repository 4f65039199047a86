//! A client that reads the topic, by partition and offset.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::fmt;
use std::ops::Range;
use std::time::Duration;

use rdkafka::bindings::{
    rd_kafka_get_watermark_offsets, rd_kafka_resp_err_t as RespErr, rd_kafka_t,
};
use rdkafka::client::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::{BaseConsumer, Consumer, ConsumerContext};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};

use super::client;
use super::feed::Feed;
use super::fetch::{self, Fetch};
use super::native::Topic;
use crate::settings::Settings;

/// Kafka did not answer, or not in time, or has nobody who could: why, in words for the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unavailable(pub String);

impl fmt::Display for Unavailable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl From<KafkaError> for Unavailable {
    fn from(error: KafkaError) -> Self {
        let code = error.rdkafka_error_code();
        Unavailable(code.map_or_else(|| error.to_string(), |code| code.to_string()))
    }
}

/// How much a client may say at once.
const LINES_AT_ONCE: usize = 64;

/// A consumer without a group, for one thread. It connects by itself.
pub struct LogConsumer {
    // Dropped in this order: the topic before its client.
    topic: Topic,
    client: BaseConsumer<Context>,
    name: String,
    /// How many partitions it has heard of: of others librdkafka says that they are not there.
    heard_of: Cell<i32>,
}

impl LogConsumer {
    /// Makes one.
    ///
    /// # Errors
    /// A property that librdkafka does not take, or no memory.
    pub fn new(settings: &Settings, purpose: Fetch) -> Result<Self, String> {
        let config = fetch::consumer(settings, purpose);
        let client: BaseConsumer<Context> =
            config.create_with_context(Context).map_err(|error| client::explain(&error))?;
        let name = settings.kafka.topic.clone();
        // SAFETY: the client is alive, and is dropped after the topic.
        let topic = unsafe { Topic::new(client.client().native_ptr(), &name) }
            .map_err(|code| format!("cannot make the Kafka consumer: {code}"))?;
        Ok(LogConsumer { topic, client, name, heard_of: Cell::new(0) })
    }

    /// How many partitions the topic has, asked anew. Blocks.
    ///
    /// # Errors
    /// No answer in time, or no such topic.
    pub fn partitions(&self, limit: Duration) -> Result<i32, Unavailable> {
        let metadata = self.client.fetch_metadata(Some(&self.name), limit)?;
        let topic = metadata.topics().iter().find(|topic| topic.name() == self.name);
        let Some(topic) = topic else {
            return Err(Unavailable("the cluster says nothing of the topic".to_owned()));
        };
        match topic.error() {
            None => {
                let count = i32::try_from(topic.partitions().len()).unwrap_or(i32::MAX);
                self.heard_of.set(count);
                Ok(count)
            }
            Some(error) => Err(Unavailable(RDKafkaErrorCode::from(error).to_string())),
        }
    }

    /// The offsets that a partition has, asked anew. Blocks.
    ///
    /// # Errors
    /// No answer in time.
    pub fn bounds(&self, partition: i32, limit: Duration) -> Result<Range<i64>, Unavailable> {
        if partition >= self.heard_of.get() {
            self.partitions(limit)?;
        }
        let (low, high) = self.client.fetch_watermarks(&self.name, partition, limit)?;
        Ok(low..high)
    }

    /// The same of several partitions, in two questions. Ends come before beginnings. Blocks.
    ///
    /// # Errors
    /// No answer in time, of whichever.
    pub fn all_bounds(
        &self,
        partitions: &[i32],
        limit: Duration,
    ) -> Result<Vec<(i32, Range<i64>)>, Unavailable> {
        match partitions {
            [] => return Ok(Vec::new()),
            [partition] => return Ok(vec![(*partition, self.bounds(*partition, limit)?)]),
            _ => {}
        }
        if partitions.iter().any(|partition| *partition >= self.heard_of.get()) {
            self.partitions(limit)?;
        }
        let ends = self.offsets(Offset::End, partitions, limit)?;
        let beginnings: BTreeMap<_, _> =
            self.offsets(Offset::Beginning, partitions, limit)?.into_iter().collect();
        let bounds = |(partition, end): (i32, Option<i64>)| {
            let start = beginnings.get(&partition).copied().flatten();
            let known = start.zip(end).map(|(start, end)| (partition, start..end));
            known.ok_or_else(|| Unavailable(format!("nothing is said of partition {partition}")))
        };
        ends.into_iter().map(bounds).collect()
    }

    /// The same as the last answer to a read said, without asking. None before the first one.
    pub fn last_bounds(&self, partition: i32) -> Option<Range<i64>> {
        let (mut low, mut high) = (-1, -1);
        let name = std::ffi::CString::new(self.name.as_str()).ok()?;
        // SAFETY: the client is alive, the name ends with a zero, and the numbers are ours.
        let error = unsafe {
            rd_kafka_get_watermark_offsets(
                self.native(),
                name.as_ptr(),
                partition,
                &raw mut low,
                &raw mut high,
            )
        };
        let is_known = error == RespErr::RD_KAFKA_RESP_ERR_NO_ERROR && low >= 0 && high >= 0;
        is_known.then_some(low..high)
    }

    /// Where in each partition the records of a time or later begin; none where there are none.
    /// Blocks.
    ///
    /// # Errors
    /// No answer in time.
    pub fn offsets_at(
        &self,
        time: i64,
        partitions: &[i32],
        limit: Duration,
    ) -> Result<Vec<(i32, Option<i64>)>, Unavailable> {
        // The number in the place of the offset is the time.
        self.offsets(Offset::Offset(time), partitions, limit)
    }

    /// librdkafka names the leader and its epoch as it knows them, which a broker refuses that has
    /// been started anew; then it is told the present ones.
    fn offsets(
        &self,
        asked_for: Offset,
        partitions: &[i32],
        limit: Duration,
    ) -> Result<Vec<(i32, Option<i64>)>, Unavailable> {
        match self.offsets_as_known(asked_for, partitions, limit) {
            Err(error) if names_another_leader(&error) => {
                self.partitions(limit)?;
                Ok(self.offsets_as_known(asked_for, partitions, limit)?)
            }
            offsets => Ok(offsets?),
        }
    }

    fn offsets_as_known(
        &self,
        asked_for: Offset,
        partitions: &[i32],
        limit: Duration,
    ) -> Result<Vec<(i32, Option<i64>)>, KafkaError> {
        let mut asked = TopicPartitionList::with_capacity(partitions.len());
        for &partition in partitions {
            asked.add_partition_offset(&self.name, partition, asked_for)?;
        }
        let answer = self.client.offsets_for_times(asked, limit)?;
        answer
            .elements()
            .iter()
            .map(|element| {
                element.error()?;
                let offset = match element.offset() {
                    Offset::Offset(offset) => Some(offset),
                    _ => None,
                };
                Ok((element.partition(), offset))
            })
            .collect()
    }

    /// Reads partitions.
    ///
    /// # Errors
    /// No memory.
    pub fn feed(&self) -> Result<Feed<'_>, Unavailable> {
        Feed::new(self)
    }

    /// Lets the client say what it has to say. To be called now and then: it keeps its lines.
    pub fn serve(&self) {
        for _ in 0..LINES_AT_ONCE {
            // It says one thing at a time, and not whether that was the last.
            let _ = self.client.poll(Duration::ZERO);
        }
    }

    pub(super) fn native(&self) -> *mut rd_kafka_t {
        self.client.client().native_ptr()
    }

    pub(super) fn topic(&self) -> &Topic {
        &self.topic
    }
}

fn names_another_leader(error: &KafkaError) -> bool {
    use RDKafkaErrorCode as Code;
    let code = error.rdkafka_error_code();
    let codes = [Code::FencedLeaderEpoch, Code::UnknownLeaderEpoch, Code::NotLeaderForPartition];
    code.is_some_and(|code| codes.contains(&code))
}

/// What the client says.
struct Context;

impl ClientContext for Context {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        // Of a lost broker the producer tells, which speaks to the same ones.
        tracing::debug!(?level, "librdkafka {facility}: {message}");
    }

    fn error(&self, error: KafkaError, reason: &str) {
        tracing::debug!("kafka, reading: {error}: {reason}");
    }
}

impl ConsumerContext for Context {}
