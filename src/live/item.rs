//! What a subscription brings.

use std::sync::Arc;

use super::message::Message;
use super::news::News;
use crate::kafka::StoredEvent;
use crate::position::Position;

/// What a follower gets.
pub enum Item {
    /// From this position on everything comes. Always the first one.
    Ready(Position),
    /// The next event, with a position that is the same for all who follow.
    Live(Arc<Message>),
    /// What was announced of the next event, before the log has brought it. It has no position yet:
    /// one comes when it has.
    Early(Arc<News>),
    /// The next event, with the follower's own position after it. One of those that were asked for
    /// as recent has none: it lies before the position that the follower began at.
    Read(StoredEvent, Option<Position>),
    /// Everything up to the position has come: nothing else has for a while, or it came early.
    Beat(Position),
    /// The log no longer has what came next: events may be missing before this position.
    Reset(Lost, Position),
    /// The last one.
    End(End),
}

/// Why events may be missing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lost {
    /// Retention removed them.
    Removed,
    /// The log ends before the position: it is not the one that the position is of.
    Shortened,
}

/// Why a stream ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// The client does not take what comes.
    Slow,
    /// The service ends.
    Closing,
}

impl Lost {
    /// The reason as clients are told it.
    pub fn as_str(self) -> &'static str {
        match self {
            Lost::Removed => "removed",
            Lost::Shortened => "shortened",
        }
    }
}

impl End {
    /// The reason as clients are told it.
    pub fn as_str(self) -> &'static str {
        match self {
            End::Slow => "slow",
            End::Closing => "shutting_down",
        }
    }
}
