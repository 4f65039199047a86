//! What librdkafka says of records and cannot know.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use rdkafka::bindings::rd_kafka_message_latency;
use rdkafka::message::BorrowedMessage;

use super::errors;

/// Brokers' answers after which librdkafka's word on a record is worth nothing. They are named in
/// its log alone, and it does not say which records were in the request: what it says of every
/// record that was on its way at that time is doubted.
pub(super) struct Doubt {
    /// An answer that leaves open whether the broker has appended, and after which librdkafka takes
    /// the records for not persisted and sends them again. When the next attempt succeeds, a record
    /// is stored. When it ends otherwise, it may be stored nevertheless.
    outcome: Moment,
    /// An answer that the broker has the records already. It names no offset, and librdkafka counts
    /// on from the -1 that stands there: all but the first record get offsets of other records.
    offset: Moment,
}

impl Doubt {
    pub(super) fn new() -> Self {
        let start = Instant::now();
        Doubt { outcome: Moment::new(start), offset: Moment::new(start) }
    }

    /// Reads a line of librdkafka's log. Lines come on the thread of the delivery reports, and
    /// before the reports of the records that they concern.
    pub(super) fn hear(&self, line: &str) {
        if errors::casts_doubt(line) {
            self.outcome.is_now();
        }
        if errors::tells_of_duplicates(line) {
            self.offset.is_now();
        }
    }

    /// Whether the record may be in the log though librdkafka calls it not persisted.
    pub(super) fn of_outcome(&self, message: &BorrowedMessage<'_>) -> bool {
        self.outcome.lies_in_life_of(message)
    }

    /// Whether the record's offset may be made up.
    pub(super) fn of_offset(&self, message: &BorrowedMessage<'_>) -> bool {
        self.offset.lies_in_life_of(message)
    }
}

/// When something last happened, if it ever did.
struct Moment {
    start: Instant,
    /// Microseconds since the start.
    last: AtomicU64,
}

const NEVER: u64 = u64::MAX;

impl Moment {
    fn new(start: Instant) -> Self {
        Moment { start, last: AtomicU64::new(NEVER) }
    }

    fn is_now(&self) {
        self.last.store(micros_since(self.start), Ordering::Relaxed);
    }

    fn lies_in_life_of(&self, message: &BorrowedMessage<'_>) -> bool {
        let last = self.last.load(Ordering::Relaxed);
        if last == NEVER {
            return false;
        }
        let ago = micros_since(self.start).saturating_sub(last);
        // SAFETY: the message is borrowed, so the pointer is valid, and librdkafka only reads the
        // time of submission through it.
        let age = unsafe { rd_kafka_message_latency(message.ptr()) };
        // Negative when the time of submission is not known: then nothing is excluded.
        u64::try_from(age).map_or(true, |age| ago <= age)
    }
}

fn micros_since(start: Instant) -> u64 {
    u64::try_from(start.elapsed().as_micros()).unwrap_or(NEVER - 1)
}
