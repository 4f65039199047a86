//! What became of one event, as answers say it.

use std::borrow::Cow;

use serde::Serialize;

use crate::cursor::Cursor;
use crate::event::Event;
use crate::json;
use crate::kafka::Outcome;

/// What became of one event of a batch.
#[derive(Clone, Debug, Serialize)]
#[serde(tag = "status", rename_all = "snake_case")]
pub(super) enum Item<'a> {
    Stored {
        id: Cow<'a, str>,
        #[serde(skip_serializing_if = "Option::is_none")]
        cursor: Option<Cursor>,
    },
    NotStored {
        id: Cow<'a, str>,
        reason: &'static str,
    },
    Unknown {
        id: Cow<'a, str>,
        reason: &'static str,
    },
}

/// What became of each event, in the order of the request.
pub(super) fn items<'a>(
    events: &'a [Event<'_>],
    outcomes: &'a [Outcome],
) -> impl Iterator<Item = Item<'a>> + 'a {
    events.iter().zip(outcomes).map(|(event, outcome)| {
        let id = Cow::Borrowed(event.id());
        match *outcome {
            Outcome::Stored(cursor) => Item::Stored { id, cursor },
            Outcome::NotStored(reason) => Item::NotStored { id, reason: reason.as_str() },
            Outcome::Unknown(reason) => Item::Unknown { id, reason: reason.as_str() },
        }
    })
}

/// About as many bytes as the result of an event that is stored has.
const USUAL_LENGTH: usize = 90;

/// The body of an answer for a batch, as serde would write it.
pub(super) fn results<'a>(items: impl Iterator<Item = Item<'a>>, count: usize) -> Vec<u8> {
    let mut body = Vec::with_capacity(count * USUAL_LENGTH);
    body.extend_from_slice(br#"{"results":["#);
    for (index, item) in items.enumerate() {
        if index > 0 {
            body.push(b',');
        }
        item.write_to(&mut body);
    }
    body.extend_from_slice(b"]}");
    body
}

impl Item<'_> {
    fn write_to(&self, body: &mut Vec<u8>) {
        let (status, id) = match self {
            Item::Stored { id, .. } => (&br#"{"status":"stored","id":"#[..], id),
            Item::NotStored { id, .. } => (&br#"{"status":"not_stored","id":"#[..], id),
            Item::Unknown { id, .. } => (&br#"{"status":"unknown","id":"#[..], id),
        };
        body.extend_from_slice(status);
        json::write_str(body, id);
        match self {
            Item::Stored { cursor: Some(cursor), .. } => {
                body.extend_from_slice(br#","cursor":"#);
                json::write_cursor(body, *cursor);
            }
            Item::Stored { cursor: None, .. } => {}
            Item::NotStored { reason, .. } | Item::Unknown { reason, .. } => {
                body.extend_from_slice(br#","reason":"#);
                json::write_str(body, reason);
            }
        }
        body.push(b'}');
    }

    /// The same, for an answer that is written after the request is gone.
    pub(super) fn into_owned(self) -> Item<'static> {
        let own = |id: Cow<'_, str>| Cow::Owned(id.into_owned());
        match self {
            Item::Stored { id, cursor } => Item::Stored { id: own(id), cursor },
            Item::NotStored { id, reason } => Item::NotStored { id: own(id), reason },
            Item::Unknown { id, reason } => Item::Unknown { id: own(id), reason },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_are_written_as_serde_writes_them() {
        let id = Cow::Borrowed("a\"b");
        let items = [
            Item::Stored { id: id.clone(), cursor: Cursor::new(3, 42) },
            Item::Stored { id: id.clone(), cursor: None },
            Item::NotStored { id: id.clone(), reason: "buffer_full" },
            Item::Unknown { id, reason: "timed_out" },
        ];
        let expected = serde_json::json!({ "results": items });
        let written: serde_json::Value =
            serde_json::from_slice(&results(items.into_iter(), 4)).unwrap();
        assert_eq!(written, expected);
    }
}
