//! The newest events of all partitions, in memory.

mod partition;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, VecDeque};
use std::hash::{BuildHasher, RandomState};
use std::ops::Range;

use crate::cursor::Cursor;
use crate::event::{Selection, Source};
use crate::kafka::{Candidate, StoredEvent};

use partition::Partition;

/// The newest events, bounded in bytes, and which offsets of each partition they cover. When it is
/// full, the event that came first goes first, whatever its partition.
pub(crate) struct Ring {
    max_bytes: usize,
    bytes: usize,
    partitions: BTreeMap<i32, Partition>,
    /// The partition of each event, in the order in which they came: the next to go is the first
    /// one of the first of these.
    arrivals: VecDeque<i32>,
    /// Keyed, as clients choose the sources.
    hasher: RandomState,
}

/// What the ring knows of a cursor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Hit {
    /// The event there.
    Event(StoredEvent),
    /// No event is there, and none will be.
    NoEvent,
    /// Nothing: the offset is not covered.
    Miss,
}

impl Ring {
    /// A ring that covers nothing yet, for events that take so many bytes in all, with all that is
    /// kept beside them.
    pub(crate) fn new(max_bytes: usize) -> Self {
        Ring {
            max_bytes,
            bytes: 0,
            partitions: BTreeMap::new(),
            arrivals: VecDeque::new(),
            hasher: RandomState::new(),
        }
    }

    /// Takes the next event of its partition. What lies between it and the one before is covered
    /// as *no event there*. An event below the end of what is covered is known, or was forgotten:
    /// it is not taken.
    pub(crate) fn push(&mut self, candidate: Candidate) {
        let event = candidate.unchecked();
        let (cursor, cost) = (event.cursor(), cost(event));
        let hash = self.hash(event.source_type(), event.source_id());
        let partition = self
            .partitions
            .entry(cursor.partition())
            .or_insert_with(|| Partition::from(cursor.offset()));
        if partition.push(candidate, hash) {
            self.arrivals.push_back(cursor.partition());
            self.bytes += cost;
            self.evict();
        }
    }

    /// Covers the offsets of a partition up to this one, itself excluded, as *no event there*.
    /// Covers nothing new when it has come as far. Of a new partition coverage begins here.
    pub(crate) fn advance(&mut self, partition: i32, next_offset: i64) {
        let new = || Partition::from(next_offset);
        self.partitions.entry(partition).or_insert_with(new).advance(next_offset);
    }

    /// Forgets what it has of a partition; coverage begins anew at an offset. Costs a look at every
    /// arrival: it is for a tail that has lost its place.
    pub(crate) fn restart(&mut self, partition: i32, from_offset: i64) {
        let old = self.partitions.insert(partition, Partition::from(from_offset));
        let Some(old) = old else { return };
        self.bytes -= old.all().map(cost).sum::<usize>();
        self.arrivals.retain(|&arrival| arrival != partition);
    }

    /// What is at a cursor.
    pub(crate) fn get(&self, cursor: Cursor) -> Hit {
        self.partitions
            .get(&cursor.partition())
            .map_or(Hit::Miss, |partition| partition.get(cursor.offset()))
    }

    /// The offsets of a partition that are covered, events or not. None of one that is unknown.
    pub(crate) fn covers(&self, partition: i32) -> Option<Range<i64>> {
        self.partitions.get(&partition).map(Partition::covered)
    }

    /// A time before which everything lies that is before what is covered of a partition.
    pub(crate) fn since(&self, partition: i32) -> i64 {
        self.partitions.get(&partition).map_or(i64::MAX, Partition::since)
    }

