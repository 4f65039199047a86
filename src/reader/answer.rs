//! What reads answer.

use std::fmt::Display;

use crate::kafka::StoredEvent;
use crate::position::Position;
use crate::telemetry;

/// What is at a cursor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Found {
    /// An event.
    Event(StoredEvent),
    /// Nothing yet: the partition has not come so far.
    NotYet,
    /// Nothing any more: the log begins at this offset now.
    Removed {
        /// The first offset that the partition still has.
        earliest: i64,
    },
    /// The topic has no such partition.
    NoPartition {
        /// How many it has.
        count: i32,
    },
    /// The partition is past it, and no event is there: another record, a transaction's marker, or
    /// one that was compacted away.
    NoEvent,
}

/// Why a read has no answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ReadError {
    /// Kafka did not answer, or not in time.
    Unavailable,
    /// As many reads are under way as are allowed, or it has waited too long for its turn.
    Busy,
    /// The next event alone is larger than an answer may be.
    AnswerFull,
    /// The log no longer holds what comes after the position.
    Removed {
        /// What it holds begins after this position, as far as the reader's partitions go.
        earliest: Position,
    },
}

/// What there is at a cursor, or why that is not known.
pub(super) type Answer = Result<Found, ReadError>;

/// Where a replay begins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Start {
    /// Behind a position.
    After(Position),
    /// At a time, in milliseconds since 1970.
    Time(i64),
}

/// Some events of a source, and where to go on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page {
    /// The events.
    pub events: Vec<StoredEvent>,
    /// Where to go on; none when there is nothing before (newest first), always there otherwise.
    pub next: Option<Position>,
    /// Whether the scan came to an end: the limit was reached, or there is no more.
    pub complete: bool,
}

impl ReadError {
    /// Kafka did not answer: said in the log, as the answer cannot say why.
    pub(super) fn because(why: impl Display) -> Self {
        telemetry::warn_limited!("events cannot be read: {why}");
        ReadError::Unavailable
    }
}
