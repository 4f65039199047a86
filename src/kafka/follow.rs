//! Following the topic from a place on, alone or as a member of a group.

mod alone;
mod answers;
mod bounds;
mod commits;
mod context;
mod errors;
mod flow;
mod gaps;
mod options;
mod partitions;
mod rebalance;

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use rdkafka::TopicPartitionList;
use rdkafka::config::FromClientConfigAndContext;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{BorrowedMessage, Message};

use super::log_record::LogRecord;
use super::stored::StoredEvent;
use crate::event::Source;
use crate::position::Position;
use crate::settings::Settings;
use crate::telemetry;

use answers::Answers;
use context::Context;
pub use errors::FollowError;
use partitions::Listed;

/// How long Kafka has to answer a question.
const ANSWER: Duration = Duration::from_secs(5);

/// Where a partition is begun.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StartAt {
    /// Behind a position.
    After(Position),
    /// At a time, in milliseconds since 1970.
    Time(i64),
    /// Behind all that is there.
    End,
}

/// What is to be followed.
#[derive(Debug, Clone)]
pub struct Follow {
    /// The consumer group, if any. Where it has committed an offset, that is where it goes on.
    pub group: Option<String>,
    /// Where to begin otherwise. A partition that is added later is begun at its beginning.
    pub start: StartAt,
    /// The only source of interest.
    pub source: Option<Source>,
    /// Whether to go on when everything has been read that was there at the start.
    pub endless: bool,
}

/// What comes next.
#[derive(Debug)]
pub enum Followed {
    /// An event.
    Event(StoredEvent),
    /// Nothing of interest in a partition up to this offset, itself excluded.
    Passed(i32, i64),
    /// Partitions that will be another member's as soon as [`Follower::give_away`] says so, or are
    /// begun anew. What of them was given out and is not taken by then is of no account.
    Revoked(Vec<i32>),
    /// Nothing in time.
    Nothing,
}

/// A consumer. What it gives out counts as taken, for the position and for commits, only when
/// [`Follower::taken`] says so.
pub struct Follower {
    /// Dropped before the consumer.
    answers: Answers,
    consumer: BaseConsumer<Context>,
    topic: String,
    follow: Follow,
    /// How many partitions the topic has had.
    past_counts: Vec<i32>,
    /// When partitions were last looked for.
    looked: Instant,
}

impl Follower {
    /// A consumer that is not connected yet.
    ///
    /// # Errors
    /// A setting that librdkafka does not take.
    pub fn new(settings: &Settings, follow: Follow) -> Result<Self, FollowError> {
        let config = options::of(settings, follow.group.as_deref());
        let context = Context::new(settings.kafka.topic.clone(), follow.clone());
        let consumer = BaseConsumer::from_config_and_context(&config, context)
            .map_err(|error| FollowError::Refused(error.to_string()))?;
        // SAFETY: the consumer is dropped last.
        let answers = unsafe { Answers::of(consumer.client().native_ptr()) }
            .ok_or_else(|| FollowError::Refused("no memory".to_owned()))?;
        Ok(Follower {
            answers,
            consumer,
            topic: settings.kafka.topic.clone(),
            follow,
            past_counts: settings.kafka.partition_counts.clone(),
            looked: Instant::now(),
        })
    }

    /// Finds the topic and begins. To be called again after an error that may pass.
    ///
    /// # Errors
    /// Kafka does not answer, there is no such topic, or it does not hold what comes after the
    /// position.
    pub fn open(&mut self) -> Result<(), FollowError> {
        let partitions = partitions::of_topic(&self.consumer, &self.topic, ANSWER)?;
        let known: Vec<_> = partitions.iter().map(|partition| partition.id).collect();
        let ends = if self.follow.endless { BTreeMap::new() } else { self.ends(&partitions)? };
        self.consumer.context().starts_with(&known, ends);
        match self.follow.group {
            Some(_) => Ok(self.consumer.subscribe(&[&self.topic])?),
            None => self.begin(&partitions),
        }
    }