    /// The newest events of a source in a partition, newest first: below the offset `before`, or
    /// from the end of what is covered on.
    ///
    /// Comes with the offset from which on (and below both `before` and the end of what is covered)
    /// no event of the source is missing in the answer: where coverage begins, or the last event of
    /// the answer when the limit cut it short.
    pub(crate) fn recent(
        &self,
        source: &Source,
        partition: i32,
        before: Option<i64>,
        limit: usize,
    ) -> (Vec<StoredEvent>, i64) {
        let before = before.unwrap_or(i64::MAX);
        let Some(partition) = self.partitions.get(&partition) else {
            return (Vec::new(), before);
        };
        let mut earlier = partition
            .of_hash(self.hash(source.kind(), source.id()))
            .skip_while(|candidate| candidate.unchecked().cursor().offset() >= before)
            // Two sources may share a hash.
            .filter(|candidate| is_of(candidate.unchecked(), source))
            .filter_map(Candidate::event)
            .cloned();
        let events: Vec<_> = earlier.by_ref().take(limit).collect();
        let is_cut = events.len() == limit && earlier.next().is_some();
        let covered = partition.covered();
        let from = match events.last() {
            Some(last) if is_cut => last.cursor().offset(),
            // With a limit of 0.
            None if is_cut => covered.end.min(before),
            _ => covered.start.min(before),
        };
        (events, from)
    }

    /// What is of a selection in a range of offsets of a partition, oldest first. Its values were not
    /// looked at: there may be as much of it as there is in all. None when the range is not covered.
    pub(crate) fn between(
        &self,
        partition: i32,
        range: Range<i64>,
        selection: &Selection,
    ) -> Option<Vec<&Candidate>> {
        let partition = self.partitions.get(&partition)?;
        let covered = partition.covered();
        if range.start < covered.start || range.end > covered.end {
            return None;
        }
        let takes = |candidate: &&Candidate| {
            let event = candidate.unchecked();
            selection.takes(event.source_type(), event.source_id(), event.kind())
        };
        if selection.is_everything() || !selection.source_types().is_empty() {
            return Some(partition.between(range).filter(takes).collect());
        }
        let of_one = |source: &Source| {
            partition
                .of_hash(self.hash(source.kind(), source.id()))
                .skip_while(|candidate| candidate.unchecked().cursor().offset() >= range.end)
                .take_while(|candidate| candidate.unchecked().cursor().offset() >= range.start)
        };
        let sources = selection.sources().iter();
        let mut found: Vec<_> = sources.flat_map(of_one).filter(takes).collect();
        found.sort_unstable_by_key(|candidate| candidate.unchecked().cursor());
        // Two sources may share a hash.
        found.dedup_by_key(|candidate| candidate.unchecked().cursor());
        Some(found)
    }

    /// Bytes that it takes: events, and all that is kept beside them.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    /// How many events it has.
    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.arrivals.len()
    }

    fn evict(&mut self) {
        while self.bytes > self.max_bytes {
            let Some(first) = self.arrivals.pop_front() else { return };
            let gone = self.partitions.get_mut(&first).and_then(Partition::evict);
            self.bytes -= gone.map_or(0, |candidate| cost(candidate.unchecked()));
        }
        if is_wasteful(self.arrivals.len(), self.arrivals.capacity()) {
            self.arrivals.shrink_to(room(self.arrivals.len()));
        }
    }

    fn hash(&self, kind: &str, id: &str) -> u64 {
        self.hasher.hash_one((kind, id))
    }
}

fn is_of(event: &StoredEvent, source: &Source) -> bool {
    event.source_id() == source.id() && event.source_type() == source.kind()
}

/// What the allocator and the counter of references take for an event's bytes.
const ALLOCATION: usize = 64;

/// What an event takes: containers have room for up to twice what is in them.
fn cost(event: &StoredEvent) -> usize {
    event.len() + ALLOCATION + 2 * (Partition::COST + size_of::<i32>())
}

/// Whether a container has much more room than it needs, and should give some back: large events
/// have taken the place of many small ones.
fn is_wasteful(len: usize, capacity: usize) -> bool {
    const SLACK: usize = 64;
    capacity > 2 * len + SLACK
}

/// Room for so many and some more, so that it is not asked for again at once.
fn room(len: usize) -> usize {
    len + len / 2
}
