//! A body that is one event.

use super::check::check;
use super::element::{self, Element};
use super::pointer::Pointer;
use super::rejection::{Faults, Rejection, RejectionKind};
use super::{Event, Limits, body};

const MORE: &str = "post several events to /events/batch";

/// The event that is the whole body.
///
/// # Errors
/// A [`Rejection`] with all the faults of the event; its pointers are relative
/// to the event.
pub fn parse_one<'a>(body: &'a [u8], limits: &Limits) -> Result<Event<'a>, Rejection> {
    let element = only_value(body::text(body)?, MORE)?;
    if element.json.starts_with('[') {
        return Err(Rejection::of_body(
            RejectionKind::Invalid,
            format!("must be one event, a JSON object, not an array; {MORE}"),
        ));
    }
    let mut faults = Faults::none();
    check(&element, Pointer::Body, limits, &mut faults).ok_or_else(|| faults.into_rejection())
}

/// The only value of the body; `more` tells what to do with several.
pub(super) fn only_value<'a>(body: &'a str, more: &str) -> Result<Element<'a>, Rejection> {
    let malformed = |detail| Rejection::of_body(RejectionKind::Malformed, detail);
    if element::trim_start(body).is_empty() {
        return Err(malformed("the body is empty; send an event as JSON".to_owned()));
    }
    element::read_only(body, more).map_err(|error| malformed(error.detail(body, 0)))
}

#[cfg(test)]
mod tests {
    use super::super::samples::{self, EVENT, LIMITS, Told};
    use super::*;

    fn told(body: impl AsRef<[u8]>) -> Told {
        samples::told(parse_one(body.as_ref(), &LIMITS))
    }

    #[test]
    fn whitespace_around_the_event_is_left_out_and_inside_is_kept() {
        let spaced = EVENT.replace(',', " ,\r\n\t");
        let body = format!(" \r\n{spaced}\t\n");
        let event = parse_one(body.as_bytes(), &LIMITS).unwrap();
        assert_eq!(samples::json(&event), spaced);
    }

    #[test]
    fn what_is_not_json_is_malformed() {
        for body in [
            "{",
            "}",
            "nonsense",
            r#"{"a":NaN}"#,
            r#"{"a":Infinity}"#,
            r#"{"a":-Infinity}"#,
            "{'type':'a'}",
            r#"{"type":'a'}"#,
            "{\"a\":1 // one\n}",
            r#"{"a":/* one */1}"#,
            r#"{"a":1,}"#,
            r#"{"a":[1,]}"#,
            r#"{"a":01}"#,
            r#"{"a":"\x"}"#,
            r#"{"type":"\ud8"}"#,
            "{\"type\":\"a\tb\"}",
            "{\"a\tb\":1}",
            r#"{"a" 1}"#,
            r#"{a:1}"#,
        ] {
            let told = told(body);
            assert_eq!(told.kind, RejectionKind::Malformed, "{body}");
            assert_eq!(told.pointers, [""], "{body}");
            assert!(told.detail.starts_with("line 1, column"), "{body}: {told:?}");
        }
    }

    #[test]
    fn an_empty_body_is_malformed_and_told_so() {
        for body in ["", " ", "\r\n\t"] {
            let told = told(body);
            assert_eq!(told.kind, RejectionKind::Malformed);
            assert!(told.detail.contains("the body is empty"), "{told:?}");
        }
    }

    #[test]
    fn what_is_not_utf8_without_a_mark_is_malformed() {
        for body in [&b"\xEF\xBB\xBF{}"[..], b"\xFE\xFF\0{\0}", b"{\0}\0", b"{\"a\":\"\xE9\"}"] {
            assert_eq!(told(body).kind, RejectionKind::Malformed);
        }
    }

    #[test]
    fn several_events_are_sent_to_the_batch() {
        for body in [format!("{EVENT}\n{EVENT}"), format!("{EVENT} ,")] {
            let told = told(&body);
            assert_eq!(told.kind, RejectionKind::Malformed);
            assert!(told.detail.contains("/events/batch"), "{told:?}");
        }
    }

    #[test]
    fn an_array_is_sent_to_the_batch() {
        let told = told(format!("[{EVENT}]"));
        assert_eq!(told.kind, RejectionKind::Invalid);
        assert_eq!(told.pointers, [""]);
        assert!(told.detail.contains("/events/batch"), "{told:?}");
    }

    #[test]
    fn other_values_are_no_event() {
        for (body, kind) in [("1e999", "a number"), ("null", "null"), (r#""{}""#, "a string")] {
            let told = told(body);
            assert_eq!(told.kind, RejectionKind::Invalid);
            assert_eq!(told.pointers, [""]);
            assert_eq!(told.detail, format!("must be a JSON object, not {kind}"));
        }
    }
}
