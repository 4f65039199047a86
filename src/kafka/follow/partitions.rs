//! Which partitions there are.

use std::time::Duration;

use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::types::RDKafkaRespErr;

use super::FollowError;
use super::context::Context;

/// A partition of the topic.
pub(super) struct Listed {
    pub(super) id: i32,
    pub(super) has_leader: bool,
}

/// The partitions of the topic.
///
/// # Errors
/// Kafka does not answer, or there is no such topic.
pub(super) fn of_topic(
    consumer: &BaseConsumer<Context>,
    topic: &str,
    wait: Duration,
) -> Result<Vec<Listed>, FollowError> {
    let metadata =
        consumer.fetch_metadata(Some(topic), wait).map_err(|error| why(consumer, error.into()))?;
    let found = metadata.topics().first();
    if let Some(error) = found.and_then(|topic| topic.error()) {
        return Err(refusal(topic, error));
    }
    let partitions = found.map(|topic| topic.partitions()).unwrap_or_default();
    if partitions.is_empty() {
        return Err(FollowError::NoTopic(topic.to_owned()));
    }
    let listed = |id, leader| Listed { id, has_leader: leader >= 0 };
    Ok(partitions.iter().map(|partition| listed(partition.id(), partition.leader())).collect())
}

fn refusal(topic: &str, error: RDKafkaRespErr) -> FollowError {
    match RDKafkaErrorCode::from(error) {
        RDKafkaErrorCode::UnknownTopicOrPartition | RDKafkaErrorCode::UnknownTopic => {
            FollowError::NoTopic(topic.to_owned())
        }
        code => KafkaError::MetadataFetch(code).into(),
    }
}

/// A wrong password is told by an event only, and the question just gets no answer.
fn why(consumer: &BaseConsumer<Context>, error: FollowError) -> FollowError {
    while let Some(event) = consumer.poll(Duration::ZERO) {
        match event.map_err(FollowError::from) {
            Err(error) if !error.may_pass() => return error,
            _ => continue,
        }
    }
    error
}
