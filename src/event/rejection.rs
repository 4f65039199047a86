//! Why a body was refused.

use std::fmt;

use super::pointer::Pointer;

/// Faults a [`Rejection`] lists at most, so that a hostile body cannot make an
/// answer of any size.
const LISTED: usize = 100;

/// A body the service takes no event from, with everything found wrong in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rejection {
    /// The gravest kind among all faults, listed or not.
    pub kind: RejectionKind,
    /// The faults in the order found, 1 to 100 of them; at least one is of
    /// `kind`.
    pub faults: Vec<Fault>,
    /// How many faults were found beyond those listed.
    pub omitted: usize,
}

/// What the sender can do about a [`Rejection`]; a graver kind compares greater.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum RejectionKind {
    /// Send less: an event or the batch is over its limit (HTTP 413).
    TooLarge,
    /// Mend the content: it is JSON, but breaks the rules of events (HTTP 422).
    Invalid,
    /// Mend the encoding: it is not JSON in UTF-8 (HTTP 400).
    Malformed,
}

/// One thing wrong with a body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// Where, as a JSON pointer (RFC 6901): `/3/source_id`, or empty for the
    /// whole body. Among lines, the index counts events from 0 and not lines.
    pub pointer: String,
    /// What is wrong and what to do about it, in a sentence for the sender.
    pub detail: String,
}

impl Rejection {
    pub(super) fn of_body(kind: RejectionKind, detail: impl Into<String>) -> Self {
        let fault = Fault { pointer: Pointer::Body.to_value(), detail: detail.into() };
        Self { kind, faults: vec![fault], omitted: 0 }
    }
}

impl std::error::Error for Rejection {}

impl fmt::Display for Rejection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.kind)?;
        if let Some(first) = self.faults.first() {
            write!(f, ": {first}")?;
        }
        match self.faults.len().saturating_sub(1) + self.omitted {
            0 => Ok(()),
            more => write!(f, " (and {more} more)"),
        }
    }
}

impl fmt::Display for RejectionKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::TooLarge => "too large",
            Self::Invalid => "invalid",
            Self::Malformed => "malformed",
        })
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.pointer.as_str() {
            "" => f.write_str(&self.detail),
            pointer => write!(f, "{pointer}: {}", self.detail),
        }
    }
}

/// Collects faults, and lists only so many.
#[derive(Debug)]
pub(super) struct Faults {
    gravest: RejectionKind,
    listed: Vec<Fault>,
    omitted: usize,
}

impl Faults {
    pub(super) fn none() -> Self {
        Self { gravest: RejectionKind::TooLarge, listed: Vec::new(), omitted: 0 }
    }

    pub(super) fn add(&mut self, kind: RejectionKind, fault: Fault) {
        let graver = kind > self.gravest;
        if self.listed.len() == LISTED {
            self.omitted += 1;
            if !graver {
                return;
            }
            // The answer's status must be explained by a fault in its list.
            self.listed.pop();
        }
        self.gravest = self.gravest.max(kind);
        self.listed.push(fault);
    }

    pub(super) fn is_empty(&self) -> bool {
        self.listed.is_empty()
    }

    pub(super) fn into_rejection(self) -> Rejection {
        Rejection { kind: self.gravest, faults: self.listed, omitted: self.omitted }
    }
}

#[cfg(test)]
mod tests {
    use super::RejectionKind::{Invalid, Malformed, TooLarge};
    use super::*;

    fn fault(index: usize) -> Fault {
        Fault { pointer: format!("/{index}"), detail: "is wrong".to_owned() }
    }

    fn rejection(kinds: impl IntoIterator<Item = RejectionKind>) -> Rejection {
        let mut faults = Faults::none();
        for (index, kind) in kinds.into_iter().enumerate() {
            faults.add(kind, fault(index));
        }
        faults.into_rejection()
    }

    #[test]
    fn the_gravest_fault_decides() {
        assert_eq!(rejection([TooLarge]).kind, TooLarge);
        assert_eq!(rejection([TooLarge, Invalid, TooLarge]).kind, Invalid);
        assert_eq!(rejection([Malformed, Invalid]).kind, Malformed);
    }

    #[test]
    fn a_hundred_faults_are_listed_and_the_rest_counted() {
        let rejection = rejection([Invalid; 250]);
        assert_eq!(rejection.faults.len(), 100);
        assert_eq!(rejection.omitted, 150);
    }

    #[test]
    fn the_deciding_fault_is_listed_however_late_it_comes() {
        let rejection = rejection([Invalid; 100].into_iter().chain([Malformed, Malformed]));
        assert_eq!(rejection.faults.len(), 100);
        assert_eq!(rejection.faults.last(), Some(&fault(100)));
        assert_eq!(rejection.omitted, 2);
    }

    #[test]
    fn reads_as_one_line_in_a_log() {
        assert_eq!(rejection([Invalid]).to_string(), "invalid: /0: is wrong");
        assert_eq!(rejection([Invalid; 101]).to_string(), "invalid: /0: is wrong (and 100 more)");
        let whole = Rejection::of_body(TooLarge, "has too much");
        assert_eq!(whole.to_string(), "too large: has too much");
    }
}
