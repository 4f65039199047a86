//! How deep an event nests.

use memchr::{memchr_iter, memchr2};

/// Levels of objects and arrays an event may nest, the event itself being the
/// first.
///
/// Parsers that recurse must stop somewhere, and 128 is serde_json's default
/// recursion limit: its parser refuses from the 128th level on. An event that a
/// consumer cannot read would stop its partition, so it is refused at the door.
pub(super) const MAX_DEPTH: usize = 127;

/// Whether an event nests deeper than [`MAX_DEPTH`].
///
/// `json` is valid JSON. Most events are cleared by counting brackets, at the
/// speed of `memchr`; the others by one walk without recursion.
pub(super) fn is_too_deep(json: &str) -> bool {
    let json = json.as_bytes();
    may_be_too_deep(json) && exceeds(json)
}

fn may_be_too_deep(json: &[u8]) -> bool {
    let count = |bracket| memchr_iter(bracket, json).count();
    // A level takes two bytes, so that a small event needs no counting.
    json.len() > 2 * MAX_DEPTH && count(b'{') + count(b'[') > MAX_DEPTH
}

fn exceeds(json: &[u8]) -> bool {
    let mut depth = 0_usize;
    let mut at = 0;
    while let Some(byte) = json.get(at) {
        match byte {
            b'{' | b'[' if depth == MAX_DEPTH => return true,
            b'{' | b'[' => depth += 1,
            b'}' | b']' => depth = depth.saturating_sub(1),
            b'"' => at = closing_quote(json, at + 1),
            _ => {}
        }
        at += 1;
    }
    false
}

/// The index of the quote that ends the string whose text begins at `at`.
fn closing_quote(json: &[u8], mut at: usize) -> usize {
    while let Some(found) = json.get(at..).and_then(|rest| memchr2(b'"', b'\\', rest)) {
        at += found;
        if json[at] == b'"' {
            break;
        }
        at += 2;
    }
    at
}

#[cfg(test)]
mod tests {
    use super::*;

    fn nested(open: &str, close: &str, levels: usize) -> String {
        format!("{}1{}", open.repeat(levels), close.repeat(levels))
    }

    #[test]
    fn allows_128_levels_and_no_more() {
        for (open, close) in [("[", "]"), (r#"{"a":"#, "}"), ("[ ", " ]")] {
            assert!(!is_too_deep(&nested(open, close, 127)));
            assert!(is_too_deep(&nested(open, close, 128)));
        }
    }

    #[test]
    fn counts_levels_and_not_brackets() {
        let wide = format!("[{}[]]", "[[]],".repeat(1_000));
        assert!(!is_too_deep(&wide));
    }

    #[test]
    fn brackets_in_strings_do_not_nest() {
        let brackets = "[".repeat(1_000);
        assert!(!is_too_deep(&format!(r#"{{"a":"{brackets}"}}"#)));
        assert!(!is_too_deep(&format!(r#"{{"a":"\"{brackets}"}}"#)));
        assert!(!is_too_deep(&format!(r#"{{"a\\":"\\\"{brackets}"}}"#)));
    }

    #[test]
    fn strings_do_not_hide_brackets() {
        let deep = nested("[", "]", 128);
        for strings in [r#""\\""#, r#""\"""#, r#""]]]]""#, r#""""#] {
            assert!(is_too_deep(&format!("[{strings},{deep}]")), "{strings}");
        }
    }

    #[test]
    fn a_hostile_depth_takes_no_stack() {
        assert!(is_too_deep(&nested("[", "]", 5_000_000)));
    }
}
