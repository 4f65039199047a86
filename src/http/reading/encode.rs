//! Answers written byte by byte: a stored event is put in as it is, and never parsed again.

use std::io::Write;

use super::refusal;
use crate::cursor::Cursor;
use crate::json;
use crate::position::Position;
use crate::reader::{Found, Page, ReadError, StoredEvent};

/// What an event takes in an answer beside its own bytes, about.
const FRAME: usize = 96;

/// What there is at one cursor of several, in bytes of an answer.
type Outcome = Result<Found, ReadError>;

/// A page: its events, where to go on, and whether the scan came to an end.
pub(super) fn page(page: &Page) -> Vec<u8> {
    let mut out = Vec::with_capacity(room_for(page.events.iter()));
    out.extend_from_slice(b"{\"events\":[");
    for (index, event) in page.events.iter().enumerate() {
        separate(&mut out, index);
        out.push(b'{');
        entry(&mut out, event);
        out.push(b'}');
    }
    out.extend_from_slice(b"],\"next\":");
    match &page.next {
        Some(position) => quoted(&mut out, position),
        None => out.extend_from_slice(b"null"),
    }
    put(&mut out, format_args!(",\"complete\":{}}}", page.complete));
    out
}

/// What there is at each of these cursors, in their order.
pub(super) fn results(cursors: &[Cursor], outcomes: &[Outcome]) -> Vec<u8> {
    let events = outcomes.iter().filter_map(|outcome| match outcome {
        Ok(Found::Event(event)) => Some(event),
        _ => None,
    });
    let mut out = Vec::with_capacity(room_for(events) + FRAME * outcomes.len());
    out.extend_from_slice(b"{\"results\":[");
    for (index, (&cursor, outcome)) in cursors.iter().zip(outcomes).enumerate() {
        separate(&mut out, index);
        result(&mut out, cursor, outcome);
    }
    out.extend_from_slice(b"]}");
    out
}

fn result(out: &mut Vec<u8>, cursor: Cursor, outcome: &Outcome) {
    out.extend_from_slice(b"{\"status\":\"");
    let status = match outcome {
        Ok(Found::Event(event)) => {
            out.extend_from_slice(b"found\",");
            entry(out, event);
            out.push(b'}');
            return;
        }
        Ok(Found::NotYet) => "not_yet",
        Ok(Found::Removed { .. }) => "gone",
        Ok(Found::NoPartition { .. } | Found::NoEvent) => "not_found",
        Err(ReadError::AnswerFull) => "omitted",
        Err(_) => "unavailable",
    };
    put(out, format_args!("{status}\",\"cursor\":\"{cursor}\""));
    if let Ok(Found::Removed { earliest }) = outcome {
        out.extend_from_slice(b",\"earliest\":");
        quoted(out, &refusal::before(cursor.partition(), *earliest));
    }
    out.push(b'}');
}

/// Events, one a line.
pub(super) fn lines(events: &[StoredEvent]) -> Vec<u8> {
    let mut out = Vec::with_capacity(room_for(events.iter()));
    for event in events {
        json::write_event_line(&mut out, event.cursor(), event.time(), &event.value());
    }
    out
}

/// The members of an event in an answer, without the braces.
fn entry(out: &mut Vec<u8>, event: &StoredEvent) {
    json::write_event(out, event.cursor(), event.time(), &event.value());
}

fn separate(out: &mut Vec<u8>, index: usize) {
    if index > 0 {
        out.push(b',');
    }
}

fn quoted(out: &mut Vec<u8>, position: &Position) {
    put(out, format_args!("\"{position}\""));
}

/// Writing to a vector does not fail.
fn put(out: &mut Vec<u8>, text: std::fmt::Arguments<'_>) {
    let _ = out.write_fmt(text);
}

fn room_for<'a>(events: impl Iterator<Item = &'a StoredEvent>) -> usize {
    FRAME + events.map(|event| event.len() + FRAME).sum::<usize>()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_of_nothing_says_where_to_go_on() {
        let next = Some("0-1,3-42".parse().unwrap());
        let text = page(&Page { events: Vec::new(), next, complete: false });
        assert_eq!(text, br#"{"events":[],"next":"0-1,3-42","complete":false}"#);
        let text = page(&Page { events: Vec::new(), next: None, complete: true });
        assert_eq!(text, br#"{"events":[],"next":null,"complete":true}"#);
    }

    #[test]
    fn each_cursor_has_its_result() {
        let cursors = [Cursor::new(3, 1).unwrap(); 5];
        let outcomes = [
            Ok(Found::NotYet),
            Ok(Found::Removed { earliest: 42 }),
            Ok(Found::NoPartition { count: 2 }),
            Err(ReadError::Unavailable),
            Err(ReadError::AnswerFull),
        ];
        let text = String::from_utf8(results(&cursors, &outcomes)).unwrap();
        let expected = r#"{"results":[{"status":"not_yet","cursor":"3-1"},{"status":"gone","cursor":"3-1","earliest":"3-41"},{"status":"not_found","cursor":"3-1"},{"status":"unavailable","cursor":"3-1"},{"status":"omitted","cursor":"3-1"}]}"#;
        assert_eq!(text, expected);
    }
}
