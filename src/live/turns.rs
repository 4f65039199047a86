//! How much of what the tail brings is handed on at once.

use crate::reader::Step;

/// How many steps are made while followers wait to join, and with how many bytes of events: those
/// that are followed are read whole, to see whether they are JSON.
const STEPS: usize = 128;
const BYTES: usize = 1024 * 1024;

/// The steps that are made at once, one time after the other.
pub(super) fn turns(steps: &[Step]) -> impl Iterator<Item = &[Step]> {
    let (mut count, mut bytes) = (0, 0);
    steps.chunk_by(move |step, _| {
        count += 1;
        bytes += len(step);
        let goes_on = count < STEPS && bytes < BYTES;
        if !goes_on {
            (count, bytes) = (0, 0);
        }
        goes_on
    })
}

fn len(step: &Step) -> usize {
    match step {
        Step::Event(candidate) => candidate.unchecked().len(),
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cursor::Cursor;
    use crate::kafka::{Candidate, StoredEvent};

    fn lengths(steps: &[Step]) -> Vec<usize> {
        turns(steps).map(<[Step]>::len).collect()
    }

    fn event(bytes: usize) -> Step {
        let texts = ["i", "t", "s", "i", "j"];
        let event = StoredEvent::new(Cursor::new(0, 1).unwrap(), 0, texts, &vec![b'1'; bytes]);
        Step::Event(Candidate::new(event.unwrap()))
    }

    #[test]
    fn so_many_steps_are_made_at_once_and_fewer_when_they_are_large() {
        let passed = |_| Step::Passed { partition: 0, next: 1 };
        let small: Vec<_> = (0..2 * STEPS + 1).map(passed).collect();
        assert_eq!(lengths(&small), [STEPS, STEPS, 1]);
        let large: Vec<_> = [BYTES / 2, BYTES / 2, 9, 2 * BYTES, 9].map(event).into();
        assert_eq!(lengths(&large), [2, 2, 1]);
        assert!(lengths(&[]).is_empty());
    }
}
