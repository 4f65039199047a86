//! When the log does not hold what is to be read next.

use rdkafka::consumer::{Consumer, RebalanceProtocol};
use rdkafka::{Offset, TopicPartitionList};

use super::bounds::{self, Bounds};
use super::{FollowError, Followed, Follower};

impl Follower {
    /// Goes on where the log begins, and says what is missing. Which partition it was librdkafka
    /// does not say.
    pub(super) fn close_gaps(&self) -> Result<Followed, FollowError> {
        let mut anew = Vec::new();
        for (partition, next) in self.reading() {
            let bounds = bounds::of(&self.consumer, &self.topic, partition)?;
            if next < bounds.start {
                self.pass_over(partition, next, &bounds)?;
            } else if next > bounds.end {
                self.begin_anew(partition, next, &bounds)?;
                anew.push(partition);
            }
        }
        if anew.is_empty() { Ok(Followed::Nothing) } else { Ok(Followed::Revoked(anew)) }
    }

    fn reading(&self) -> Vec<(i32, i64)> {
        let state = self.consumer.context().state();
        state.own.iter().map(|(&partition, own)| (partition, own.read)).collect()
    }

    fn pass_over(&self, partition: i32, next: i64, bounds: &Bounds) -> Result<(), FollowError> {
        tracing::warn!(
            "events were removed from the log before they were read: \
             {partition}-{next} up to {partition}-{}",
            bounds.start - 1
        );
        self.read_from(partition, bounds.start)
    }

    fn begin_anew(&self, partition: i32, next: i64, bounds: &Bounds) -> Result<(), FollowError> {
        tracing::warn!(
            "partition {partition} ends before {partition}-{next}, which was to be read next: the \
             topic has been made anew, and is read from its beginning"
        );
        if let Some(own) = self.consumer.context().state().own.get_mut(&partition) {
            own.taken = bounds.start;
        }
        self.read_from(partition, bounds.start)
    }

    /// A partition whose offset was refused is not read any more, and cannot be sought: it has to
    /// be assigned again.
    fn read_from(&self, partition: i32, offset: i64) -> Result<(), FollowError> {
        if let Some(own) = self.consumer.context().state().own.get_mut(&partition) {
            own.read = offset;
        }
        if matches!(self.consumer.rebalance_protocol(), RebalanceProtocol::Eager) {
            // There all of them can be assigned, or none.
            self.consumer.assign(&self.places(|_| true)?)?;
        } else {
            let list = self.places(|other| other == partition)?;
            self.consumer.incremental_unassign(&list)?;
            self.consumer.incremental_assign(&list)?;
        }
        if self.consumer.context().state().is_held {
            self.hold();
        }
        Ok(())
    }

    fn places(&self, of: impl Fn(i32) -> bool) -> Result<TopicPartitionList, FollowError> {
        let mut list = TopicPartitionList::new();
        for (partition, next) in self.reading() {
            if of(partition) {
                list.add_partition_offset(&self.topic, partition, Offset::Offset(next))?;
            }
        }
        Ok(list)
    }
}
