//! How far one partition is followed.

use std::time::Instant;

use crate::kafka::{From, LogItem};
use crate::reader::memory::Step;

/// How many records are read to see how large they are.
const SAMPLE: i32 = 64;

/// One partition of the tail.
#[derive(Debug, Default)]
pub(super) struct Place {
    phase: Phase,
    /// What comes next, once something has come since the last start.
    next: Option<i64>,
    /// What has come since then.
    records: usize,
    bytes: usize,
}

/// What a partition is being read for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
    /// It is not read; from then on it may be tried.
    Closed(Option<Instant>),
    /// Its last records are read, to see how many of them fill the memory.
    Sampling,
    /// It is read from an earlier offset up to its end.
    Warming,
    /// Its end was reached.
    Following,
}

impl Default for Phase {
    fn default() -> Self {
        Phase::Closed(None)
    }
}

impl Place {
    /// Where the reading of a partition begins of which nothing is known.
    pub(super) const FIRST: From = From::Last(SAMPLE);

    pub(super) fn is_due(&self, now: Instant) -> bool {
        matches!(self.phase, Phase::Closed(pause) if pause.is_none_or(|until| until <= now))
    }

    /// Whether it is on its way to the end for the first time.
    pub(super) fn is_catching_up(&self) -> bool {
        matches!(self.phase, Phase::Sampling | Phase::Warming)
    }

    /// What comes next, if that is known.
    pub(super) fn next(&self) -> Option<i64> {
        self.next
    }

    pub(super) fn start(&mut self, from: From) {
        let phase = if from == Self::FIRST { Phase::Sampling } else { Phase::Warming };
        *self = Place { phase, ..Place::default() };
    }

    pub(super) fn close(&mut self, until: Instant) {
        *self = Place { phase: Phase::Closed(Some(until)), ..Place::default() };
    }

    /// Takes the next record.
    pub(super) fn take(&mut self, record: &LogItem<'_>, steps: &mut Vec<Step>) {
        let (partition, offset) = (record.partition(), record.offset());
        self.connect(partition, offset, steps);
        self.records += 1;
        self.bytes += record.size();
        self.next = Some(offset + 1);
        steps.push(match record.candidate() {
            Some(candidate) => Step::Event(candidate),
            None => Step::Passed { partition, next: offset + 1 },
        });
    }

    /// Takes the end of the partition. Gives from where it should be read anew, when more of it
    /// fits into memory than was read.
    pub(super) fn end(
        &mut self,
        partition: i32,
        offset: i64,
        warm: usize,
        steps: &mut Vec<Step>,
    ) -> Option<From> {
        self.connect(partition, offset, steps);
        self.next = Some(offset);
        if self.phase == Phase::Sampling
            && let Some(from) = self.earlier(offset, warm)
        {
            return Some(from);
        }
        self.phase = Phase::Following;
        steps.push(Step::Passed { partition, next: offset });
        steps.push(Step::Live { partition });
        None
    }

    /// Where to start so that what comes from there to the end has so many bytes, if that is
    /// earlier than what was read.
    fn earlier(&self, end: i64, warm: usize) -> Option<From> {
        let average = (self.bytes / self.records.max(1)).max(1);
        let fits = warm / average;
        (self.records > 0 && fits > SAMPLE as usize)
            .then(|| From::Offset(end.saturating_sub(fits as i64).max(0)))
    }

    /// Where to start after the log did not have what was to be read: it begins later than that,
    /// or it has overtaken the tail, or it has become shorter.
    pub(super) fn out_of_range(&self) -> From {
        match self.phase {
            Phase::Sampling | Phase::Warming => From::Beginning,
            Phase::Closed(_) | Phase::Following => Self::FIRST,
        }
    }

    /// What comes first after a start is not connected with what was before.
    fn connect(&mut self, partition: i32, offset: i64, steps: &mut Vec<Step>) {
        if self.next.is_none() {
            steps.push(Step::Restart { partition, from: offset });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn started(from: From) -> Place {
        let mut place = Place::default();
        place.start(from);
        place
    }

    #[test]
    fn as_much_is_read_anew_as_fits_into_memory() {
        let mut place = started(Place::FIRST);
        (place.next, place.records, place.bytes) = (Some(1000), 64, 6400);
        let mut steps = Vec::new();
        assert_eq!(place.end(0, 1000, 50_000, &mut steps), Some(From::Offset(500)));
        assert_eq!(place.end(0, 1000, 500_000, &mut steps), Some(From::Offset(0)));
        assert!(steps.is_empty());
        // What was read is enough.
        assert_eq!(place.end(0, 1000, 6400, &mut steps), None);
        assert_eq!(place.phase, Phase::Following);
    }

    #[test]
    fn an_empty_partition_is_followed_from_its_end() {
        let mut place = started(Place::FIRST);
        let mut steps = Vec::new();
        assert_eq!(place.end(2, 0, 50_000, &mut steps), None);
        assert!(matches!(
            steps[..],
            [
                Step::Restart { partition: 2, from: 0 },
                Step::Passed { partition: 2, next: 0 },
                Step::Live { partition: 2 }
            ]
        ));
    }

    #[test]
    fn a_partition_whose_log_has_moved_is_begun_anew() {
        assert_eq!(started(Place::FIRST).out_of_range(), From::Beginning);
        assert_eq!(started(From::Offset(7)).out_of_range(), From::Beginning);
        let following = Place { phase: Phase::Following, ..Place::default() };
        assert_eq!(following.out_of_range(), Place::FIRST);
    }

    #[test]
    fn one_that_fails_is_tried_again_later() {
        let now = Instant::now();
        let mut place = Place::default();
        assert!(place.is_due(now));
        place.close(now + super::super::PAUSE);
        assert!(!place.is_due(now));
        assert!(place.is_due(now + super::super::PAUSE));
    }
}
