//! JSON that is written for each event, straight into the bytes that go out.
//!
//! `serde_json` looks at each byte of a string to see whether it has to be escaped, and writes a
//! cursor through `fmt`. Both are a good part of what an answer to a batch costs.

use std::io::Write;

use bytes::BufMut;

use crate::cursor::Cursor;
use crate::time;

/// Writes a string with its quotes.
pub fn write_str(json: &mut Vec<u8>, text: &str) {
    if !is_plain(text.as_bytes()) {
        // Writing to memory does not fail.
        let _ = serde_json::to_writer(json, text);
        return;
    }
    json.push(b'"');
    json.extend_from_slice(text.as_bytes());
    json.push(b'"');
}

/// Writes a cursor with its quotes.
pub fn write_cursor(json: &mut Vec<u8>, cursor: Cursor) {
    let mut digits = itoa::Buffer::new();
    json.push(b'"');
    json.extend_from_slice(digits.format(cursor.partition()).as_bytes());
    json.push(b'-');
    json.extend_from_slice(digits.format(cursor.offset()).as_bytes());
    json.push(b'"');
}

/// Writes the members of a stored event in an answer, without the braces around them. `time` is in
/// milliseconds since 1970. The event's own bytes are put in as they are.
pub fn write_event(json: &mut impl BufMut, cursor: Cursor, time: i64, event: &[u8]) {
    let time = time::shown(time);
    // Writing to memory does not fail.
    let _ = write!(json.writer(), r#""cursor":"{cursor}","time":"{time}","event":"#);
    json.put_slice(event);
}

/// Writes the same as an object on one line, `{"cursor":…,"time":…,"event":…}`, without the line's
/// end.
pub fn write_event_object<B: BufMut + AsMut<[u8]>>(
    json: &mut B,
    cursor: Cursor,
    time: i64,
    event: &[u8],
) {
    json.put_slice(b"{");
    let begin = json.as_mut().len();
    write_event(json, cursor, time, event);
    on_one_line(&mut json.as_mut()[begin..]);
    json.put_slice(b"}");
}

/// Writes the same with the line's end.
pub fn write_event_line<B: BufMut + AsMut<[u8]>>(
    lines: &mut B,
    cursor: Cursor,
    time: i64,
    event: &[u8],
) {
    write_event_object(lines, cursor, time, event);
    lines.put_slice(b"\n");
}

/// Line ends in JSON are white space between its tokens, since strings have them escaped; so they
/// may be any other white space.
fn on_one_line(json: &mut [u8]) {
    let mut from = 0;
    while let Some(found) = memchr::memchr2(b'\n', b'\r', &json[from..]) {
        from += found;
        json[from] = b' ';
    }
}

/// Whether nothing has to be escaped. Without a branch for each byte, so that the compiler makes
/// one comparison for many.
fn is_plain(bytes: &[u8]) -> bool {
    let needs_escape = |byte: u8| byte < 0x20 || byte == b'"' || byte == b'\\';
    !bytes.iter().fold(false, |found, &byte| found | needs_escape(byte))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn written(text: &str) -> Vec<u8> {
        let mut json = Vec::new();
        write_str(&mut json, text);
        json
    }

    proptest! {
        #[test]
        fn a_string_is_written_as_serde_json_writes_it(text in any::<String>()) {
            prop_assert_eq!(written(&text), serde_json::to_vec(&text).unwrap());
        }

        #[test]
        fn a_cursor_is_written_as_it_is_shown(partition in 0..=i32::MAX, offset in 0..=i64::MAX) {
            let cursor = Cursor::new(partition, offset).unwrap();
            let mut json = Vec::new();
            write_cursor(&mut json, cursor);
            prop_assert_eq!(json, serde_json::to_vec(&cursor).unwrap());
        }
    }

    #[test]
    fn an_event_stands_in_one_line_as_it_was_posted() {
        let event = b"{\n  \"n\": 12345678901234567890,\r\n  \"s\": \"a\\nb\"\n}";
        let mut line = Vec::new();
        write_event_line(&mut line, Cursor::new(3, 42).unwrap(), 1_793_534_400_007, event);
        assert_eq!(
            std::str::from_utf8(&line).unwrap(),
            "{\"cursor\":\"3-42\",\"time\":\"2026-11-01T12:00:00.007Z\",\"event\":\
             {   \"n\": 12345678901234567890,    \"s\": \"a\\nb\" }}\n"
        );
    }

    #[test]
    fn each_byte_that_needs_it_is_escaped() {
        for character in (0..0x100).filter_map(char::from_u32) {
            let text = format!("aaaaaaaaaaaaaaaaaaaa{character}b");
            assert_eq!(written(&text), serde_json::to_vec(&text).unwrap());
        }
    }
}
