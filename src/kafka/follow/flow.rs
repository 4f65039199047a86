//! Holding back while nobody takes what was read.

use rdkafka::TopicPartitionList;
use rdkafka::consumer::Consumer;

use super::Follower;

impl Follower {
    /// What has been read is held up: nothing comes until [`Follower::release`], but rebalances
    /// do, and the group knows that this member lives.
    pub fn hold(&self) {
        if self.follow.group.is_none() {
            // Nobody waits for this reader: it need not be polled.
            return;
        }
        self.consumer.context().state().is_held = true;
        if let Err(error) = self.consumer.pause(&self.own()) {
            tracing::debug!("cannot pause: {error}");
        }
    }

    /// After [`Follower::hold`].
    pub fn release(&self) {
        self.consumer.context().state().is_held = false;
        if let Err(error) = self.consumer.resume(&self.own()) {
            tracing::debug!("cannot resume: {error}");
        }
    }

    fn own(&self) -> TopicPartitionList {
        let mut list = TopicPartitionList::new();
        for &partition in self.consumer.context().state().own.keys() {
            list.add_partition(&self.topic, partition);
        }
        list
    }
}
