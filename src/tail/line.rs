//! One event as a line of NDJSON.

use std::fmt::Write;

use bytes::{BufMut, BytesMut};

use crate::kafka::StoredEvent;
use crate::time;

/// Appends `{"cursor":…,"time":…,"event":…}` and a newline, with the event as it was posted, but
/// for newlines in it, which become spaces: in JSON they only stand between its parts.
pub(super) fn write(event: &StoredEvent, line: &mut BytesMut) {
    let (cursor, time) = (event.cursor(), time::shown(event.time()));
    // A buffer in memory takes everything.
    let _ = write!(line, r#"{{"cursor":"{cursor}","time":"{time}","event":"#);
    let start = line.len();
    line.put_slice(&event.value());
    for byte in &mut line[start..] {
        if matches!(byte, b'\n' | b'\r') {
            *byte = b' ';
        }
    }
    line.put_slice(b"}\n");
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cursor::Cursor;

    #[test]
    fn the_event_stands_in_one_line_as_it_was_posted() {
        let texts = ["id", "type", "repo", "owner/repo", "application/json"];
        let value = b"{\n  \"n\": 12345678901234567890,\r\n  \"s\": \"a\\nb\"\n}";
        let cursor = Cursor::new(3, 42).unwrap();
        let event = StoredEvent::new(cursor, 1_793_534_400_007, texts, value, true).unwrap();
        let mut line = BytesMut::new();
        write(&event, &mut line);
        assert_eq!(
            std::str::from_utf8(&line).unwrap(),
            "{\"cursor\":\"3-42\",\"time\":\"2026-11-01T12:00:00.007Z\",\"event\":\
             {   \"n\": 12345678901234567890,    \"s\": \"a\\nb\" }}\n"
        );
    }
}
