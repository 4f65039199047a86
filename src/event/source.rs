//! What events are about.

use super::members::Member;
use super::rules;

/// Where events come from and what they are about: a type and an id that keep the rules of an
/// event's members.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Source {
    kind: String,
    id: String,
}

/// No event can have this source.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{member} {violation}; send {expected}")]
pub struct InvalidSource {
    /// `source_type` or `source_id`.
    pub member: &'static str,
    violation: String,
    expected: &'static str,
}

impl Source {
    /// The source with this `source_type` and `source_id`.
    ///
    /// # Errors
    /// One of them breaks its rule.
    pub fn new(kind: impl Into<String>, id: impl Into<String>) -> Result<Self, InvalidSource> {
        let (kind, id) = (kind.into(), id.into());
        check("source_type", Member::SourceType, &kind)?;
        check("source_id", Member::SourceId, &id)?;
        Ok(Source { kind, id })
    }

    /// The `source_type`.
    pub fn kind(&self) -> &str {
        &self.kind
    }

    /// The `source_id`, which is the key of the source's records.
    pub fn id(&self) -> &str {
        &self.id
    }
}

fn check(name: &'static str, member: Member, value: &str) -> Result<(), InvalidSource> {
    match rules::violation(member, value) {
        None => Ok(()),
        Some(violation) => {
            Err(InvalidSource { member: name, violation, expected: rules::expected(member) })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_the_rules_of_an_event() {
        let source = Source::new("repo", "owner/repo:main").unwrap();
        assert_eq!((source.kind(), source.id()), ("repo", "owner/repo:main"));
        let refused = |kind, id| Source::new(kind, id).unwrap_err();
        assert_eq!(refused("a:b", "c").member, "source_type");
        assert_eq!(
            refused("a", "").to_string(),
            "source_id is empty; send 1 to 256 bytes without control characters"
        );
    }
}
