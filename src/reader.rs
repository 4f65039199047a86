//! Reading back: by cursor, the recent events of a source, and replay.

#[allow(dead_code, unused_imports, reason = "the reader is not wired yet")]
mod ring;

use crate::cursor::Cursor;
use crate::event::Source;
pub use crate::kafka::StoredEvent;
use crate::position::Position;

/// Reads events back, from memory where they are recent, else from Kafka.
#[derive(Clone)]
pub struct Reader {}

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
    /// As many reads are under way as are allowed.
    Busy,
    /// The next event alone is larger than an answer may be.
    AnswerFull,
    /// The log no longer holds what comes after the position.
    Removed {
        /// What it holds begins after this position, as far as the reader's partitions go.
        earliest: Position,
    },
}

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

/// A replay that goes on until the end of the log as it was when it was asked for.
pub struct ReplayStream {}

impl ReplayStream {
    /// The next events, at least one. None at the end.
    ///
    /// # Errors
    /// Kafka, or retention, which has overtaken the replay.
    pub async fn next(&mut self) -> Option<Result<Vec<StoredEvent>, ReadError>> {
        None
    }
}

impl Reader {
    /// What is at a cursor.
    ///
    /// # Errors
    /// No answer from Kafka in time.
    pub async fn event(&self, _cursor: Cursor) -> Result<Found, ReadError> {
        Err(ReadError::Unavailable)
    }

    /// What is at each of the cursors, in their order, in as few reads as possible.
    pub async fn events(&self, cursors: &[Cursor]) -> Vec<Result<Found, ReadError>> {
        cursors.iter().map(|_| Err(ReadError::Unavailable)).collect()
    }

    /// The newest events of a source before a position, newest first.
    ///
    /// # Errors
    /// As in [`ReadError`].
    pub async fn recent(
        &self,
        _source: &Source,
        _before: Option<&Position>,
        _limit: usize,
    ) -> Result<Page, ReadError> {
        Err(ReadError::Unavailable)
    }

    /// The events of a source from a start on, oldest first.
    ///
    /// # Errors
    /// As in [`ReadError`].
    pub async fn replay(
        &self,
        _source: &Source,
        _start: &Start,
        _limit: usize,
    ) -> Result<Page, ReadError> {
        Err(ReadError::Unavailable)
    }

    /// The same as a stream without a limit.
    ///
    /// # Errors
    /// As in [`ReadError`], before the first event.
    pub async fn replay_stream(
        &self,
        _source: Source,
        _start: Start,
    ) -> Result<ReplayStream, ReadError> {
        Err(ReadError::Unavailable)
    }
}
