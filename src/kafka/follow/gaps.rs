//! When the log does not hold what is to be read next.

use rdkafka::Offset;
use rdkafka::consumer::Consumer;

use super::bounds::{self, Bounds};
use super::{ANSWER, FollowError, Followed, Follower};

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

    fn read_from(&self, partition: i32, offset: i64) -> Result<(), FollowError> {
        if let Some(own) = self.consumer.context().state().own.get_mut(&partition) {
            own.read = offset;
        }
        Ok(self.consumer.seek(&self.topic, partition, Offset::Offset(offset), ANSWER)?)
    }
}
