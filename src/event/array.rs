//! A body that is a JSON array of events.

use super::batch;
use super::check::kind_of;
use super::element::{self, Element};
use super::one::only_value;
use super::pointer::Pointer;
use super::rejection::{Fault, Rejection, RejectionKind};
use super::syntax::SyntaxError;
use super::{Event, Limits, body};

const LINES: &str = "post newline-delimited events with Content-Type: application/x-ndjson";

/// The events of a JSON array, in its order.
///
/// # Errors
/// A [`Rejection`] with the faults of all events. Malformed JSON ends the
/// reading, so that faults after it are not told.
pub fn parse_array<'a>(body: &'a [u8], limits: &Limits) -> Result<Vec<Event<'a>>, Rejection> {
    let body = body::text(body)?;
    match Values::of(body) {
        Some(values) => batch::check_all(values, limits),
        None => Err(not_an_array(body)),
    }
}

fn not_an_array(body: &str) -> Rejection {
    match only_value(body, LINES) {
        Err(rejection) => rejection,
        Ok(element) => Rejection::of_body(
            RejectionKind::Invalid,
            format!(
                "must be a JSON array of events, not {}; post one event to /events, or {LINES}",
                kind_of(element.json)
            ),
        ),
    }
}

/// The values of an array, framed by hand: each is scanned once, by the parser
/// that finds its members, and that scan tells where the next one begins.
struct Values<'a> {
    body: &'a str,
    /// Where reading goes on.
    at: usize,
    /// Values read so far.
    count: usize,
    /// The array is closed, or malformed.
    done: bool,
}

impl<'a> Values<'a> {
    /// `None` when the body does not begin an array.
    fn of(body: &'a str) -> Option<Self> {
        let mut values = Self { body, at: 0, count: 0, done: false };
        values.eat('[').then_some(values)
    }

    fn read(&mut self) -> Result<Option<Element<'a>>, Fault> {
        if self.eat(']') {
            return self.close();
        }
        if self.count > 0 && !self.eat(',') {
            return Err(self.not_separated());
        }
        let element = element::read_first(&self.body[self.at..])
            .map_err(|error| self.fault(Pointer::Nth(self.count), &error))?;
        self.at += element.end;
        self.count += 1;
        Ok(Some(element))
    }

    fn close(&self) -> Result<Option<Element<'a>>, Fault> {
        if self.at == self.body.len() {
            return Ok(None);
        }
        let more =
            SyntaxError::new(0, format!("there is more after the array; for lines, {LINES}"));
        Err(self.fault(Pointer::Body, &more))
    }

    fn not_separated(&self) -> Fault {
        let message = match self.at == self.body.len() {
            true => "the array is not closed; send the whole of it, up to its `]`",
            false => "expected `,` or `]` after the event; separate events by commas",
        };
        self.fault(Pointer::Nth(self.count - 1), &SyntaxError::new(0, message))
    }

    /// For an error in the text that begins where reading goes on.
    fn fault(&self, pointer: Pointer, error: &SyntaxError) -> Fault {
        Fault { pointer: pointer.to_value(), detail: error.detail(self.body, self.at) }
    }

    /// Steps over `token` when it comes next, and over the whitespace around it.
    fn eat(&mut self, token: char) -> bool {
        let rest = element::trim_start(&self.body[self.at..]);
        let after = rest.strip_prefix(token).map(element::trim_start);
        self.at = self.body.len() - after.unwrap_or(rest).len();
        after.is_some()
    }
}

impl<'a> Iterator for Values<'a> {
    type Item = Result<Element<'a>, Fault>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.done {
            return None;
        }
        let read = self.read();
        self.done = !matches!(read, Ok(Some(_)));
        read.transpose()
    }
}

#[cfg(test)]
mod tests {
    use super::super::samples::{self, EVENT, LIMITS, Told};
    use super::*;

    fn json(body: &str) -> Vec<String> {
        let events = parse_array(body.as_bytes(), &LIMITS).expect(body);
        events.iter().map(samples::json).collect()
    }

    fn told(body: &str) -> Told {
        samples::told(parse_array(body.as_bytes(), &LIMITS))
    }

    #[test]
    fn holds_events_without_the_whitespace_around_them() {
        assert_eq!(json(&format!("[{EVENT}]")), [EVENT]);
        assert_eq!(json(&format!(" [\n {EVENT}\t,\r\n{EVENT} ] \n")), [EVENT, EVENT]);
    }

    #[test]
    fn an_empty_array_is_an_empty_batch() {
        for body in ["[]", " [ \n ] "] {
            let told = told(body);
            assert_eq!(told.kind, RejectionKind::Invalid);
            assert_eq!(told.pointers, [""]);
            assert!(told.detail.contains("the batch is empty"), "{told:?}");
        }
    }

    #[test]
    fn every_value_that_is_no_object_is_named() {
        let body = format!(r#"[{EVENT}, 1, "{{}}", [], null, true, -1e999, {EVENT}]"#);
        let told = told(&body);
        assert_eq!(told.kind, RejectionKind::Invalid);
        assert_eq!(told.pointers, ["/1", "/2", "/3", "/4", "/5", "/6"]);
        assert!(told.detail.contains("must be a JSON object"), "{told:?}");
    }

    #[test]
    fn malformed_json_ends_the_reading_and_is_located_in_the_body() {
        let told = told(&format!("[{EVENT},\n{{}},\n {{\"a\":nul}},\n{{]"));
        assert_eq!(told.kind, RejectionKind::Malformed);
        assert_eq!(told.pointers.last().map(String::as_str), Some("/2"));
        assert!(told.last.starts_with("line 3, column 10:"), "{told:?}");
    }

    #[test]
    fn a_broken_frame_is_malformed() {
        for (body, pointer) in [
            ("[", "/0"),
            ("[,E]", "/0"),
            ("[}", "/0"),
            ("[E", "/0"),
            ("[E,", "/1"),
            ("[E,]", "/1"),
            ("[E,,E]", "/1"),
            ("[E E]", "/0"),
            ("[E}", "/0"),
            ("[1x]", "/0"),
            ("[E]]", ""),
            ("[E],", ""),
            ("[E]\n[E]", ""),
        ] {
            let told = told(&body.replace('E', EVENT));
            assert_eq!(told.kind, RejectionKind::Malformed, "{body}");
            assert_eq!(told.pointers.last().map(String::as_str), Some(pointer), "{body}");
        }
    }

    #[test]
    fn an_empty_body_is_malformed() {
        for body in ["", " \n"] {
            let told = told(body);
            assert_eq!(told.kind, RejectionKind::Malformed);
            assert!(told.detail.contains("the body is empty"), "{told:?}");
        }
    }

    #[test]
    fn a_single_event_is_sent_to_its_own_resource() {
        let told = told(EVENT);
        assert_eq!(told.kind, RejectionKind::Invalid);
        assert_eq!(told.pointers, [""]);
        assert!(told.detail.contains("post one event to /events"), "{told:?}");
    }

    #[test]
    fn lines_are_told_their_media_type() {
        for body in [format!("{EVENT}\n{EVENT}"), format!("[{EVENT}]\n[{EVENT}]")] {
            let told = told(&body);
            assert_eq!(told.kind, RejectionKind::Malformed);
            assert!(told.detail.contains("application/x-ndjson"), "{told:?}");
        }
    }
}
