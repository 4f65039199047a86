//! How far one partition has been looked at, newest first.

use std::collections::VecDeque;

use crate::event::Source;
use crate::kafka::StoredEvent;
use crate::reader::scan::{Scanner, Stretch, Trouble};

/// How many offsets a chunk has: with fewer, the start of each read costs more than the read.
const CHUNK: i64 = 10_000;
/// How many bytes a chunk may have before it is read anew in smaller ones.
const CHUNK_BYTES: usize = 16 * 1024 * 1024;

/// One of the partitions in which the source may be.
pub(super) struct Lane {
    pub(super) partition: i32,
    /// Everything from here on was looked at. None before it is known where the partition ends.
    pub(super) before: Option<i64>,
    /// Where the log begins, when that is known.
    pub(super) low: Option<i64>,
    /// Everything below has this time or an earlier one.
    pub(super) time: i64,
    /// How many offsets to look at next.
    pub(super) chunk: i64,
    /// What was found and is not due yet, newest first, with the earliest time down to there.
    pub(super) found: VecDeque<(i64, StoredEvent)>,
}

impl Lane {
    pub(super) fn new(partition: i32, before: Option<i64>) -> Self {
        let (low, time, found) = (None, i64::MAX, VecDeque::new());
        Lane { partition, before, low, time, chunk: CHUNK, found }
    }

    /// Whether the beginning of the log was reached.
    pub(super) fn is_over(&self) -> bool {
        matches!((self.before, self.low), (Some(before), Some(low)) if before <= low)
    }

    /// Takes what was found below everything so far.
    pub(super) fn find(&mut self, newest_first: impl IntoIterator<Item = StoredEvent>) {
        for event in newest_first {
            let time = event.time().min(self.found.back().map_or(self.time, |(time, _)| *time));
            self.found.push_back((time, event));
        }
    }

    /// Reads the next chunk, and says whether it got through it.
    pub(super) fn go_back(
        &mut self,
        scanner: &mut Scanner<'_>,
        source: &Source,
        (limit, max_bytes): (usize, usize),
    ) -> Result<bool, Trouble> {
        let (before, low) = (self.before.unwrap_or(0), self.low.unwrap_or(0));
        let from = low.max(before - self.chunk);
        let stretch = Stretch { partition: self.partition, from, to: before };
        let mut newest = Newest::new(limit, max_bytes);
        let mut first_time = i64::MAX;
        let progress = scanner.read(
            stretch,
            |record| {
                first_time = first_time.min(record.time());
                if let Some(event) = record.event_of(source) {
                    newest.push(event);
                }
            },
            |spent| spent.bytes >= CHUNK_BYTES && before - from > 1,
        )?;
        if !progress.is_whole {
            // Larger records than thought: so many fit, and half of that is on the safe side.
            self.chunk = ((progress.next - from) / 2).clamp(1, self.chunk / 2 + 1);
            return Ok(false);
        }
        // What did not fit has to be found again.
        self.before = Some(newest.dropped.map_or(from, |offset| offset + 1));
        self.find(newest.events.into_iter().rev());
        self.time = self.time.min(first_time);
        Ok(true)
    }
}

/// The newest events of a chunk, which is read oldest first.
struct Newest {
    events: VecDeque<StoredEvent>,
    bytes: usize,
    limit: usize,
    max_bytes: usize,
    /// The offset of the last one that did not fit.
    dropped: Option<i64>,
}

impl Newest {
    fn new(limit: usize, max_bytes: usize) -> Self {
        Newest { events: VecDeque::new(), bytes: 0, limit, max_bytes, dropped: None }
    }

    fn push(&mut self, event: StoredEvent) {
        self.bytes += event.len();
        self.events.push_back(event);
        while self.events.len() > self.limit.max(1)
            || (self.bytes > self.max_bytes && self.events.len() > 1)
        {
            let Some(oldest) = self.events.pop_front() else { return };
            self.bytes -= oldest.len();
            self.dropped = Some(oldest.cursor().offset());
        }
    }
}
