//! Oldest first: the partitions in which a source may be, merged by time, with as little of each
//! in memory as that takes.

mod lane;

use std::collections::{BTreeMap, VecDeque};
use std::ops::Range;

use super::memory::Memory;
use super::scan::{Enough, Scanner, Spent, Stretch, Trouble};
use super::{Page, ReadError, Start};
use crate::event::{Selection, Source};
use crate::kafka::StoredEvent;
use crate::position::Position;
use lane::Lane;

/// How much of a partition is looked at before another may be further behind.
const TURN: Spent = Spent { records: 20_000, bytes: 16 * 1024 * 1024 };
/// How many bytes of a partition's events are kept at the least until they are on their way.
const KEPT_BYTES: usize = 128 * 1024;
/// How many bytes of a partition's events are taken out of memory at once.
const FROM_MEMORY: usize = 1024 * 1024;

/// A replay on its way.
pub(super) struct Replay {
    selection: Selection,
    lanes: Vec<Lane>,
    /// What the answer's position says of partitions in which the source is not.
    others: Position,
}

impl Replay {
    /// Looks where the partitions begin and end now.
    pub(super) fn begin(
        scanner: &Scanner<'_>,
        source: &Source,
        partitions: &[i32],
        start: &Start,
    ) -> Result<Self, ReadError> {
        // Before anything else where the partitions end: what comes after that is not passed over
        // where there is nothing of a time yet.
        let bounds = scanner.all_bounds(partitions)?;
        let places = Places::find(scanner, partitions, start)?;
        let others = match start {
            Start::After(position) => position.clone(),
            Start::Time(_) => Position::beginning(),
        };
        let mut is_cut = false;
        let lane = |(partition, bounds): (i32, Range<i64>)| {
            let (next, is_fresh) = places.of(partition, &bounds);
            is_cut |= next < bounds.start && !is_fresh;
            let next = next.max(bounds.start);
            Lane {
                partition,
                next,
                end: bounds.end,
                is_fresh,
                is_done: next >= bounds.end,
                time: i64::MIN,
                found: VecDeque::new(),
            }
        };
        let lanes = bounds.into_iter().map(lane).collect();
        let replay = Replay { selection: Selection::of(source.clone()), lanes, others };
        if is_cut { Err(ReadError::Removed { earliest: replay.position() }) } else { Ok(replay) }
    }

    /// Takes what is left of partitions out of memory, where that has all of it.
    pub(super) fn look_into(&mut self, memory: &Memory) {
        for lane in self.lanes.iter_mut().filter(|lane| !lane.is_done) {
            let rest = Stretch { partition: lane.partition, from: lane.next, to: lane.end };
            if let Some(events) = memory.between(&self.selection, &[rest], FROM_MEMORY) {
                lane.end_with(events);
            }
        }
    }

    /// One whose stretches are known. Of those in `fresh` nothing was seen before: they may begin
    /// later than that, and nothing is missing.
    pub(super) fn between(selection: Selection, stretches: &[Stretch], fresh: &[i32]) -> Self {
        let lane = |stretch: &Stretch| Lane {
            partition: stretch.partition,
            next: stretch.from,
            end: stretch.to,
            is_fresh: fresh.contains(&stretch.partition),
            is_done: stretch.from >= stretch.to,
            time: i64::MIN,
            found: VecDeque::new(),
        };
        let lanes = stretches.iter().map(lane).collect();
        Replay { selection, lanes, others: Position::beginning() }
    }

    /// The next so many events, within the scanner's bounds.
    pub(super) fn page(
        mut self,
        scanner: &mut Scanner<'_>,
        limit: usize,
        max_bytes: usize,
    ) -> Result<Page, ReadError> {
        let mut events = Vec::new();
        let (mut bytes, mut has_advanced) = (0, false);
        let complete = loop {
            let is_cut = !self.ready(&mut events, &mut bytes, limit, max_bytes);
            if is_cut || events.len() >= limit {
                break !is_cut;
            }
            if self.is_over() {
                break true;
            }
            // Some of the way is made in any case: who follows `next` must come forward.
            if scanner.is_exhausted() && (has_advanced || !events.is_empty()) {
                if events.is_empty() {
                    // Found again and again, and never given out, it would end no page.
                    self.take(&mut events, &mut bytes, (limit, max_bytes), i64::MAX);
                }
                break false;
            }
            match self.advance(scanner, limit - events.len()) {
                Ok(()) => has_advanced = true,
                // What is gone is told to whoever goes on from here.
                Err(ReadError::Removed { .. }) if !events.is_empty() => break false,
                Err(error) => return Err(error),
            }
        };
        Ok(Page { events, next: Some(self.position()), complete })
    }

    /// Whether everything was read and is on its way.
    pub(super) fn is_over(&self) -> bool {
        self.lanes.iter().all(|lane| lane.is_done && lane.found.is_empty())
    }

    /// Whether a partition ended before it should have, as one does for a moment whose new leader
    /// does not know yet how far its followers have come.
    pub(super) fn is_short(&self) -> bool {
        self.lanes.iter().any(|lane| lane.is_done && lane.next < lane.end)
    }

