//! Escapes that spell no Unicode text.

use memchr::memmem;

/// Bytes in `\uXXXX`.
const ESCAPE: usize = 6;

/// Whether a string anywhere in `json` holds a surrogate without its partner,
/// as in `"\ud800"`.
///
/// The grammar of JSON allows it, but it spells no Unicode text: consumers
/// refuse it or replace it, each in its own way (RFC 8259, section 8.2).
///
/// `json` is valid JSON, where a backslash always begins an escape in a string:
/// the walk goes from `\u` to `\u` and needs not know where strings end.
pub(super) fn has_lone_surrogate(json: &str) -> bool {
    // Where the partner of the leading surrogate last seen must begin.
    let mut awaited = None;
    for at in memmem::find_iter(json.as_bytes(), br"\u") {
        if is_escaped(json, at) {
            continue;
        }
        let fits = match code_unit(json, at) {
            Some(0xDC00..=0xDFFF) => awaited.take() == Some(at),
            Some(0xD800..=0xDBFF) => awaited.replace(at + ESCAPE).is_none(),
            _ => awaited.is_none(),
        };
        if !fits {
            return true;
        }
    }
    awaited.is_some()
}

/// Whether the backslash at `at` is itself escaped, and so begins no escape.
fn is_escaped(json: &str, at: usize) -> bool {
    let before = &json.as_bytes()[..at];
    let backslashes = before.iter().rev().take_while(|&&byte| byte == b'\\');
    backslashes.count() % 2 == 1
}

fn code_unit(json: &str, at: usize) -> Option<u16> {
    let digits = json.get(at + 2..at + ESCAPE)?;
    u16::from_str_radix(digits, 16).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_without_surrogates_passes() {
        for json in [r#""""#, r#""\u0000""#, r#""\n\\""#, r#""\ue000\ud7ff""#, "\"😀\""] {
            assert!(!has_lone_surrogate(json), "{json}");
        }
    }

    #[test]
    fn pairs_pass() {
        for json in [
            r#""\ud83d\ude00""#,
            r#""\uD83D\uDE00""#,
            r#""\ud83d\ude00\ud83d\ude00""#,
            r#""\\\ud83d\ude00""#,
            r#"{"\ud83d\ude00":"\u0041\ud83d\ude00\u0041"}"#,
        ] {
            assert!(!has_lone_surrogate(json), "{json}");
        }
    }

    #[test]
    fn lone_surrogates_are_found_wherever_they_are() {
        for json in [
            r#""\ud800""#,
            r#""\uDFFF""#,
            r#""\ud83d\ud83d""#,
            r#""\ude00\ud83d""#,
            r#""\ud83d\u0041""#,
            r#""\ud83d\n\ude00""#,
            r#""\ud83d\\ude00""#,
            r#""\ud83d \ude00""#,
            r#"["\ud83d","\ude00"]"#,
            r#""\ud83d\ude00\ude00""#,
            r#"{"\ud800":1}"#,
            r#""\\\ud800""#,
        ] {
            assert!(has_lone_surrogate(json), "{json}");
        }
    }

    #[test]
    fn an_escaped_backslash_before_a_u_is_no_escape() {
        for json in [r#""\\ud800""#, r#""\\\\ud800""#, r#""C:\\users\\udd""#] {
            assert!(!has_lone_surrogate(json), "{json}");
        }
    }
}
