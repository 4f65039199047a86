//! Events as they come in: checked, and left as they are.
//!
//! An event is a JSON object with the members `type`, `source_type`,
//! `source_id` and perhaps `id`; everything else in it is the sender's own. The
//! body is checked as UTF-8 once and then scanned once: the scan finds the known
//! members without building a tree, and [`Event::json`] hands on the bytes from
//! the event's `{` to its `}` exactly as posted. Big numbers, the order of
//! members and the whitespace inside survive, and so do repeated names, except
//! those of known members. The only change ever made is an `id` put in front
//! when there is none.
//!
//! [`parse_one`], [`parse_array`] and [`parse_lines`] read the three forms of a
//! body. Each tells everything that is wrong in one [`Rejection`], at most 100
//! faults of it, and works in time and memory linear in the body.

mod array;
mod batch;
mod body;
mod check;
mod depth;
mod element;
mod lines;
mod members;
mod one;
mod pointer;
mod rejection;
mod rules;
#[cfg(test)]
mod samples;
mod selection;
mod source;
mod surrogates;
mod syntax;

use std::borrow::Cow;
use std::ops::Range;

use uuid::Uuid;

pub use array::parse_array;
pub use lines::parse_lines;
pub use one::parse_one;
pub use rejection::{Fault, Rejection, RejectionKind};
pub use selection::Selection;
pub use source::{InvalidSource, Source};

/// Whether an event can have this `id` and this `type`.
pub fn may_be_named(id: &str, kind: &str) -> bool {
    let is_kept = |member, value| rules::violation(member, value).is_none();
    is_kept(members::Member::Id, id) && is_kept(members::Member::Type, kind)
}

/// How much is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of one event as posted, from its `{` to its `}`. An `id` put in
    /// adds 44 bytes, which do not count.
    pub max_event: usize,
    /// Events in one batch.
    pub max_batch: usize,
}

/// One event that keeps the rules, borrowing from the body of its request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event<'a> {
    id: Id<'a>,
    kind: Cow<'a, str>,
    source_type: Cow<'a, str>,
    source_id: Cow<'a, str>,
    json: Cow<'a, str>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Id<'a> {
    Posted(Cow<'a, str>),
    /// Made here, and found in the event's JSON at [`MADE_ID`].
    Made,
}

impl<'a> Event<'a> {
    fn new(
        id: Id<'a>,
        kind: Cow<'a, str>,
        source_type: Cow<'a, str>,
        source_id: Cow<'a, str>,
        json: &'a str,
    ) -> Self {
        let json = match id {
            Id::Posted(_) => Cow::Borrowed(json),
            Id::Made => Cow::Owned(with_new_id(json)),
        };
        Self { id, kind, source_type, source_id, json }
    }

    /// The member `id`, or the UUIDv7 made in its place: 1 to 128 characters.
    pub fn id(&self) -> &str {
        match &self.id {
            Id::Posted(id) => id,
            Id::Made => &self.json[MADE_ID],
        }
    }

    /// The member `type`: 1 to 128 characters.
    pub fn kind(&self) -> &str {
        &self.kind
    }

    /// The member `source_type`: 1 to 64 of `A-Z a-z 0-9 . _ -`.
    pub fn source_type(&self) -> &str {
        &self.source_type
    }

    /// The member `source_id`: 1 to 256 bytes.
    pub fn source_id(&self) -> &str {
        &self.source_id
    }

    /// The event as JSON in UTF-8, from `{` to `}`: as posted, with the `id` in
    /// front when it was made here.
    pub fn json(&self) -> &[u8] {
        self.json.as_bytes()
    }
}

const BEFORE_ID: &str = r#"{"id":""#;
const AFTER_ID: &str = r#"","#;
const MADE_ID: Range<usize> = BEFORE_ID.len()..BEFORE_ID.len() + uuid::fmt::Hyphenated::LENGTH;

/// `json` is an object with other members, so that a comma must follow the id.
fn with_new_id(json: &str) -> String {
    let mut buffer = Uuid::encode_buffer();
    let id: &str = Uuid::now_v7().hyphenated().encode_lower(&mut buffer);
    let members = &json[1..];
    [BEFORE_ID, id, AFTER_ID, members].concat()
}

#[cfg(test)]
mod tests {
    use super::samples::{self, EVENT, LIMITS};
    use super::*;

    #[test]
    fn an_event_tells_its_members() {
        let event = parse_one(EVENT.as_bytes(), &LIMITS).unwrap();
        assert_eq!(event.id(), "e1");
        assert_eq!(event.kind(), "user.followed");
        assert_eq!(event.source_type(), "user");
        assert_eq!(event.source_id(), "octocat");
    }

    #[test]
    fn an_event_with_an_id_is_not_copied() {
        let event = parse_one(EVENT.as_bytes(), &LIMITS).unwrap();
        assert_eq!(event.json().as_ptr(), EVENT.as_ptr());
        assert_eq!(event.json(), EVENT.as_bytes());
    }

    #[test]
    fn a_missing_id_is_put_in_front() {
        let body = r#"{ "type":"a","source_type":"b", "source_id":"c" }"#;
        let event = parse_one(body.as_bytes(), &LIMITS).unwrap();
        let expected = format!(r#"{{"id":"{}",{}"#, event.id(), &body[1..]);
        assert_eq!(samples::json(&event), expected);
        assert_eq!(event.json().len(), body.len() + 44);
    }

    #[test]
    fn an_id_made_is_a_uuid_of_version_7_in_order_of_making() {
        let body = r#"{"type":"a","source_type":"b","source_id":"c"}"#;
        let made = || {
            let event = parse_one(body.as_bytes(), &LIMITS).unwrap();
            event.id().parse::<Uuid>().expect("a UUID")
        };
        let (first, second) = (made(), made());
        assert_eq!(first.get_version_num(), 7);
        assert!(first < second);
    }

    #[test]
    fn members_written_with_escapes_are_decoded() {
        let body = r#"{"id":"\u0041\"","\u0074ype":"a\/b","source_type":"\u0062","source_id":"c"}"#;
        let event = parse_one(body.as_bytes(), &LIMITS).unwrap();
        assert_eq!((event.id(), event.kind(), event.source_type()), ("A\"", "a/b", "b"));
        assert_eq!(samples::json(&event), body);
    }
}
