//! What the tail has in memory, shared with those who read it.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use parking_lot::Mutex;

use super::ring::{Hit, Ring};
use crate::cursor::Cursor;
use crate::event::Source;
use crate::kafka::StoredEvent;
use crate::metrics::Metrics;

/// How many steps of the tail are made at once, while readers wait.
const STEPS: usize = 128;

/// The ring, and where the log begins.
pub(super) struct Memory {
    inner: Mutex<Inner>,
    metrics: Arc<Metrics>,
}

struct Inner {
    ring: Ring,
    /// The first offset that Kafka has of each partition, as last heard.
    lows: BTreeMap<i32, i64>,
}

/// What the tail has read.
pub(super) enum Step {
    /// An event.
    Event(StoredEvent),
    /// Something else, or nothing: the partition has come to this offset, itself excluded.
    Passed { partition: i32, next: i64 },
    /// Reading has begun anew here: what was before is not connected.
    Restart { partition: i32, from: i64 },
}

/// The newest events of a source in a partition, as far as they are in memory.
pub(super) struct Recent {
    /// Newest first.
    pub(super) events: Vec<StoredEvent>,
    /// From here on they are complete.
    pub(super) from: i64,
    /// Everything before that has this time or an earlier one.
    pub(super) since: i64,
    /// Where the log begins, as far as is known.
    pub(super) low: Option<i64>,
}

impl Memory {
    pub(super) fn new(max_bytes: usize, metrics: &Arc<Metrics>) -> Self {
        metrics.reader_memory_limit.set(max_bytes as i64);
        let inner = Inner { ring: Ring::new(max_bytes), lows: BTreeMap::new() };
        Memory { inner: Mutex::new(inner), metrics: Arc::clone(metrics) }
    }

    /// What is at a cursor. What the log no longer has is not known here, so that it is the same
    /// for everyone.
    pub(super) fn get(&self, cursor: Cursor) -> Hit {
        let inner = self.inner.lock();
        match inner.lows.get(&cursor.partition()) {
            Some(low) if cursor.offset() < *low => Hit::Miss,
            _ => inner.ring.get(cursor),
        }
    }

    /// The newest events of a source below an offset. None when it has nothing there to begin with.
    pub(super) fn recent(
        &self,
        source: &Source,
        partition: i32,
        before: Option<i64>,
        limit: usize,
    ) -> Option<Recent> {
        let inner = self.inner.lock();
        let covered = inner.ring.covers(partition)?;
        if before.is_some_and(|before| before > covered.end) {
            return None;
        }
        let low = inner.lows.get(&partition).copied();
        let (mut events, from) = inner.ring.recent(source, partition, before, limit);
        let is_cut = from > covered.start && !events.is_empty();
        let since = if is_cut { events.last().map(StoredEvent::time) } else { None };
        let since = since.unwrap_or_else(|| inner.ring.since(partition));
        events.retain(|event| low.is_none_or(|low| event.cursor().offset() >= low));
        Some(Recent { events, from, since, low })
    }

    /// The offsets that are covered of a partition.
    pub(super) fn covers(&self, partition: i32) -> Option<Range<i64>> {
        self.inner.lock().ring.covers(partition)
    }

    /// Where the log begins.
    pub(super) fn begins(&self, partition: i32, low: i64) {
        self.inner.lock().lows.insert(partition, low);
    }

    /// Takes what the tail has read, in its order.
    pub(super) fn take(&self, steps: &mut Vec<Step>) {
        let mut steps = steps.drain(..).peekable();
        while steps.peek().is_some() {
            let mut inner = self.inner.lock();
            for step in steps.by_ref().take(STEPS) {
                inner.step(step);
            }
            self.metrics.reader_memory.set(inner.ring.bytes() as i64);
        }
    }
}

impl Inner {
    fn step(&mut self, step: Step) {
        match step {
            Step::Event(event) => self.ring.push(event),
            Step::Passed { partition, next } => self.ring.advance(partition, next),
            Step::Restart { partition, from } => self.ring.restart(partition, from),
        }
    }
}
