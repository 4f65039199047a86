//! A body of newline-delimited events (NDJSON).

use super::batch;
use super::element::{self, Element};
use super::pointer::Pointer;
use super::rejection::{Fault, Rejection, RejectionKind};
use super::{Event, Limits, body};

const MORE: &str = "put each event on a line of its own";

/// The events of newline-delimited JSON, in its order.
///
/// Lines of nothing but spaces, tabs and carriage returns are skipped; the last
/// line needs no newline.
///
/// # Errors
/// A [`Rejection`] with the faults of all lines: they stand alone, so that a
/// malformed one does not hide the others. Pointers count events, and details
/// of malformed JSON give the line of the body.
pub fn parse_lines<'a>(body: &'a [u8], limits: &Limits) -> Result<Vec<Event<'a>>, Rejection> {
    let body = body::text(body)?;
    if is_array(body) {
        return Err(Rejection::of_body(
            RejectionKind::Invalid,
            "must be lines of events, not an array; post it with Content-Type: application/json",
        ));
    }
    batch::check_all(values(body), limits)
}

/// Most often an array posted with the wrong media type. An array at the start
/// is a fault in any case, so that good bodies never pay for this scan.
fn is_array(body: &str) -> bool {
    element::trim_start(body).starts_with('[') && element::read_only(body, MORE).is_ok()
}

fn values(body: &str) -> impl Iterator<Item = Result<Element<'_>, Fault>> {
    let numbered = (1..).zip(body.split('\n'));
    let filled = numbered.filter(|(_, line)| !element::trim_start(line).is_empty());
    filled.enumerate().map(|(index, (number, line))| {
        element::read_only(line, MORE).map_err(|error| Fault {
            pointer: Pointer::Nth(index).to_value(),
            detail: error.detail_in_line(number, line),
        })
    })
}

#[cfg(test)]
mod tests {
    use super::super::samples::{self, EVENT, LIMITS, Told};
    use super::*;

    fn json(body: &str) -> Vec<String> {
        let events = parse_lines(body.as_bytes(), &LIMITS).expect(body);
        events.iter().map(samples::json).collect()
    }

    fn told(body: &str) -> Told {
        samples::told(parse_lines(body.as_bytes(), &LIMITS))
    }

    #[test]
    fn hold_one_event_each() {
        assert_eq!(json(EVENT), [EVENT]);
        assert_eq!(json(&format!("{EVENT}\n{EVENT}\n")), [EVENT, EVENT]);
    }

    #[test]
    fn blank_ones_are_skipped_and_whitespace_is_left_out() {
        let body = format!("\n \t\r\n  {EVENT} \r\n\r\n{EVENT}\t\r\n\n");
        assert_eq!(json(&body), [EVENT, EVENT]);
    }

    #[test]
    fn none_are_an_empty_batch() {
        for body in ["", "\n", " \r\n\t\n"] {
            let told = told(body);
            assert_eq!(told.kind, RejectionKind::Invalid);
            assert_eq!(told.pointers, [""]);
            assert!(told.detail.contains("the batch is empty"), "{told:?}");
        }
    }

    #[test]
    fn all_faulty_ones_are_named_by_event_and_line() {
        let told = told(&format!("{{\n\n{EVENT}\n{EVENT} {EVENT}\n7\n\t{{\"a\":}}"));
        assert_eq!(told.kind, RejectionKind::Malformed);
        assert_eq!(told.pointers, ["/0", "/2", "/3", "/4"]);
        assert!(told.detail.starts_with("line 1, column 1:"), "{told:?}");
        assert!(told.last.starts_with("line 6, column 7:"), "{told:?}");
    }

    #[test]
    fn an_event_over_several_lines_is_malformed() {
        let told = told("{\n\"type\": \"a\"\n}");
        assert_eq!(told.kind, RejectionKind::Malformed);
        assert_eq!(told.pointers, ["/0", "/1", "/2"]);
    }

    #[test]
    fn an_array_is_told_its_media_type() {
        for body in [format!("[{EVENT}]"), format!("\n[\n{EVENT}\n]\n")] {
            let told = told(&body);
            assert_eq!(told.kind, RejectionKind::Invalid);
            assert_eq!(told.pointers, [""]);
            assert!(told.detail.contains("application/json"), "{told:?}");
        }
    }

    #[test]
    fn an_array_among_them_is_no_event() {
        let told = told(&format!("[]\n{EVENT}"));
        assert_eq!(told.kind, RejectionKind::Invalid);
        assert_eq!(told.pointers, ["/0"]);
    }
}
