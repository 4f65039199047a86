//! Newest first: from memory as far as it goes, then backwards through the partitions in chunks of
//! offsets, merged by time.

mod lane;

use std::collections::BTreeMap;

use super::memory::{Before, Memory};
use super::scan::{Scanner, Trouble};
use super::{Page, ReadError};
use crate::cursor::Cursor;
use crate::event::Source;
use crate::kafka::{Heads, StoredEvent};
use crate::position::Position;
use lane::Lane;

/// A look back on its way.
pub(super) struct Recent {
    source: Source,
    limit: usize,
    max_bytes: usize,
    lanes: Vec<Lane>,
    /// What the answer's position says of partitions in which the source is not.
    others: Position,
}

impl Recent {
    /// Begins with what is in memory.
    pub(super) fn begin(
        (memory, heads): (&Memory, &Heads),
        source: &Source,
        partitions: &[i32],
        before: Option<&Position>,
        (limit, max_bytes): (usize, usize),
    ) -> Self {
        let lane = |&partition: &i32| {
            let before = before.and_then(|position| position.offset(partition));
            let below = match before {
                Some(before) => Before::Offset(before),
                None => Before::End { head: heads.of(partition) },
            };
            let recent = memory.recent(source, partition, below, limit);
            let mut lane = Lane::new(partition, before);
            if let Some(recent) = recent {
                lane.low = recent.low;
                lane.before = Some(recent.from);
                lane.find(recent.events);
                lane.time = lane.time.min(recent.since);
            }
            lane
        };
        Recent {
            source: source.clone(),
            limit,
            max_bytes,
            lanes: partitions.iter().map(lane).collect(),
            others: before.cloned().unwrap_or_default(),
        }
    }

    /// The page, when memory alone has it.
    pub(super) fn at_once(mut self) -> Result<Page, Self> {
        let is_enough = self.lanes.iter().all(Lane::is_over) || {
            let due = self.due();
            let count = |lane: &Lane| lane.found.iter().filter(|(time, _)| *time >= due).count();
            self.lanes.iter().map(count).sum::<usize>() >= self.limit
        };
        if !is_enough {
            return Err(self);
        }
        let mut events = Vec::new();
        let complete = self.ready(&mut events, &mut 0);
        Ok(self.end(events, complete))
    }

    /// The page, from Kafka where memory does not have it.
    pub(super) fn page(mut self, scanner: &mut Scanner<'_>) -> Result<Page, ReadError> {
        let mut events = Vec::new();
        let (mut bytes, mut has_come_on) = (0, false);
        self.look_at_bounds(scanner)?;
        let complete = loop {
            if !self.ready(&mut events, &mut bytes) {
                break false;
            }
            if events.len() >= self.limit || self.lanes.iter().all(Lane::is_over) {
                break true;
            }
            // Some of the way is made in any case: who follows `next` must come forward.
            if scanner.is_exhausted() && (has_come_on || !events.is_empty()) {
                if events.is_empty() {
                    // Found again and again, and never given out, it would end no page.
                    self.take(&mut events, &mut bytes, i64::MIN);
                }
                break false;
            }
            has_come_on |= self.go_back(scanner)?;
        };
        Ok(self.end(events, complete))
    }

    /// Where the partitions end that are not in memory, and where those begin that are.
    fn look_at_bounds(&mut self, scanner: &Scanner<'_>) -> Result<(), ReadError> {
        let open = self.lanes.iter_mut().filter(|lane| !lane.is_over());
        let mut open: BTreeMap<_, _> = open.map(|lane| (lane.partition, lane)).collect();
        let partitions: Vec<_> = open.keys().copied().collect();
        for (partition, bounds) in scanner.all_bounds(&partitions)? {
            if let Some(lane) = open.get_mut(&partition) {
                lane.low = Some(bounds.start);
                lane.before = Some(lane.before.map_or(bounds.end, |before| before.min(bounds.end)));
            }
        }
        Ok(())
    }

    /// Reads a chunk more of the partition whose events are the latest. Says whether that has
    /// brought it on.
    fn go_back(&mut self, scanner: &mut Scanner<'_>) -> Result<bool, ReadError> {
        let latest = self.lanes.iter_mut().filter(|lane| !lane.is_over()).max_by_key(|l| l.time);
        let Some(lane) = latest else { return Ok(true) };
        match lane.go_back(scanner, &self.source, (self.limit, self.max_bytes)) {
            Ok(is_through) => Ok(is_through),
            Err(Trouble::Unavailable(error)) => Err(error),
            Err(Trouble::Cut { low }) => {
                lane.low = Some(low);
                Ok(true)
            }
        }
    }

    /// No partition can have anything later that has not been looked at.
    fn due(&self) -> i64 {
        let open = self.lanes.iter().filter(|lane| !lane.is_over());
        open.map(|lane| lane.time).max().unwrap_or(i64::MIN)
    }

    /// Takes the events that are due, until there are enough. False when their bytes end it before.
    fn ready(&mut self, events: &mut Vec<StoredEvent>, bytes: &mut usize) -> bool {
        let due = self.due();
        self.take(events, bytes, due)
    }

    fn take(&mut self, events: &mut Vec<StoredEvent>, bytes: &mut usize, due: i64) -> bool {
        while events.len() < self.limit {
            let first = |lane: &Lane| lane.found.front().map(|(time, e)| (*time, e.cursor()));
            let is_due =
                |lane: &&mut Lane| lane.found.front().is_some_and(|(time, _)| *time >= due);
            let lane = self.lanes.iter_mut().filter(is_due).max_by_key(|lane| first(lane));
            let Some(lane) = lane else { return true };
            let size = lane.found.front().map_or(0, |(_, event)| event.len());
            if !events.is_empty() && *bytes + size > self.max_bytes {
                return false;
            }
            if let Some((_, event)) = lane.found.pop_front() {
                *bytes += size;
                events.push(event);
            }
        }
        true
    }

    fn end(self, events: Vec<StoredEvent>, complete: bool) -> Page {
        let is_over = self.lanes.iter().all(|lane| lane.is_over() && lane.found.is_empty());
        Page { events, next: (!is_over).then(|| self.position()), complete }
    }

    fn position(&self) -> Position {
        let mut position = self.others.clone();
        for lane in &self.lanes {
            // What was found and is not in the answer has to be found again.
            let before = match lane.found.front() {
                Some((_, event)) => Some(event.cursor().offset() + 1),
                None => lane.before.max(lane.low),
            };
            if let Some(cursor) = before.and_then(|before| Cursor::new(lane.partition, before)) {
                position.set(cursor);
            }
        }
        position
    }
}
