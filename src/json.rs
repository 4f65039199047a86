//! JSON that is written for each event, straight into the bytes that go out.
//!
//! `serde_json` looks at each byte of a string to see whether it has to be escaped, and writes a
//! cursor through `fmt`. Both are a good part of what an answer to a batch costs.

use crate::cursor::Cursor;

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
    fn each_byte_that_needs_it_is_escaped() {
        for character in (0..0x100).filter_map(char::from_u32) {
            let text = format!("aaaaaaaaaaaaaaaaaaaa{character}b");
            assert_eq!(written(&text), serde_json::to_vec(&text).unwrap());
        }
    }
}
