//! Events and limits that the tests share.

use super::{Event, Limits, Rejection, RejectionKind};

/// An event with an `id`, so that it is forwarded as it stands.
pub(super) const EVENT: &str =
    r#"{"id":"e1","type":"user.followed","source_type":"user","source_id":"octocat"}"#;

pub(super) const LIMITS: Limits = Limits { max_event: 64 * 1024, max_batch: 2_000 };

/// A rejection, in the parts that tests look at.
#[derive(Debug)]
pub(super) struct Told {
    pub(super) kind: RejectionKind,
    pub(super) pointers: Vec<String>,
    /// Of the first fault.
    pub(super) detail: String,
    /// The detail of the last fault.
    pub(super) last: String,
}

pub(super) fn told<T: std::fmt::Debug>(result: Result<T, Rejection>) -> Told {
    let Rejection { kind, faults, .. } = result.expect_err("must be refused");
    Told {
        kind,
        pointers: faults.iter().map(|fault| fault.pointer.clone()).collect(),
        detail: faults[0].detail.clone(),
        last: faults[faults.len() - 1].detail.clone(),
    }
}

pub(super) fn json(event: &Event<'_>) -> String {
    String::from_utf8(event.json().to_vec()).expect("an event is UTF-8")
}
