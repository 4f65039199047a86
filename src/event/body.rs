//! The body as text.

use super::rejection::{Rejection, RejectionKind};

/// The body as text, checked once for all its events.
///
/// # Errors
/// [`RejectionKind::Malformed`] when it is not UTF-8, or begins with a byte
/// order mark, which RFC 8259 forbids and many parsers trip over.
pub(super) fn text(body: &[u8]) -> Result<&str, Rejection> {
    let text = std::str::from_utf8(body).map_err(|error| {
        let at = error.valid_up_to();
        malformed(format!("the body must be UTF-8, and is not at byte {at}; send it as UTF-8"))
    })?;
    if text.starts_with('\u{feff}') {
        return Err(malformed("the body begins with a byte order mark (BOM); remove it"));
    }
    if is_wide(body) {
        return Err(malformed(
            "the body must be UTF-8, and looks like UTF-16 or UTF-32; send it as UTF-8",
        ));
    }
    Ok(text)
}

/// UTF-16 and UTF-32 without a mark: JSON begins with an ASCII character, and
/// so with a zero byte among the first four (RFC 4627, section 3).
fn is_wide(body: &[u8]) -> bool {
    body.iter().take(4).any(|&byte| byte == 0)
}

fn malformed(detail: impl Into<String>) -> Rejection {
    Rejection::of_body(RejectionKind::Malformed, detail)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(body: &[u8]) -> String {
        let rejection = text(body).expect_err("not acceptable as text");
        assert_eq!(rejection.kind, RejectionKind::Malformed);
        assert_eq!(rejection.faults[0].pointer, "");
        rejection.faults[0].detail.clone()
    }

    fn utf16(text: &str, bytes: fn(u16) -> [u8; 2]) -> Vec<u8> {
        text.encode_utf16().flat_map(bytes).collect()
    }

    #[test]
    fn utf8_passes() {
        assert_eq!(text("{\"a\":\"é😀\"}".as_bytes()).unwrap(), "{\"a\":\"é😀\"}");
    }

    #[test]
    fn a_byte_order_mark_is_named() {
        assert!(refused(b"\xEF\xBB\xBF{}").contains("(BOM); remove it"));
    }

    #[test]
    fn bytes_that_are_not_utf8_are_located() {
        let detail = refused(b"{\"a\":\"\xff\"}");
        assert!(detail.contains("must be UTF-8"), "{detail}");
        assert!(detail.contains("byte 6"), "{detail}");
    }

    #[test]
    fn utf16_is_told_to_be_utf8() {
        for body in [
            utf16("{}", u16::to_le_bytes),
            utf16("{}", u16::to_be_bytes),
            utf16("\u{feff}{}", u16::to_le_bytes),
            utf16("\u{feff}{}", u16::to_be_bytes),
        ] {
            assert!(refused(&body).contains("must be UTF-8"), "{body:?}");
        }
    }
}
