//! What followers are told of an event before the tail has brought it.

use std::hash::{BuildHasher, RandomState};
use std::sync::OnceLock;

use bytes::Bytes;

use crate::cursor::Cursor;
use crate::kafka::StoredEvent;
use crate::metrics::Gauge;

/// What news take beside their names, about.
const FRAME: usize = 256;

/// An event that was announced, as it was announced: encoded once, however many are told.
pub struct News {
    names: [Box<str>; 4],
    cursor: Cursor,
    place: Place,
    text: OnceLock<Bytes>,
    held: Gauge,
}

/// Where news belong: what of them is remembered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Place {
    /// Tells the event at the cursor from another one.
    pub(super) mark: u64,
    /// Stands for the channel.
    pub(super) channel: u64,
    /// Between two of them something may have been missed.
    pub(super) epoch: u64,
}

impl News {
    /// Of an event with this id, `type`, `source_type` and `source_id`.
    pub(super) fn new(cursor: Cursor, names: [&str; 4], place: Place, held: &Gauge) -> Self {
        let (names, text) = (names.map(Box::from), OnceLock::new());
        let news = News { names, cursor, place, text, held: held.clone() };
        news.held.inc_by(news.len() as i64);
        news
    }

    /// The event's id.
    pub fn id(&self) -> &str {
        &self.names[0]
    }

    /// The event's `type`.
    pub fn kind(&self) -> &str {
        &self.names[1]
    }

    /// The event's `source_type`.
    pub fn source_type(&self) -> &str {
        &self.names[2]
    }

    /// The event's `source_id`.
    pub fn source_id(&self) -> &str {
        &self.names[3]
    }

    /// Where the event lies.
    pub fn cursor(&self) -> Cursor {
        self.cursor
    }

    pub(super) fn place(&self) -> Place {
        self.place
    }

    /// Bytes that they take, about.
    pub(super) fn len(&self) -> usize {
        self.names.iter().map(|name| name.len()).sum::<usize>() + FRAME
    }

    /// The bytes that all followers get, made for the first of them.
    pub fn shared(&self, make: impl FnOnce(&News) -> Bytes) -> Bytes {
        self.text.get_or_init(|| make(self)).clone()
    }
}

impl Drop for News {
    fn drop(&mut self) {
        self.held.dec_by(self.len() as i64);
    }
}

/// Makes marks that nobody outside can foresee.
#[derive(Default)]
pub(super) struct Marks(RandomState);

impl Marks {
    /// Of an event with this id, `type`, `source_type` and `source_id`.
    pub(super) fn of(&self, names: [&str; 4]) -> u64 {
        self.0.hash_one(names)
    }

    /// The same of an event that was read.
    pub(super) fn of_event(&self, event: &StoredEvent) -> u64 {
        self.of([event.id(), event.kind(), event.source_type(), event.source_id()])
    }

    /// Of a channel.
    pub(super) fn of_channel(&self, channel: &[u8]) -> u64 {
        self.0.hash_one(channel)
    }
}
