//! What one follower has had: the rules by which the log, the tail and early news become one stream
//! that misses nothing and tells nothing twice.

mod order;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, HashMap};

use order::Order;

use super::news::Place;
use super::places::Places;
use crate::cursor::Cursor;
use crate::position::Position;
use crate::reader::Stretch;

/// How many early events are remembered until the tail has brought them, too. One more is not early.
const EARLY: usize = 256;

/// What an event is to a follower.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Taken {
    /// It comes next.
    New,
    /// It was told early, and counts as had from now on.
    Told,
    /// It was had before.
    Old,
}

/// What a follower has had.
#[derive(Debug, Clone, Default)]
pub(super) struct Merge {
    /// Of each partition: everything below was had, or was never asked for.
    next: BTreeMap<i32, i64>,
    /// Partitions whose end was not known yet when the follower began at the end.
    begins_at_end: Vec<i32>,
    /// Told before the tail brought them, each with the mark of what was told: another event may lie
    /// there, or none, since anybody may have made the news up.
    early: HashMap<Cursor, u64>,
    order: Order,
    /// How many events that were told early the log does not have.
    unconfirmed: u64,
    /// Whether it begins before everything: then what the log no longer has is no loss.
    is_fresh: bool,
    /// Whether the tail is further in every partition: only another instance's may be behind.
    is_level: bool,
}

impl Merge {
    /// Of one that begins behind a position.
    pub(super) fn after(position: &Position) -> Self {
        let next = position.nexts().collect();
        let is_fresh = position.is_empty();
        Merge { next, is_fresh, ..Merge::default() }
    }

    /// Of one that begins with what comes from now on, in a topic with so many partitions.
    pub(super) fn from_now(places: &Places, partitions: i32) -> Self {
        let next: BTreeMap<_, _> = places.nexts().collect();
        let is_unknown = |partition: &i32| !next.contains_key(partition);
        let begins_at_end = (0..partitions).filter(is_unknown).collect();
        Merge { next, begins_at_end, is_level: true, ..Merge::default() }
    }

    /// Partitions that it begins at the end of, wherever that is.
    pub(super) fn begins_at_end(&self) -> &[i32] {
        &self.begins_at_end
    }

    /// The end of a partition is here: it begins there, if that was not known.
    pub(super) fn ends_at(&mut self, partition: i32, end: i64) {
        if let Some(index) = self.begins_at_end.iter().position(|known| *known == partition) {
            self.begins_at_end.swap_remove(index);
            self.raise(partition, end);
        }
    }

    /// Joins the tail, which is here now and brings what comes next. Gives what has to be read of
    /// the log before that.
    pub(super) fn join(&mut self, places: &Places) -> Vec<Stretch> {
        // What was announced meanwhile was not told.
        self.order.lose();
        let mut stretches = Vec::new();
        for (partition, to) in places.nexts() {
            self.ends_at(partition, to);
            let from = self.next(partition);
            if from < to {
                stretches.push(Stretch { partition, from, to });
            }
        }
        self.is_level = stretches.is_empty() && self.is_behind(places);
        stretches
    }

    /// All of these has been read.
    pub(super) fn joined(&mut self, stretches: &[Stretch], places: &Places) {
        for stretch in stretches {
            self.raise(stretch.partition, stretch.to);
        }
        self.is_level = self.is_behind(places);
    }

    /// Takes an event, from the log or the tail, which has this mark.
    pub(super) fn take(&mut self, cursor: Cursor, mark: impl FnOnce() -> u64) -> Taken {
        if cursor.offset() < self.next(cursor.partition()) {
            return Taken::Old;
        }
        self.next.insert(cursor.partition(), after(cursor));
        match self.early.remove(&cursor) {
            None => Taken::New,
            Some(told) if told == mark() => Taken::Told,
            Some(_) => {
                self.unconfirmed += 1;
                Taken::New
            }
        }
    }

    /// Takes an event of which only news have come; perhaps not all news before them. False: it is
    /// not to be told now. It was had before, or an earlier one may still have to come, or too many
    /// are early.
    pub(super) fn take_early(&mut self, cursor: Cursor, place: Place, has_missed: bool) -> bool {
        if has_missed {
            self.order.lose();
        }
        let (next, told) = (self.next(cursor.partition()), self.early.get(&cursor));
        if cursor.offset() < next || told == Some(&place.mark) {
            return false;
        }
        // Where two are said to lie there, one at least is made up.
        let has_room = told.is_none() && self.early.len() < EARLY;
        if self.order.is_next(cursor, place, next, has_room) {
            self.early.insert(cursor, place.mark);
            return true;
        }
        false
    }

    /// How many events have been told early that the log does not have, since this was asked last.
    pub(super) fn unconfirmed(&mut self) -> u64 {
        std::mem::take(&mut self.unconfirmed)
    }

    /// Everything that the tail has brought up to there was taken.
    pub(super) fn confirm(&mut self, places: &Places) {
        for (partition, next) in places.nexts() {
            if !self.begins_at_end.contains(&partition) {
                self.raise(partition, next);
            }
        }
        self.is_level = self.is_behind(places);
    }

    /// The log has lost what came next. Goes on behind this position.
    pub(super) fn reset(&mut self, position: &Position) {
        for (partition, next) in position.nexts() {
            self.raise(partition, next);
        }
    }

    /// The log of a partition has become shorter than what was had of it: it is another one, and
    /// nothing of it was had.
    pub(super) fn forget(&mut self, partition: i32) {
        self.next.remove(&partition);
        self.early.retain(|cursor, _| cursor.partition() != partition);
    }

    /// Partitions of which more was had than the tail has brought, and up to where.
    pub(super) fn ahead(&self, places: &Places) -> Vec<(i32, i64)> {
        let ahead = places.nexts().filter(|(partition, next)| self.next(*partition) > *next);
        ahead.map(|(partition, _)| (partition, self.next(partition))).collect()
    }

    /// Whether the position of whatever the tail brings is the follower's, too.
    pub(super) fn is_level(&self) -> bool {
        self.is_level
    }

    /// Those of the partitions of which nothing was seen before, so that nothing of their past can
    /// be missing.
    pub(super) fn fresh(&self, stretches: &[Stretch]) -> Vec<i32> {
        let partitions = stretches.iter().map(|stretch| stretch.partition);
        partitions.filter(|partition| self.is_fresh && !self.next.contains_key(partition)).collect()
    }

    /// Up to where everything was had.
    pub(super) fn position(&self) -> Position {
        self.next.iter().map(|(&partition, &next)| (partition, next)).collect()
    }

    fn is_behind(&self, places: &Places) -> bool {
        let has_come = |(&partition, &next): (&i32, &i64)| {
            places.next(partition).is_some_and(|known| known >= next)
        };
        self.begins_at_end.is_empty() && self.next.iter().all(has_come)
    }

    fn next(&self, partition: i32) -> i64 {
        self.next.get(&partition).copied().unwrap_or(0)
    }

    fn raise(&mut self, partition: i32, next: i64) {
        let known = self.next.entry(partition).or_insert(0);
        if next > *known {
            *known = next;
            // What was told early and has not come by now is not in the log.
            let before = self.early.len();
            self.early.retain(|told, _| told.partition() != partition || told.offset() >= next);
            self.unconfirmed += (before - self.early.len()) as u64;
        }
    }
}

fn after(cursor: Cursor) -> i64 {
    cursor.offset().saturating_add(1)
}
