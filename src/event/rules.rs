//! What the value of each known member must look like.

use super::members::Member;

/// What to send, in words that finish "send a string of …".
pub(super) fn expected(member: Member) -> &'static str {
    match member {
        Member::Id => "1 to 128 characters without control characters, or leave it out",
        Member::Type => "1 to 128 characters without control characters",
        Member::SourceType => "1 to 64 of the characters A-Z a-z 0-9 . _ -",
        Member::SourceId => "1 to 256 bytes without control characters",
    }
}

/// What is wrong with `value`, or `None` when it keeps the member's rule.
pub(super) fn violation(member: Member, value: &str) -> Option<String> {
    match member {
        Member::Id | Member::Type => characters(value, 128).or_else(|| control(value)),
        Member::SourceType => foreign(value).or_else(|| bytes(value, 64)),
        Member::SourceId => bytes(value, 256).or_else(|| control(value)),
    }
}

fn characters(value: &str, most: usize) -> Option<String> {
    outside(value.chars().count(), most, "characters")
}

fn bytes(value: &str, most: usize) -> Option<String> {
    outside(value.len(), most, "bytes")
}

fn outside(length: usize, most: usize, unit: &str) -> Option<String> {
    match length {
        0 => Some("is empty".to_owned()),
        _ if length > most => Some(format!("has {length} {unit}")),
        _ => None,
    }
}

fn control(value: &str) -> Option<String> {
    let found = value.chars().find(|c| c.is_control())?;
    Some(format!("holds the control character U+{:04X}", found as u32))
}

/// A channel name is `events:{source_type}:{source_id}` and must parse back, so
/// no `:` and nothing that a pattern or a URL would read otherwise.
fn foreign(value: &str) -> Option<String> {
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    let found = value.chars().find(|&c| !allowed(c))?;
    Some(format!("holds {found:?}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keeps(member: Member, value: &str) -> bool {
        violation(member, value).is_none()
    }

    #[test]
    fn id_and_type_are_1_to_128_characters() {
        for member in [Member::Id, Member::Type] {
            assert!(!keeps(member, ""));
            assert!(keeps(member, "x"));
            assert!(keeps(member, &"é".repeat(128)), "characters, not bytes");
            assert!(!keeps(member, &"x".repeat(129)));
        }
    }

    #[test]
    fn source_id_is_1_to_256_bytes() {
        assert!(!keeps(Member::SourceId, ""));
        assert!(keeps(Member::SourceId, "owner/repo:main"));
        assert!(keeps(Member::SourceId, &"é".repeat(128)));
        assert!(!keeps(Member::SourceId, &"é".repeat(129)), "bytes");
        assert!(!keeps(Member::SourceId, &"x".repeat(257)));
    }

    #[test]
    fn source_type_is_1_to_64_plain_characters() {
        assert!(!keeps(Member::SourceType, ""));
        assert!(keeps(Member::SourceType, "aZ09._-"));
        assert!(keeps(Member::SourceType, &"x".repeat(64)));
        assert!(!keeps(Member::SourceType, &"x".repeat(65)));
        for value in ["a:b", "a/b", "a b", "a*", "é", "a\n", "a\u{0}"] {
            assert!(!keeps(Member::SourceType, value), "{value:?}");
        }
    }

    #[test]
    fn no_control_character_is_kept() {
        for member in [Member::Id, Member::Type, Member::SourceId] {
            for control in ['\0', '\n', '\u{1f}', '\u{7f}', '\u{80}', '\u{9f}'] {
                assert!(!keeps(member, &format!("a{control}b")), "{control:?}");
            }
            assert!(keeps(member, "a\u{a0}\u{200b}\u{202e}b"));
        }
    }

    #[test]
    fn says_what_it_found() {
        let said = |member, value: &str| violation(member, value).unwrap();
        assert_eq!(said(Member::Type, ""), "is empty");
        assert_eq!(said(Member::Type, &"x".repeat(129)), "has 129 characters");
        assert_eq!(said(Member::SourceId, &"x".repeat(300)), "has 300 bytes");
        assert_eq!(said(Member::Id, "\u{85}"), "holds the control character U+0085");
        assert_eq!(said(Member::SourceType, "a:b"), "holds ':'");
    }
}
