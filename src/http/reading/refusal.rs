//! From what a read came to, to the problem that says so.

use super::super::problem::{Kind, Problem};
use crate::cursor::Cursor;
use crate::position::Position;
use crate::reader::ReadError;

/// When a client should come back, in seconds, if Kafka is away.
const RETRY_UNAVAILABLE: u32 = 5;
/// When, if too much is being read.
const RETRY_BUSY: u32 = 1;

/// The problem for a read without an answer.
pub(in super::super) fn unread(error: ReadError) -> Problem {
    match error {
        ReadError::Unavailable => {
            let detail = "Kafka does not answer, or not in time. Nothing is known of what was \
                          asked for: ask again.";
            Problem::new(Kind::ReadUnavailable, detail).retry_after(Some(RETRY_UNAVAILABLE))
        }
        ReadError::Busy => {
            let detail = "As many reads are under way as may be. Ask again.";
            Problem::new(Kind::TooManyReads, detail).retry_after(Some(RETRY_BUSY))
        }
        ReadError::AnswerFull => {
            Problem::new(Kind::Internal, "The next event alone is larger than an answer may be.")
        }
        ReadError::Removed { earliest } => removed_before(earliest),
    }
}

/// The problem when answers that nobody reads hold all the room.
pub(super) fn no_room() -> Problem {
    let detail = "Clients have not taken what was read for them, and there is no room for more. \
                  Ask again.";
    Problem::new(Kind::TooManyReads, detail).retry_after(Some(RETRY_BUSY))
}

fn removed_before(earliest: Position) -> Problem {
    let detail = format!(
        "The log no longer holds what came next: events may be gone. What is left begins behind \
         {earliest}: go on with after={earliest}."
    );
    Problem::new(Kind::Removed, detail).earliest(earliest)
}

/// The problem for an event that the log no longer holds.
pub(super) fn removed(cursor: Cursor, first: i64) -> Problem {
    let partition = cursor.partition();
    let detail = format!(
        "The log no longer holds {cursor}: partition {partition} begins at {partition}-{first} now."
    );
    Problem::new(Kind::Removed, detail).earliest(before(partition, first))
}

/// The position right before the first offset that a partition has.
pub(super) fn before(partition: i32, first: i64) -> Position {
    Cursor::new(partition, first - 1).into_iter().collect()
}

/// The problem for a cursor that nothing was written at yet.
pub(super) fn not_yet(cursor: Cursor) -> Problem {
    let detail = format!(
        "Nothing is written at {cursor} yet: partition {} has not come so far.",
        cursor.partition()
    );
    Problem::new(Kind::NotYetWritten, detail)
}

/// The problem for a cursor of a partition that is not there.
pub(super) fn no_partition(cursor: Cursor, count: i32) -> Problem {
    let detail = format!(
        "The topic has no partition {}: it has {count}, counted from 0.",
        cursor.partition()
    );
    Problem::new(Kind::NoSuchPartition, detail)
}

/// The problem for a place that holds something else than an event.
pub(super) fn no_event(cursor: Cursor) -> Problem {
    let detail = format!(
        "There is no event at {cursor}: it is the place of something else, such as a \
         transaction's marker, or its record was compacted away."
    );
    Problem::new(Kind::NoEvent, detail)
}