    /// Reads on in the partition that is furthest behind. `want` events are enough.
    pub(super) fn advance(
        &mut self,
        scanner: &mut Scanner<'_>,
        want: usize,
    ) -> Result<(), ReadError> {
        let behind =
            self.lanes.iter_mut().filter(|lane| !lane.is_done).min_by_key(|lane| lane.time);
        let Some(lane) = behind else { return Ok(()) };
        let left = scanner.left();
        let looked_at =
            Spent { records: TURN.records.min(left.records), bytes: TURN.bytes.min(left.bytes) };
        let enough = Enough { events: want, event_bytes: KEPT_BYTES, looked_at };
        match lane.read(scanner, &self.selection, enough) {
            Ok(()) => Ok(()),
            Err(Trouble::Unavailable(error)) => Err(error),
            Err(Trouble::Cut { low }) if lane.is_fresh => {
                lane.next = low;
                lane.is_done = low >= lane.end;
                Ok(())
            }
            Err(Trouble::Cut { low }) => {
                let partition = lane.partition;
                Err(ReadError::Removed { earliest: self.earliest(scanner, partition, low)? })
            }
        }
    }

    /// Takes the events that no partition can have anything before, until there are `limit` of
    /// them. False when `max_bytes` ends it before that; the first one is taken in any case.
    pub(super) fn ready(
        &mut self,
        events: &mut Vec<StoredEvent>,
        bytes: &mut usize,
        limit: usize,
        max_bytes: usize,
    ) -> bool {
        let behind = self.lanes.iter().filter(|lane| !lane.is_done).map(|lane| lane.time).min();
        self.take(events, bytes, (limit, max_bytes), behind.unwrap_or(i64::MAX))
    }

    fn take(
        &mut self,
        events: &mut Vec<StoredEvent>,
        bytes: &mut usize,
        (limit, max_bytes): (usize, usize),
        due: i64,
    ) -> bool {
        while events.len() < limit {
            let Some(found) = self.first_due(due) else { return true };
            let size = found.front().map_or(0, |(_, event)| event.len());
            if !events.is_empty() && *bytes + size > max_bytes {
                return false;
            }
            if let Some((_, event)) = found.pop_front() {
                *bytes += size;
                events.push(event);
            }
        }
        true
    }

    fn first_due(&mut self, due: i64) -> Option<&mut VecDeque<(i64, StoredEvent)>> {
        let first = |lane: &Lane| lane.found.front().map(|(time, event)| (*time, event.cursor()));
        let lanes = self
            .lanes
            .iter_mut()
            .filter(|lane| lane.found.front().is_some_and(|(time, _)| *time <= due));
        lanes.min_by_key(|lane| first(lane)).map(|lane| &mut lane.found)
    }

    /// Up to where everything has been given out, or was nothing of this source.
    pub(super) fn position(&self) -> Position {
        self.position_with(&BTreeMap::new())
    }

    /// The same, after the beginning of this partition has come so far. Retention seldom passes one
    /// partition alone, and whoever goes on from here is to be told once, not of each.
    fn earliest(
        &self,
        scanner: &Scanner<'_>,
        partition: i32,
        low: i64,
    ) -> Result<Position, ReadError> {
        let mut lows = BTreeMap::from([(partition, low)]);
        // What was found and not given out is to be found again.
        let is_over = |lane: &Lane| lane.is_fresh || (lane.is_done && lane.found.is_empty());
        for lane in self.lanes.iter().filter(|lane| !is_over(lane)) {
            if lane.partition != partition {
                lows.insert(lane.partition, scanner.bounds(lane.partition)?.start);
            }
        }
        Ok(self.position_with(&lows))
    }

    fn position_with(&self, lows: &BTreeMap<i32, i64>) -> Position {
        let mut position = self.others.clone();
        for lane in &self.lanes {
            let next = match lane.found.front() {
                Some((_, event)) => event.cursor().offset(),
                None => lane.next,
            };
            let next = lows.get(&lane.partition).map_or(next, |low| next.max(*low));
            position.set_next(lane.partition, next);
        }
        position
    }
}

/// Where partitions are begun.
enum Places<'p> {
    Behind(&'p Position),
    /// At the first record that is not older than a time, where there is one.
    Since(BTreeMap<i32, Option<i64>>),
}

impl<'p> Places<'p> {
    fn find(
        scanner: &Scanner<'_>,
        partitions: &[i32],
        start: &'p Start,
    ) -> Result<Self, ReadError> {
        match start {
            Start::After(position) => Ok(Places::Behind(position)),
            Start::Time(time) => {
                let offsets = scanner.offsets_at(*time, partitions)?;
                Ok(Places::Since(offsets.into_iter().collect()))
            }
        }
    }

    /// The offset in a partition, and whether nothing is missing when the log begins behind it.
    fn of(&self, partition: i32, bounds: &Range<i64>) -> (i64, bool) {
        match self {
            Places::Behind(position) => match position.offset(partition) {
                Some(offset) => (offset.saturating_add(1), false),
                None => (bounds.start, true),
            },
            Places::Since(offsets) => {
                (offsets.get(&partition).copied().flatten().unwrap_or(bounds.end), true)
            }
        }
    }
}
