//! What arrays and lines of events have in common.

use super::check::check;
use super::element::Element;
use super::pointer::Pointer;
use super::rejection::{Fault, Faults, Rejection, RejectionKind};
use super::{Event, Limits};

/// All the values of a batch as events, or all their faults.
///
/// A value that could not be read comes as the fault that says so.
/// Reading stops at the first value beyond `limits.max_batch`, so that a batch
/// too large costs no more than the largest one allowed.
pub(super) fn check_all<'a>(
    values: impl Iterator<Item = Result<Element<'a>, Fault>>,
    limits: &Limits,
) -> Result<Vec<Event<'a>>, Rejection> {
    let mut events = Vec::new();
    let mut faults = Faults::none();
    for (index, value) in values.enumerate() {
        let full = index == limits.max_batch;
        match value {
            Err(fault) => faults.add(RejectionKind::Malformed, fault),
            Ok(_) if full => faults.add(RejectionKind::TooLarge, too_many(limits)),
            Ok(element) => events.extend(check(&element, Pointer::Nth(index), limits, &mut faults)),
        }
        if full {
            break;
        }
    }
    match (faults.is_empty(), events.is_empty()) {
        (false, _) => Err(faults.into_rejection()),
        (true, true) => Err(Rejection::of_body(
            RejectionKind::Invalid,
            "the batch is empty; send at least one event",
        )),
        (true, false) => Ok(events),
    }
}

fn too_many(limits: &Limits) -> Fault {
    Fault {
        pointer: Pointer::Body.to_value(),
        detail: format!(
            "the batch holds more than {} events; split it into several",
            limits.max_batch
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::super::samples::{EVENT, LIMITS};
    use super::super::{parse_array, parse_lines};
    use super::*;

    fn limits(max_batch: usize) -> Limits {
        Limits { max_batch, ..LIMITS }
    }

    fn array(values: &[&str]) -> String {
        format!("[{}]", values.join(","))
    }

    fn kind_and_pointers(rejection: &Rejection) -> (RejectionKind, Vec<&str>) {
        let pointers = rejection.faults.iter().map(|fault| &*fault.pointer);
        (rejection.kind, pointers.collect())
    }

    #[test]
    fn a_batch_may_be_full_and_not_more() {
        let full = array(&[EVENT; 3]);
        assert_eq!(parse_array(full.as_bytes(), &limits(3)).unwrap().len(), 3);

        let rejection = parse_array(full.as_bytes(), &limits(2)).unwrap_err();
        assert_eq!(kind_and_pointers(&rejection), (RejectionKind::TooLarge, vec![""]));
        assert!(rejection.faults[0].detail.contains("more than 2 events"));

        let lines = [EVENT; 3].join("\n");
        let rejection = parse_lines(lines.as_bytes(), &limits(2)).unwrap_err();
        assert_eq!(kind_and_pointers(&rejection), (RejectionKind::TooLarge, vec![""]));
    }

    #[test]
    fn nothing_is_read_beyond_a_full_batch() {
        let body = array(&[EVENT, EVENT, EVENT, "{}", "nonsense"]);
        let rejection = parse_array(body.as_bytes(), &limits(2)).unwrap_err();
        assert_eq!(kind_and_pointers(&rejection), (RejectionKind::TooLarge, vec![""]));
    }

    #[test]
    fn a_full_batch_with_rubbish_after_it_is_malformed() {
        let body = array(&[EVENT; 2]) + "]";
        let rejection = parse_array(body.as_bytes(), &limits(2)).unwrap_err();
        assert_eq!(kind_and_pointers(&rejection), (RejectionKind::Malformed, vec![""]));
    }

    #[test]
    fn the_gravest_fault_gives_the_kind_and_all_are_told() {
        let large = EVENT.replace("{", &format!("{{{}", " ".repeat(LIMITS.max_event)));
        let values = [EVENT, large.as_str(), "7", "{'}"];
        let kind = |values: &[&str]| {
            let rejection = parse_lines(values.join("\n").as_bytes(), &LIMITS).unwrap_err();
            (rejection.kind, rejection.faults.len())
        };
        assert_eq!(kind(&values[..2]), (RejectionKind::TooLarge, 1));
        assert_eq!(kind(&values[..3]), (RejectionKind::Invalid, 2));
        assert_eq!(kind(&values), (RejectionKind::Malformed, 3));
    }

    #[test]
    fn a_thousand_faults_are_counted_and_a_hundred_listed() {
        let rejection = parse_array(array(&["1"; 1_000]).as_bytes(), &LIMITS).unwrap_err();
        assert_eq!((rejection.faults.len(), rejection.omitted), (100, 900));
    }
}
