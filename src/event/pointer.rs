//! JSON pointers (RFC 6901) to events and their members.

use super::members::Member;

/// Which value of the body a fault is about.
#[derive(Debug, Clone, Copy)]
pub(super) enum Pointer {
    /// The body as a whole.
    Body,
    /// The event at this index of a batch, from 0.
    Nth(usize),
}

impl Pointer {
    pub(super) fn to_value(self) -> String {
        match self {
            Self::Body => String::new(),
            Self::Nth(index) => format!("/{index}"),
        }
    }

    // No member the rules know holds a `~` or `/`, so nothing needs escaping.
    pub(super) fn to_member(self, member: Member) -> String {
        format!("{}/{}", self.to_value(), member.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn points_at_the_body_its_events_and_their_members() {
        assert_eq!(Pointer::Body.to_value(), "");
        assert_eq!(Pointer::Body.to_member(Member::Type), "/type");
        assert_eq!(Pointer::Nth(3).to_value(), "/3");
        assert_eq!(Pointer::Nth(3).to_member(Member::SourceId), "/3/source_id");
    }
}
