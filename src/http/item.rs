//! What became of one event, as answers say it.

use std::borrow::Cow;

use serde::Serialize;

use crate::cursor::Cursor;
use crate::event::Event;
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

impl Item<'_> {
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
