//! What holds for every body.

use std::ops::Range;

use dual_stream::event::{
    Event, Fault, Limits, Rejection, RejectionKind, parse_array, parse_lines, parse_one,
};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};
use serde_json::Value;

use crate::check;
use crate::documents::{document, event, sound_event};

const LIMITS: Limits = Limits { max_event: 1 << 20, max_batch: 100 };

proptest! {
    #[test]
    fn a_document_is_judged_as_the_reference_does(document in document()) {
        check::check(document.as_bytes());
    }

    #[test]
    fn a_truncated_document_is_judged_as_the_reference_does(
        document in document(),
        end in any::<Index>(),
    ) {
        check::check(&document.as_bytes()[..end.index(document.len() + 1)]);
    }

    #[test]
    fn a_mutated_document_is_judged_as_the_reference_does(
        document in document(),
        edits in vec((any::<Index>(), 0..3_usize, edit()), 1..4),
    ) {
        let mut body = document.into_bytes();
        for (at, removed, inserted) in edits {
            let at = at.index(body.len() + 1);
            let end = (at + removed).min(body.len());
            body.splice(at..end, inserted);
        }
        check::check(&body);
    }

    #[test]
    fn any_bytes_are_judged_as_the_reference_does(body in vec(any::<u8>(), 0..64)) {
        check::check(&body);
    }

    #[test]
    fn a_sound_event_keeps_every_byte_and_gains_only_an_id(posted in sound_event()) {
        let event = parse_one(posted.as_bytes(), &LIMITS).expect("sound");
        let mut expected: Value = serde_json::from_str(&posted).expect("JSON");
        if expected.get("id").is_some() {
            prop_assert_eq!(event.json(), posted.as_bytes());
        } else {
            prop_assert_eq!(&event.json()[MADE_ID.end + 2..], &posted.as_bytes()[1..]);
            expected["id"] = event.id().into();
        }
        let forwarded: Value = serde_json::from_slice(event.json()).expect("JSON");
        prop_assert_eq!(forwarded, expected);
    }

    #[test]
    fn an_array_is_judged_as_its_events_are(events in vec(event(), 1..6)) {
        let body = format!(" [{}] ", events.join(" ,\n"));
        let result = parse_array(body.as_bytes(), &LIMITS);
        same_as_one_by_one(&events, result)?;
    }

    #[test]
    fn lines_are_judged_as_their_events_are(events in vec(event(), 1..6)) {
        let body = events.join("\r\n \n");
        let result = parse_lines(body.as_bytes(), &LIMITS);
        same_as_one_by_one(&events, result)?;
    }

    #[test]
    fn nesting_is_allowed_up_to_128_levels(levels in 100..160_usize, arrays in any::<bool>()) {
        let (open, close) = if arrays { ("[", "]") } else { (r#"{"]":"#, "}") };
        let data = format!("{}0{}", open.repeat(levels - 1), close.repeat(levels - 1));
        let body =
            format!(r#"{{"type":"a","source_type":"b","source_id":"c","data":{data}}}"#);
        match parse_one(body.as_bytes(), &LIMITS) {
            Ok(_) => prop_assert!(levels <= 127),
            Err(rejection) => {
                prop_assert!(levels > 127);
                prop_assert_eq!(rejection.kind, RejectionKind::Invalid);
            }
        }
    }

    #[test]
    fn numbers_of_any_size_pass(number in r"-?(0|[1-9][0-9]{0,500})(\.[0-9]{1,50})?([eE][+-]?[0-9]{1,6})?") {
        let body = format!(
            r#"{{"id":"i","type":"a","source_type":"b","source_id":"c","data":{number}}}"#
        );
        let event = parse_one(body.as_bytes(), &LIMITS).expect("sound");
        prop_assert_eq!(event.json(), body.as_bytes());
    }
}

/// Bytes to put in: structure, escapes, and any byte at all.
fn edit() -> impl Strategy<Value = Vec<u8>> {
    let pieces = [
        "", "{", "}", "[", "]", ",", ":", "\"", "\\", "\n", "\\ud800", "\\u0000", "NaN", "'", "//",
        "\u{feff}", "\u{1}",
    ];
    prop_oneof![
        3 => select(pieces.to_vec()).prop_map(|piece| piece.as_bytes().to_vec()),
        1 => vec(any::<u8>(), 1..3),
    ]
}

/// Where an `id` made by the service stands in its event: after `{"id":"`.
const MADE_ID: Range<usize> = 7..43;

fn same_as_one_by_one(
    posted: &[String],
    result: Result<Vec<Event<'_>>, Rejection>,
) -> Result<(), TestCaseError> {
    let alone = posted.iter().map(|event| parse_one(event.as_bytes(), &LIMITS));
    let (mut events, mut faults) = (Vec::new(), Vec::new());
    for (index, result) in alone.enumerate() {
        match result {
            Ok(event) => events.push(event),
            Err(rejection) => faults.extend(in_batch(index, rejection.faults)),
        }
    }
    match result {
        Ok(batch) => {
            prop_assert!(faults.is_empty());
            let facts = |events: &[Event<'_>]| events.iter().map(facts).collect::<Vec<_>>();
            prop_assert_eq!(facts(&batch), facts(&events));
        }
        Err(rejection) => prop_assert_eq!(rejection.faults, faults),
    }
    Ok(())
}

fn in_batch(index: usize, faults: Vec<Fault>) -> impl Iterator<Item = Fault> {
    faults
        .into_iter()
        .map(move |fault| Fault { pointer: format!("/{index}{}", fault.pointer), ..fault })
}

/// All that tells two events apart, except an `id` that was made.
fn facts(event: &Event<'_>) -> (String, String, String, Vec<u8>) {
    let mut json = event.json().to_vec();
    if json.get(MADE_ID) == Some(event.id().as_bytes()) && event.id().len() == MADE_ID.len() {
        json.drain(MADE_ID);
    }
    (event.kind().to_owned(), event.source_type().to_owned(), event.source_id().to_owned(), json)
}
