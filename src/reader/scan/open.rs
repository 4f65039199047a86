//! A partition that is being scanned.

use std::time::Duration;

use super::Progress;
use crate::kafka::{Feed, From, Item, LogConsumer, LogItem, Unavailable};

/// How long a scan waits for Kafka before it looks whether anyone still waits for it.
const TURN: Duration = Duration::from_millis(50);
/// A read that can go on where it is.
pub(super) struct Open<'c> {
    feed: Feed<'c>,
    partition: i32,
    next: i64,
}

/// What came of one look into the queue.
pub(super) enum Sign {
    GoOn,
    /// All of the stretch was read; a record behind it may have been taken.
    Over,
    /// The partition has no more.
    End,
    OutOfRange,
    Failed(String),
}

impl<'c> Open<'c> {
    pub(super) fn at(
        consumer: &'c LogConsumer,
        partition: i32,
        from: i64,
    ) -> Result<Self, Unavailable> {
        let mut feed = consumer.feed()?;
        feed.start(partition, From::Offset(from))?;
        Ok(Open { feed, partition, next: from })
    }

    /// Whether it can be read on from there.
    pub(super) fn is_at(&self, partition: i32, next: i64) -> bool {
        self.partition == partition && self.next == next
    }

    /// Shows what has come, up to an offset.
    pub(super) fn look(
        &mut self,
        to: i64,
        progress: &mut Progress,
        see: &mut impl FnMut(&LogItem<'_>),
    ) -> (usize, Sign) {
        let mut sign = Sign::GoOn;
        let count = self.feed.take(TURN, |item| match item {
            Item::Record(record) if matches!(sign, Sign::GoOn | Sign::End) => {
                let offset = record.offset();
                if offset >= to {
                    progress.next = to;
                    sign = Sign::Over;
                } else if offset >= progress.next {
                    progress.take(&record);
                    see(&record);
                }
            }
            Item::Record(_) => {}
            Item::End { offset, .. } => {
                progress.next = progress.next.max(offset.min(to));
                sign = Sign::End;
            }
            Item::OutOfRange { .. } => sign = Sign::OutOfRange,
            Item::Failed { why, .. } => sign = Sign::Failed(why),
        });
        if progress.next >= to && matches!(sign, Sign::GoOn) {
            sign = Sign::Over;
        }
        self.next = progress.next;
        (count, sign)
    }
}
