//! The events of one partition, and an index of them by source.

use std::collections::{HashMap, VecDeque};
use std::hash::{BuildHasherDefault, Hasher};
use std::iter;
use std::ops::Range;

use super::{Hit, is_wasteful, room};
use crate::cursor::Cursor;
use crate::kafka::{Candidate, StoredEvent};

/// The newest events of one partition. Offsets grow from front to back.
///
/// An event has a number: how many came before it. Each knows the number of the one before it with
/// the same hash of its source, and the index the number of the newest with a hash. So an event
/// costs no allocation of its own, and the last event of a source takes its entry along.
pub(super) struct Partition {
    covered: Range<i64>,
    entries: VecDeque<Entry>,
    /// The number of the first entry.
    first: u64,
    newest: HashMap<u64, u64, BuildHasherDefault<Hashed>>,
    /// The time of the event that went last.
    gone: Option<i64>,
}

struct Entry {
    candidate: Candidate,
    hash: u64,
    /// The number of the event before of the same hash, which may be gone.
    previous: Option<u64>,
}

impl Entry {
    fn cursor(&self) -> Cursor {
        self.candidate.unchecked().cursor()
    }
}

impl Partition {
    /// What is kept for an event, apart from its bytes: its entry, and one of the index with the
    /// byte that the map has for each.
    pub(super) const COST: usize = size_of::<Entry>() + size_of::<(u64, u64)>() + 1;

    /// Covers nothing, and will from an offset on.
    pub(super) fn from(offset: i64) -> Self {
        Partition {
            covered: offset..offset,
            entries: VecDeque::new(),
            first: 0,
            newest: HashMap::default(),
            gone: None,
        }
    }

    pub(super) fn covered(&self) -> Range<i64> {
        self.covered.clone()
    }

    /// A time before which everything lies that is not covered any more, as far as a partition's
    /// times grow. The end of all times where nothing is known.
    pub(super) fn since(&self) -> i64 {
        let first = || self.entries.front().map(|entry| entry.candidate.unchecked().time());
        self.gone.or_else(first).unwrap_or(i64::MAX)
    }

    pub(super) fn all(&self) -> impl Iterator<Item = &StoredEvent> {
        self.entries.iter().map(|entry| entry.candidate.unchecked())
    }

    /// The events in a range of offsets, oldest first.
    pub(super) fn between(&self, range: Range<i64>) -> impl Iterator<Item = &Candidate> {
        let index = |offset| self.entries.partition_point(|entry| entry.cursor().offset() < offset);
        let range = index(range.start)..index(range.end).max(index(range.start));
        self.entries.range(range).map(|entry| &entry.candidate)
    }

    /// Whether it took the event, which it does when it is ahead.
    pub(super) fn push(&mut self, candidate: Candidate, hash: u64) -> bool {
        let offset = candidate.unchecked().cursor().offset();
        if offset < self.covered.end {
            return false;
        }
        self.covered.end = offset.saturating_add(1);
        let number = self.first + self.entries.len() as u64;
        let previous = self.newest.insert(hash, number);
        self.entries.push_back(Entry { candidate, hash, previous });
        true
    }

    pub(super) fn advance(&mut self, next: i64) {
        self.covered.end = self.covered.end.max(next);
    }

    pub(super) fn get(&self, offset: i64) -> Hit {
        if !self.covered.contains(&offset) {
            return Hit::Miss;
        }
        match self.entries.binary_search_by_key(&offset, |entry| entry.cursor().offset()) {
            Ok(index) => {
                self.entries[index].candidate.event().cloned().map_or(Hit::NoEvent, Hit::Event)
            }
            Err(_) => Hit::NoEvent,
        }
    }

    /// The events whose source has this hash, newest first.
    pub(super) fn of_hash(&self, hash: u64) -> impl Iterator<Item = &Candidate> {
        let newest = self.newest.get(&hash).and_then(|&number| self.entry(number));
        iter::successors(newest, |entry| entry.previous.and_then(|number| self.entry(number)))
            .map(|entry| &entry.candidate)
    }

    fn entry(&self, number: u64) -> Option<&Entry> {
        self.entries.get(number.checked_sub(self.first)? as usize)
    }

    /// Lets the oldest event go. It and what lies before it are no longer covered.
    pub(super) fn evict(&mut self) -> Option<Candidate> {
        let Entry { candidate, hash, .. } = self.entries.pop_front()?;
        if self.newest.get(&hash) == Some(&self.first) {
            self.newest.remove(&hash);
        }
        self.first += 1;
        self.gone = Some(candidate.unchecked().time());
        self.covered.start = candidate.unchecked().cursor().offset().saturating_add(1);
        self.give_back();
        Some(candidate)
    }

    fn give_back(&mut self) {
        if is_wasteful(self.entries.len(), self.entries.capacity()) {
            self.entries.shrink_to(room(self.entries.len()));
        }
        if is_wasteful(self.newest.len(), self.newest.capacity()) {
            self.newest.shrink_to(room(self.newest.len()));
        }
    }

    #[cfg(test)]
    pub(super) fn sources(&self) -> usize {
        self.newest.len()
    }

    #[cfg(test)]
    pub(super) fn capacity(&self) -> usize {
        self.entries.capacity().max(self.newest.capacity())
    }
}

/// The keys are hashes already.
#[derive(Default)]
struct Hashed(u64);

impl Hasher for Hashed {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        bytes.iter().for_each(|&byte| self.write_u64(u64::from(byte)));
    }

    fn write_u64(&mut self, hash: u64) {
        self.0 = self.0.rotate_left(8) ^ hash;
    }
}
