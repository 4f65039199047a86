//! Where partitions begin and end, and where reading them begins.

use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::{Offset, TopicPartitionList};

use super::context::Context;
use super::{ANSWER, FollowError, StartAt};
use crate::position::Position;

/// The offsets that a partition holds.
pub(super) struct Bounds {
    pub(super) start: i64,
    /// The offset that the next record will have.
    pub(super) end: i64,
}

/// Asks the partition's leader.
pub(super) fn of(
    consumer: &BaseConsumer<Context>,
    topic: &str,
    partition: i32,
) -> Result<Bounds, FollowError> {
    let (start, end) = consumer.fetch_watermarks(topic, partition, ANSWER)?;
    Ok(Bounds { start, end })
}

/// The offset at which a partition is begun.
pub(super) fn first_offset(
    consumer: &BaseConsumer<Context>,
    topic: &str,
    partition: i32,
    start: &StartAt,
) -> Result<i64, FollowError> {
    let bounds = of(consumer, topic, partition)?;
    match start {
        StartAt::End => Ok(bounds.end),
        StartAt::Time(time) => {
            Ok(at_time(consumer, topic, partition, *time)?.unwrap_or(bounds.end))
        }
        StartAt::After(position) => match position.offset(partition) {
            None => Ok(bounds.start),
            Some(offset) => bounds.behind(partition, offset),
        },
    }
}

impl Bounds {
    /// What comes behind an offset that has been seen.
    fn behind(&self, partition: i32, offset: i64) -> Result<i64, FollowError> {
        let next = offset.saturating_add(1);
        if next < self.start {
            let mut after = Position::beginning();
            after.set_next(partition, next);
            return Err(FollowError::Removed { after, partition, earliest: self.start });
        }
        if next > self.end {
            return Err(FollowError::Beyond { partition, offset, end: self.end });
        }
        Ok(next)
    }
}

/// The first record that is not older. None when there is none.
fn at_time(
    consumer: &BaseConsumer<Context>,
    topic: &str,
    partition: i32,
    time: i64,
) -> Result<Option<i64>, FollowError> {
    let mut times = TopicPartitionList::new();
    times.add_partition_offset(topic, partition, Offset::Offset(time.max(0)))?;
    let found = consumer.offsets_for_times(times, ANSWER)?;
    let Some(found) = found.find_partition(topic, partition) else { return Ok(None) };
    found.error()?;
    Ok(match found.offset() {
        Offset::Offset(offset) => Some(offset),
        _ => None,
    })
}
