//! How far the tail has come, as the hub knows it.

use std::collections::BTreeMap;

use crate::cursor::Cursor;
use crate::position::Position;

/// How far each partition has been followed without a gap.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Places(BTreeMap<i32, Place>);

/// One partition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Place {
    /// Everything below has gone by. None before the first time.
    next: Option<i64>,
    /// How far it is read since it was begun anew.
    reading: i64,
    /// Whether what is read is connected with what has gone by.
    is_connected: bool,
}

/// What a step of the tail means for those who follow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Meaning {
    /// It comes next: they are to have it.
    New,
    /// It went by before, or is from a time before they are served.
    Old,
    /// Something may have passed them by: they have to look in the log.
    Torn,
}

impl Places {
    /// An event, or another record, was read.
    pub(super) fn read(&mut self, partition: i32, offset: i64) -> Meaning {
        let Some(place) = self.0.get_mut(&partition) else { return Meaning::Old };
        place.reading = place.reading.max(offset.saturating_add(1));
        match place.next {
            Some(next) if place.is_connected && offset >= next => {
                place.next = Some(place.reading);
                Meaning::New
            }
            _ => Meaning::Old,
        }
    }

    /// A partition has come to an offset, itself excluded, and nothing was there.
    pub(super) fn passed(&mut self, partition: i32, next: i64) {
        if let Some(offset) = next.checked_sub(1).filter(|offset| *offset >= 0) {
            self.read(partition, offset);
        }
    }

    /// It is read anew from an offset. Where that lies behind what has gone by, something is
    /// missing in between.
    pub(super) fn restart(&mut self, partition: i32, from: i64) {
        let new = Place { next: None, reading: from, is_connected: false };
        let place = self.0.entry(partition).or_insert(new);
        place.reading = from;
        place.is_connected = place.next.is_some_and(|next| from <= next);
    }

    /// Its end was reached.
    pub(super) fn live(&mut self, partition: i32) -> Meaning {
        let Some(place) = self.0.get_mut(&partition) else { return Meaning::Old };
        // Shorter than it was: the topic was made anew, and has other events at old offsets.
        let is_shorter = place.next.is_some_and(|next| place.reading < next);
        if place.is_connected && !is_shorter {
            return Meaning::Old;
        }
        let has_passed = place.next.unwrap_or(0) != place.reading;
        place.next = Some(place.reading);
        place.is_connected = true;
        if has_passed { Meaning::Torn } else { Meaning::Old }
    }

    /// Up to where everything has gone by of each partition, itself excluded.
    pub(super) fn nexts(&self) -> impl Iterator<Item = (i32, i64)> + '_ {
        self.0.iter().filter_map(|(&partition, place)| Some((partition, place.next?)))
    }

    /// What comes next of a partition.
    pub(super) fn next(&self, partition: i32) -> Option<i64> {
        self.0.get(&partition)?.next
    }

    /// How far an event is ahead of what has gone by. None where nothing is known.
    pub(super) fn ahead(&self, cursor: Cursor) -> Option<i64> {
        self.next(cursor.partition()).map(|next| cursor.offset() - next)
    }

    /// The same as a position.
    pub(super) fn position(&self) -> Position {
        self.nexts().collect()
    }

    /// Whether so many partitions are followed.
    pub(super) fn has_all(&self, count: i32) -> bool {
        (0..count).all(|partition| self.next(partition).is_some())
    }
}

#[cfg(test)]
impl Places {
    /// Partitions that have come so far.
    pub(super) fn at(nexts: &[(i32, i64)]) -> Self {
        let mut places = Places::default();
        for &(partition, next) in nexts {
            places.restart(partition, next);
            places.live(partition);
        }
        places
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_lies_before_the_first_end_is_old() {
        let mut places = Places::default();
        assert_eq!(places.read(0, 3), Meaning::Old);
        places.restart(0, 10);
        assert_eq!(places.read(0, 10), Meaning::Old);
        assert_eq!((places.next(0), places.has_all(1)), (None, false));
        // Those who are there already have to look.
        assert_eq!(places.live(0), Meaning::Torn);
        assert_eq!(places.position().to_string(), "0-10");
        assert_eq!(places.read(0, 11), Meaning::New);
        assert!(places.has_all(1) && !places.has_all(2));
    }

    #[test]
    fn an_empty_partition_has_no_past() {
        let mut places = Places::default();
        places.restart(0, 0);
        assert_eq!(places.live(0), Meaning::Old);
        assert_eq!(places.position().to_string(), "0-none");
        assert_eq!(places.read(0, 0), Meaning::New);
    }

    #[test]
    fn a_restart_that_overlaps_repeats_and_tears_nothing() {
        let mut places = Places::at(&[(0, 10)]);
        places.restart(0, 8);
        assert_eq!([8, 9].map(|offset| places.read(0, offset)), [Meaning::Old; 2]);
        assert_eq!(places.read(0, 10), Meaning::New);
        assert_eq!(places.live(0), Meaning::Old);
        assert_eq!(places.next(0), Some(11));
    }

    #[test]
    fn a_restart_behind_a_gap_tears() {
        let mut places = Places::at(&[(0, 10)]);
        places.restart(0, 12);
        assert_eq!(places.read(0, 12), Meaning::Old);
        assert_eq!(places.next(0), Some(10));
        assert_eq!(places.live(0), Meaning::Torn);
        assert_eq!(places.read(0, 13), Meaning::New);
    }

    #[test]
    fn a_log_that_has_become_shorter_tears() {
        let mut places = Places::at(&[(0, 10)]);
        places.restart(0, 0);
        assert_eq!(places.read(0, 0), Meaning::Old);
        assert_eq!(places.live(0), Meaning::Torn);
        assert_eq!(places.read(0, 1), Meaning::New);
    }

    #[test]
    fn other_records_count_as_gone_by() {
        let mut places = Places::at(&[(0, 10)]);
        places.passed(0, 12);
        assert_eq!(places.next(0), Some(12));
        let ahead = |partition, offset| places.ahead(Cursor::new(partition, offset).unwrap());
        assert_eq!([ahead(0, 10), ahead(0, 12), ahead(1, 0)], [Some(-2), Some(0), None]);
        places.passed(0, 0);
        assert_eq!(places.next(0), Some(12));
    }
}
