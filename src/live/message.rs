//! What followers get of an event: encoded once, however many they are.

use std::sync::OnceLock;

use crate::metrics::Gauge;
use bytes::Bytes;

use crate::cursor::Cursor;
use crate::kafka::StoredEvent;

/// What a message takes beside its event, about.
const FRAME: usize = 256;

/// How much of an event a follower wants.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Form {
    /// What is told of it on Redis: identifiers.
    #[default]
    Notification,
    /// The event itself.
    Event,
}

/// An event that the tail has brought, on its way to its followers.
pub struct Message {
    event: StoredEvent,
    /// Up to where everything has gone by, with this event.
    position: String,
    notification: OnceLock<Bytes>,
    whole: OnceLock<Bytes>,
    /// Counts its bytes for as long as any follower has it before it.
    held: Gauge,
}

impl Message {
    pub(super) fn new(event: StoredEvent, position: String, held: &Gauge) -> Self {
        let (notification, whole) = (OnceLock::new(), OnceLock::new());
        let message = Message { event, position, notification, whole, held: held.clone() };
        message.held.inc_by(message.len() as i64);
        message
    }

    /// The event.
    pub fn event(&self) -> &StoredEvent {
        &self.event
    }

    /// Where it lies.
    pub fn cursor(&self) -> Cursor {
        self.event.cursor()
    }

    /// Up to where everything has come, with it.
    pub fn position(&self) -> &str {
        &self.position
    }

    /// Bytes that it takes, about.
    pub(super) fn len(&self) -> usize {
        self.event.len() + self.position.len() + FRAME
    }

    /// The bytes that all followers of one form get, made for the first of them from the event and
    /// the position.
    pub fn shared(&self, form: Form, make: impl FnOnce(&StoredEvent, &str) -> Bytes) -> Bytes {
        let place = match form {
            Form::Notification => &self.notification,
            Form::Event => &self.whole,
        };
        place.get_or_init(|| make(&self.event, &self.position)).clone()
    }
}

impl Drop for Message {
    fn drop(&mut self) {
        self.held.dec_by(self.len() as i64);
    }
}