    fn ends(&self, partitions: &[Listed]) -> Result<BTreeMap<i32, i64>, FollowError> {
        let end = |partition: &Listed| {
            // Asked for its end it would have us wait.
            if !partition.has_leader {
                return Err(FollowError::NoLeader(partition.id));
            }
            let bounds = bounds::of(&self.consumer, &self.topic, partition.id)?;
            Ok((partition.id, bounds.end))
        };
        let is_alone = self.follow.group.is_none();
        let wanted = self.of_interest(partitions);
        // A member of a group is given partitions in which there is nothing of the source, too.
        let read = partitions.iter().filter(|p| !is_alone || wanted.contains(&p.id));
        read.map(end).collect()
    }

    /// The next event or whatever else there is to know.
    ///
    /// # Errors
    /// What does not mend itself.
    pub fn next(&mut self, wait: Duration) -> Result<Followed, FollowError> {
        let context = self.consumer.context();
        let polled = self.consumer.poll(wait);
        if let Some(error) = context.state().failure.clone() {
            return Err(error);
        }
        if let Some(parting) = context.state().parting.clone() {
            // At a rebalance no message comes along: `poll` returns after it.
            return Ok(Followed::Revoked(parting));
        }
        match polled {
            None => Ok(Followed::Nothing),
            Some(Ok(message)) => Ok(self.read(&message)),
            Some(Err(KafkaError::PartitionEOF(partition))) => Ok(self.at_end(partition)),
            Some(Err(error)) => self.hear(&error),
        }
    }

    fn read(&self, message: &BorrowedMessage<'_>) -> Followed {
        let (partition, next) = (message.partition(), message.offset() + 1);
        if !self.consumer.context().reads(partition, message.offset()) {
            self.stop_reading(partition);
            return Followed::Nothing;
        }
        match self.event(message) {
            Some(event) => Followed::Event(event),
            None => Followed::Passed(partition, next),
        }
    }

    fn event(&self, message: &BorrowedMessage<'_>) -> Option<StoredEvent> {
        let record = LogRecord::of(message)?;
        let is_wanted = self.follow.source.as_ref().is_none_or(|source| record.is_of(source));
        if is_wanted { record.event() } else { None }
    }

    /// What comes after the end as it was at the start is not read.
    fn stop_reading(&self, partition: i32) {
        let mut list = TopicPartitionList::new();
        list.add_partition(&self.topic, partition);
        if let Err(error) = self.consumer.pause(&list) {
            tracing::debug!("cannot pause partition {partition}: {error}");
        }
    }

    fn at_end(&self, partition: i32) -> Followed {
        match self.consumer.context().reaches_end(partition) {
            Some(end) => Followed::Passed(partition, end),
            None => Followed::Nothing,
        }
    }

    fn hear(&mut self, error: &KafkaError) -> Result<Followed, FollowError> {
        let error = match error.rdkafka_error_code() {
            Some(RDKafkaErrorCode::AutoOffsetReset) => return self.close_gaps(),
            Some(RDKafkaErrorCode::PollExceeded) => {
                tracing::warn!("stood still for too long: the group goes on without this member");
                // The next poll joins it again.
                return Ok(Followed::Nothing);
            }
            _ => FollowError::from(error.clone()),
        };
        if !error.may_pass() {
            return Err(error);
        }
        telemetry::warn_limited!("{error}; trying again");
        Ok(Followed::Nothing)
    }

    /// Everything in a partition up to an offset, itself excluded, has been taken.
    pub fn taken(&self, partition: i32, next: i64) {
        self.consumer.context().taken(partition, next);
    }

    /// Commits what was taken of the partitions that are revoked, and lets them go. The group waits
    /// for it.
    pub fn give_away(&self) {
        rebalance::give_away(self.consumer.context(), &self.consumer);
    }

    /// Whether all has been read that was there at the start.
    pub fn is_complete(&self) -> bool {
        !self.follow.endless && self.consumer.context().is_complete()
    }

    /// Up to where everything has been taken.
    pub fn position(&self) -> Position {
        self.consumer.context().position()
    }
}
