//! What is announced, as anybody may have written it.

use std::borrow::Cow;

use serde::Deserialize;

use crate::cursor::Cursor;
use crate::event;

/// No notification is larger: two names of 128 characters and one of 256 bytes, each of which may
/// have to be escaped.
const MOST: usize = 8 * 1024;

/// What is told of an event, each part as an event may have it.
#[derive(Debug, Deserialize)]
pub(super) struct Notification<'a> {
    #[serde(borrow)]
    pub(super) id: Cow<'a, str>,
    #[serde(borrow, rename = "type")]
    pub(super) kind: Cow<'a, str>,
    #[serde(borrow)]
    pub(super) source_id: Cow<'a, str>,
    #[serde(borrow)]
    cursor: Option<Cow<'a, str>>,
}

impl<'a> Notification<'a> {
    /// Reads it. The source is checked with its type, which is not in here.
    pub(super) fn read(payload: &'a [u8]) -> Option<Self> {
        if payload.len() > MOST {
            return None;
        }
        let read: Self = serde_json::from_slice(payload).ok()?;
        event::may_be_named(&read.id, &read.kind).then_some(read)
    }

    /// Where the event lies. None when the broker did not say, or this is none.
    pub(super) fn cursor(&self) -> Option<Cursor> {
        self.cursor.as_deref()?.parse().ok()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn cursor(payload: &str) -> Option<String> {
        Some(Notification::read(payload.as_bytes())?.cursor()?.to_string())
    }

    #[test]
    fn what_is_announced_is_read_and_what_is_unknown_passed_over() {
        let payload =
            r#"{"id":"a\\\"1","type":"push","source_id":"o/r","cursor":"3-42","more":[1]}"#;
        let read = Notification::read(payload.as_bytes()).unwrap();
        assert_eq!((&*read.id, &*read.kind, &*read.source_id), ("a\\\"1", "push", "o/r"));
        assert_eq!(cursor(payload).as_deref(), Some("3-42"));
    }

    #[test]
    fn what_is_none_is_not_read() {
        let with = |id: &str, cursor: &str| {
            format!(r#"{{"id":"{id}","type":"t","source_id":"i","cursor":{cursor}}}"#)
        };
        assert!(cursor(&with("1", r#""0-1""#)).is_some());
        for wrong in [
            with("1", "null"),
            with("1", "7"),
            with("1", r#""0-01""#),
            with("1", r#""0--1""#),
            with("1", r#""0-9223372036854775808""#),
            with("", r#""0-1""#),
            with(&"x".repeat(129), r#""0-1""#),
            r#"{"id":"1","type":"t","source_id":"i"}"#.to_owned(),
            r#"{"id":"1","id":"1","type":"t","source_id":"i","cursor":"0-1"}"#.to_owned(),
            r#"{"id":1,"type":"t","source_id":"i","cursor":"0-1"}"#.to_owned(),
            "[]".to_owned(),
            String::new(),
            format!("{}{}", with("1", r#""0-1""#), " ".repeat(MOST)),
        ] {
            assert_eq!(cursor(&wrong), None, "{wrong}");
        }
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(payload in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = Notification::read(&payload);
        }
    }
}
