//! A record that may be an event.

use std::sync::OnceLock;

use serde_json::value::RawValue;

use super::stored::StoredEvent;

/// A record that has the headers of an event, and whose value is looked at when it is first asked
/// for: that it is JSON costs more to find out than all else that a record costs whoever follows the
/// log, and most are never asked for. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Candidate {
    event: StoredEvent,
    is_json: OnceLock<bool>,
}

impl Candidate {
    pub(crate) fn new(event: StoredEvent) -> Self {
        Candidate { event, is_json: OnceLock::new() }
    }

    /// The event; none when the value is no JSON, which has no place in an answer. Reads all of the
    /// value the first time.
    pub fn event(&self) -> Option<&StoredEvent> {
        self.is_json.get_or_init(|| is_json(&self.event.value())).then_some(&self.event)
    }

    /// What it would be. Its value may be anything.
    pub fn unchecked(&self) -> &StoredEvent {
        &self.event
    }
}

/// Whether it is one JSON value in UTF-8.
pub(super) fn is_json(value: &[u8]) -> bool {
    serde_json::from_slice::<&RawValue>(value).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cursor::Cursor;

    fn event(value: &[u8]) -> Option<StoredEvent> {
        let texts = ["id", "type", "repo", "a", "application/json"];
        let event = StoredEvent::new(Cursor::new(0, 1).unwrap(), 0, texts, value).unwrap();
        Candidate::new(event).event().cloned()
    }

    #[test]
    fn what_is_no_json_is_no_event() {
        assert_eq!(event(b" {}\n").unwrap().value().as_ref(), b" {}\n");
        for value in [b"".as_slice(), b"{", b"{} {}", b"\"\xff\"", b"avro"] {
            assert!(event(value).is_none(), "{value:?}");
        }
    }
}
