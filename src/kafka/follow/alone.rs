//! Outside of a group: the follower itself sees to its partitions.

use std::time::{Duration, Instant};

use rdkafka::consumer::Consumer;
use rdkafka::{Offset, TopicPartitionList};

use super::partitions::{self, Listed};
use super::{ANSWER, FollowError, Follower, StartAt, bounds};
use crate::kafka::partitions_of;
use crate::position::Position;
use crate::telemetry;

/// The time between two looks for partitions that are new, or have a leader again.
const LOOK: Duration = Duration::from_secs(10);
/// How long Kafka has to answer while lines wait to be written.
const SHORT_ANSWER: Duration = Duration::from_secs(1);

impl Follower {
    /// Begins the partitions that are of interest.
    pub(super) fn begin(&mut self, partitions: &[Listed]) -> Result<(), FollowError> {
        let mut list = TopicPartitionList::new();
        let mut begun = Vec::new();
        let wanted = self.of_interest(partitions);
        for partition in partitions.iter().filter(|partition| self.is_new(partition)) {
            if !wanted.contains(&partition.id) {
                continue;
            }
            if !partition.has_leader && self.follow.endless {
                telemetry::warn_limited!("{}; trying again", FollowError::NoLeader(partition.id));
                continue;
            }
            let offset = self.first_offset(partition.id)?;
            list.add_partition_offset(&self.topic, partition.id, Offset::Offset(offset))?;
            begun.push((partition.id, offset));
        }
        let mut state = self.consumer.context().state();
        begun.iter().for_each(|&(partition, offset)| state.begin(partition, offset, None));
        drop(state);
        if begun.is_empty() {
            return Ok(());
        }
        Ok(self.consumer.incremental_assign(&list)?)
    }

    /// The partitions in which there may be something: those of the source, if there is one.
    pub(super) fn of_interest(&self, partitions: &[Listed]) -> Vec<i32> {
        match &self.follow.source {
            Some(source) => {
                let count = i32::try_from(partitions.len()).unwrap_or(i32::MAX);
                partitions_of(source.id().as_bytes(), count, &self.past_counts)
            }
            None => partitions.iter().map(|partition| partition.id).collect(),
        }
    }

    fn is_new(&self, partition: &Listed) -> bool {
        !self.consumer.context().state().own.contains_key(&partition.id)
    }

    fn first_offset(&self, partition: i32) -> Result<i64, FollowError> {
        let beginning = StartAt::After(Position::beginning());
        let is_known = self.consumer.context().state().known.contains(&partition);
        let start = if is_known { &self.follow.start } else { &beginning };
        bounds::first_offset(&self.consumer, &self.topic, partition, start)
    }

    /// Looks, when it is time to, for partitions that are new or have a leader again; in a group
    /// librdkafka does. A reader that is to end sees whether Kafka is there.
    ///
    /// # Errors
    /// Kafka does not answer, or refuses.
    pub fn look(&mut self) -> Result<(), FollowError> {
        let is_endless = self.follow.endless;
        if self.looked.elapsed() < LOOK || (is_endless && self.follow.group.is_some()) {
            return Ok(());
        }
        self.looked = Instant::now();
        let wait = if is_endless { SHORT_ANSWER } else { ANSWER };
        let partitions = partitions::of_topic(&self.consumer, &self.topic, wait)?;
        if is_endless { self.begin(&partitions) } else { Ok(()) }
    }
}
