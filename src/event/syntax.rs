//! What is wrong with text that is not JSON, and where.

use std::fmt;

use memchr::{memchr_iter, memrchr};

/// Text that is not the JSON expected.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct SyntaxError {
    /// The byte of the text that cannot stand there.
    pub(super) offset: usize,
    /// What is wrong, and what to do.
    pub(super) message: String,
}

impl SyntaxError {
    pub(super) fn new(offset: usize, message: impl Into<String>) -> Self {
        let message = message.into();
        Self { offset, message }
    }

    /// The parser's `error` about `text`, with advice in place of its position.
    pub(super) fn from_parser(error: &serde_json::Error, text: &str) -> Self {
        let message = error.to_string();
        let position = format!(" at line {} column {}", error.line(), error.column());
        let message = message.strip_suffix(&position).unwrap_or(&message);
        let offset = offset_of(error, text);
        let advice = match message {
            _ if error.is_eof() => "send the whole JSON text, it ends too early",
            _ if message.starts_with("control character") => "escape it, as in \\n or \\u0000",
            _ => advice(text.as_bytes().get(offset)),
        };
        Self::new(offset, format!("{message}; {advice}"))
    }

    /// The same error about a text that begins `start` bytes earlier.
    pub(super) fn after(self, start: usize) -> Self {
        Self::new(start + self.offset, self.message)
    }

    /// As the detail of a fault, for text that begins at `start` of `body`.
    pub(super) fn detail(&self, body: &str, start: usize) -> String {
        let place = Place::of(body, start + self.offset);
        format!("{place}: {}", self.message)
    }

    /// As the detail of a fault, for text that is one whole line of the body.
    ///
    /// The number is given, since counting the lines before it for each of many
    /// faulty lines would take quadratic time.
    pub(super) fn detail_in_line(&self, number: usize, line: &str) -> String {
        let place = Place { line: number, ..Place::of(line, self.offset) };
        format!("{place}: {}", self.message)
    }
}

fn offset_of(error: &serde_json::Error, text: &str) -> usize {
    let line_start = match error.line() {
        0 | 1 => 0,
        line => memchr_iter(b'\n', text.as_bytes()).nth(line - 2).map_or(0, |newline| newline + 1),
    };
    // A text that ends with a newline is said to end in column 0 of the next line.
    (line_start + error.column()).saturating_sub(1)
}

/// What to do about the mistakes made most often, by the byte they begin with.
fn advice(offending: Option<&u8>) -> &'static str {
    match offending {
        Some(b'\'') => "put strings and names in double quotes",
        Some(b'/' | b'#') => "remove the comment, JSON has none",
        Some(b'N' | b'I') => "send null or a string, JSON has no NaN and no Infinity",
        Some(b'}' | b']') => "remove the comma before it or add the missing value",
        _ => "send JSON as RFC 8259 describes it",
    }
}

/// A place in the body, both numbers from 1; columns are bytes.
struct Place {
    line: usize,
    column: usize,
}

impl Place {
    fn of(text: &str, offset: usize) -> Self {
        let before = &text.as_bytes()[..offset.min(text.len())];
        let line_start = memrchr(b'\n', before).map_or(0, |newline| newline + 1);
        Self { line: 1 + memchr_iter(b'\n', before).count(), column: 1 + before.len() - line_start }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}, column {}", self.line, self.column)
    }
}

#[cfg(test)]
mod tests {
    use serde::de::IgnoredAny;

    use super::*;

    fn error(text: &str) -> SyntaxError {
        let error = serde_json::from_str::<IgnoredAny>(text).expect_err(text);
        SyntaxError::from_parser(&error, text)
    }

    #[test]
    fn an_error_points_at_the_offending_byte() {
        for (text, offset) in [
            (r#"  {"a":NaN}"#, 7),
            ("{\n\"a\":\n 'x'}", 8),
            ("{\"a\":1,}", 7),
            ("[1,\n\n2 3]", 7),
            ("[\n", 1),
            ("// no", 0),
            ("{\"a\":-Infinity}", 6),
        ] {
            assert_eq!(error(text).offset, offset, "{text}");
        }
    }

    #[test]
    fn an_error_says_what_to_do() {
        for (text, advice) in [
            (r#"{"a":NaN}"#, "no NaN"),
            (r#"{"a":-Infinity}"#, "no Infinity"),
            ("{'a':1}", "double quotes"),
            (r#"{"a":'x'}"#, "double quotes"),
            (r#"{"a":1,}"#, "comma"),
            (r#"{"a":[1,]}"#, "comma"),
            (r#"{"a":1 // one"#, "comment"),
            ("{\"a\":\"x\ny\"}", "escape it"),
            (r#"{"a":"#, "ends too early"),
            (r#"{"a":01}"#, "RFC 8259"),
        ] {
            let message = error(text).message;
            assert!(message.contains(advice), "{text}: {message}");
        }
    }

    #[test]
    fn an_error_is_placed_by_lines_and_bytes_from_one() {
        let error = |offset| SyntaxError::new(offset, "wrong");
        assert_eq!(error(0).detail("abc", 0), "line 1, column 1: wrong");
        assert_eq!(error(1).detail("a\nbc", 2), "line 2, column 2: wrong");
        assert_eq!(error(9).detail("a\n", 0), "line 2, column 1: wrong");
        assert_eq!(error(1).detail_in_line(7, "abc"), "line 7, column 2: wrong");
    }
}
