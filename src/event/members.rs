//! One scan over an event: where its known members are.

use std::borrow::Cow;
use std::fmt;

use memchr::memchr;
use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::value::RawValue;

/// The members of an event that have rules.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Member {
    Id,
    Type,
    SourceType,
    SourceId,
}

impl Member {
    const COUNT: usize = 4;

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Id => "id",
            Self::Type => "type",
            Self::SourceType => "source_type",
            Self::SourceId => "source_id",
        }
    }

    /// `key` is a JSON string literal. It may spell a name with escapes, as in
    /// `"\u0074ype"`, and every consumer will read that as `type`.
    fn from_key(key: &str) -> Option<Self> {
        match string(key).ok()?.as_ref() {
            "id" => Some(Self::Id),
            "type" => Some(Self::Type),
            "source_type" => Some(Self::SourceType),
            "source_id" => Some(Self::SourceId),
            _ => None,
        }
    }
}

/// The text of a JSON string literal, copied only when it holds escapes.
///
/// # Errors
/// When the escapes do not spell Unicode text (a lone surrogate); nothing else
/// can be wrong with a literal that the scan went over.
pub(super) fn string(literal: &str) -> serde_json::Result<Cow<'_, str>> {
    if memchr(b'\\', literal.as_bytes()).is_some() {
        return serde_json::from_str(literal).map(Cow::Owned);
    }
    // Without escapes there is no quote inside.
    Ok(Cow::Borrowed(literal.trim_matches('"')))
}

/// The known members of one event, as posted.
#[derive(Debug, Default)]
pub(super) struct Members<'a>([Option<Posted<'a>>; Member::COUNT]);

/// A known member's value.
#[derive(Debug, Clone, Copy)]
pub(super) struct Posted<'a> {
    /// The JSON text of the value, without surrounding whitespace.
    pub(super) literal: &'a str,
    /// The member was there before.
    pub(super) repeated: bool,
}

impl<'a> Members<'a> {
    pub(super) fn get(&self, member: Member) -> Option<Posted<'a>> {
        self.0[member as usize]
    }

    fn put(&mut self, member: Member, literal: &'a str) {
        let slot = &mut self.0[member as usize];
        *slot = Some(Posted { literal, repeated: slot.is_some() });
    }
}

impl<'de> Deserialize<'de> for Members<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(MembersVisitor)
    }
}

struct MembersVisitor;

impl<'de> Visitor<'de> for MembersVisitor {
    type Value = Members<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON object")
    }

    // Names and values stay JSON text here. Decoding them would refuse lone
    // surrogates and huge numbers as syntax errors, which they are not.
    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut members = Members::default();
        while let Some(key) = map.next_key::<&RawValue>()? {
            match Member::from_key(key.get()) {
                Some(member) => members.put(member, map.next_value::<&RawValue>()?.get()),
                None => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        Ok(members)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scan(json: &str) -> Members<'_> {
        serde_json::from_str(json).unwrap()
    }

    fn literal<'a>(members: &Members<'a>, member: Member) -> Option<&'a str> {
        members.get(member).map(|posted| posted.literal)
    }

    #[test]
    fn finds_the_known_members_as_posted() {
        let members = scan(r#"{ "type" : "a\u0062" , "x": {"id": 1}, "source_id": 1e999 }"#);
        assert_eq!(literal(&members, Member::Type), Some(r#""a\u0062""#));
        assert_eq!(literal(&members, Member::SourceId), Some("1e999"));
        assert_eq!(literal(&members, Member::SourceType), None);
        assert_eq!(literal(&members, Member::Id), None);
    }

    #[test]
    fn knows_a_name_written_with_escapes() {
        let members = scan(r#"{"\u0074ype":"a"}"#);
        assert_eq!(literal(&members, Member::Type), Some(r#""a""#));
    }

    #[test]
    fn names_are_told_apart_exactly() {
        let members = scan(r#"{"Type":1,"type ":1,"types":1,"":1,"\"type\"":1,"\ud800":1}"#);
        assert_eq!(literal(&members, Member::Type), None);
    }

    #[test]
    fn notices_a_repeated_member() {
        let members = scan(r#"{"id":"a","type":"b","\u0069d":"c"}"#);
        assert!(members.get(Member::Id).is_some_and(|id| id.repeated));
        assert!(!members.get(Member::Type).is_some_and(|kind| kind.repeated));
    }

    #[test]
    fn a_string_is_copied_only_when_it_holds_escapes() {
        assert!(matches!(string(r#""plain""#), Ok(Cow::Borrowed("plain"))));
        assert!(matches!(string(r#""""#), Ok(Cow::Borrowed(""))));
        assert_eq!(string(r#""\"q\"""#).unwrap(), "\"q\"");
        assert!(string(r#""\ud800""#).is_err());
    }
}
