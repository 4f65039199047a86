//! What the tail has in memory, shared with those who read it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicI32, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::watch;
use tokio::time::timeout;

use super::ring::{Hit, Ring};
use super::scan::Stretch;
use crate::cursor::Cursor;
use crate::event::{Selection, Source};
use crate::kafka::{Candidate, StoredEvent};
use crate::metrics::Metrics;

/// How many steps of the tail are made at once, while readers wait.
const STEPS: usize = 128;

/// How long a reader waits for the tail to come to what is known to be there. It is some ms behind.
const PATIENCE: Duration = Duration::from_millis(100);

/// The ring, and where the log begins.
pub(super) struct Memory {
    inner: Mutex<Inner>,
    /// How often the tail has brought something.
    taken: watch::Sender<u64>,
    /// How many partitions the topic has, as last heard.
    partitions: AtomicI32,
    metrics: Arc<Metrics>,
}

struct Inner {
    ring: Ring,
    /// The first offset that Kafka has of each partition, as last heard.
    lows: BTreeMap<i32, i64>,
    /// The partitions whose end is in memory.
    live: BTreeSet<i32>,
}

/// What the tail has read.
pub enum Step {
    /// An event, most likely.
    Event(Candidate),
    /// Something else, or nothing: the partition has come to this offset, itself excluded.
    Passed {
        /// The partition.
        partition: i32,
        /// What comes next.
        next: i64,
    },
    /// Reading has begun anew here: what was before is not connected.
    Restart {
        /// The partition.
        partition: i32,
        /// The offset.
        from: i64,
    },
    /// The end was reached: what comes is new.
    Live {
        /// The partition.
        partition: i32,
    },
    /// It is not followed any more: what is there stays true, and is not the newest.
    Lost {
        /// The partition.
        partition: i32,
    },
}

/// Below what the newest events are asked for.
#[derive(Debug, Clone, Copy)]
pub(super) enum Before {
    /// An offset.
    Offset(i64),
    /// The end, which lies behind this offset if any is known to be there.
    End { head: Option<i64> },
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
        let inner =
            Inner { ring: Ring::new(max_bytes), lows: BTreeMap::new(), live: BTreeSet::new() };
        let taken = watch::Sender::new(0);
        let partitions = AtomicI32::new(0);
        Memory { inner: Mutex::new(inner), taken, partitions, metrics: Arc::clone(metrics) }
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
        before: Before,
        limit: usize,
    ) -> Option<Recent> {
        let inner = self.inner.lock();
        let covered = inner.ring.covers(partition)?;
        let (is_known, before) = match before {
            Before::Offset(before) => (before <= covered.end, Some(before)),
            Before::End { head } => {
                let has_head = head.is_none_or(|head| head < covered.end);
                (has_head && inner.live.contains(&partition), None)
            }
        };
        if !is_known {
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

    /// The events of a selection in these stretches, oldest first of each. None when not all of them
    /// are in memory, or they have more bytes than that, with what turns out to be none: no more than
    /// that is looked at, while the tail waits.
    pub(super) fn between(
        &self,
        selection: &Selection,
        stretches: &[Stretch],
        max_bytes: usize,
    ) -> Option<Vec<StoredEvent>> {
        let inner = self.inner.lock();
        let (mut events, mut bytes) = (Vec::new(), 0);
        for stretch in stretches {
            let low = inner.lows.get(&stretch.partition);
            if low.is_some_and(|low| stretch.from < *low) {
                return None;
            }
            let range = stretch.from..stretch.to;
            for candidate in inner.ring.between(stretch.partition, range, selection)? {
                bytes += candidate.unchecked().len();
                if bytes > max_bytes {
                    return None;
                }
                events.extend(candidate.event().cloned());
            }
        }
        Some(events)
    }

    /// Waits until the tail has come past these offsets, of one partition each. Gives up after a
    /// while, however many they are, and does not wait for those that are not followed: their end
    /// is not in memory.
    pub(super) async fn reaches(&self, heads: &[(i32, i64)]) {
        let mut taken = self.taken.subscribe();
        let has_passed = |_: &u64| heads.iter().all(|head| self.has_passed(*head));
        let _ = timeout(PATIENCE, taken.wait_for(has_passed)).await;
    }

    fn has_passed(&self, (partition, offset): (i32, i64)) -> bool {
        let inner = self.inner.lock();
        let end = inner.ring.covers(partition).map(|covered| covered.end);
        !inner.live.contains(&partition) || end.is_some_and(|end| end > offset)
    }

    /// How many partitions there are.
    pub(super) fn has_partitions(&self, count: i32) {
        self.partitions.store(count, Ordering::Relaxed);
    }

    /// How many partitions there are, as last heard. None before the first time.
    pub(super) fn partitions(&self) -> Option<i32> {
        Some(self.partitions.load(Ordering::Relaxed)).filter(|count| *count > 0)
    }

    /// Where the log begins.
    pub(super) fn begins(&self, partition: i32, low: i64) {
        self.inner.lock().lows.insert(partition, low);
    }

    /// Takes what the tail has read, in its order.
    pub(super) fn take(&self, steps: &[Step]) {
        if steps.is_empty() {
            return;
        }
        for steps in steps.chunks(STEPS) {
            let mut inner = self.inner.lock();
            steps.iter().for_each(|step| inner.step(step));
            self.metrics.reader_memory.set(inner.ring.bytes() as i64);
        }
        self.taken.send_modify(|turns| *turns += 1);
    }
}

impl Inner {
    fn step(&mut self, step: &Step) {
        match *step {
            Step::Event(ref candidate) => self.ring.push(candidate.clone()),
            Step::Passed { partition, next } => self.ring.advance(partition, next),
            Step::Restart { partition, from } => {
                self.live.remove(&partition);
                self.ring.restart(partition, from);
            }
            Step::Live { partition } => {
                self.live.insert(partition);
            }
            Step::Lost { partition } => {
                self.live.remove(&partition);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(offset: i64) -> StoredEvent {
        let cursor = Cursor::new(0, offset).unwrap();
        StoredEvent::new(cursor, offset * 10, ["i", "t", "repo", "a", "j"], b"{}").unwrap()
    }

    fn candidate(offset: i64) -> Candidate {
        Candidate::new(event(offset))
    }

    fn source() -> Source {
        Source::new("repo", "a").unwrap()
    }

    /// Follows partition 0 from offset 5, with an event at each of these.
    fn memory(offsets: &[i64]) -> Memory {
        let memory = Memory::new(1 << 20, &Arc::new(Metrics::new()));
        let mut steps = vec![Step::Restart { partition: 0, from: 5 }];
        steps.extend(offsets.iter().map(|offset| Step::Event(candidate(*offset))));
        memory.take(&steps);
        memory
    }

    fn newest(memory: &Memory, before: Before) -> Option<Vec<i64>> {
        let recent = memory.recent(&source(), 0, before, 10)?;
        Some(recent.events.iter().map(|event| event.cursor().offset()).collect())
    }

    #[test]
    fn the_newest_events_are_known_once_the_end_was_reached_and_while_it_is_followed() {
        let memory = memory(&[5, 7]);
        let end = Before::End { head: None };
        assert_eq!(newest(&memory, end), None, "it is still on its way");
        memory.take(&[Step::Live { partition: 0 }]);
        assert_eq!(newest(&memory, end), Some(vec![7, 5]));
        memory.take(&[Step::Lost { partition: 0 }]);
        assert_eq!(newest(&memory, end), None);
        // What lies below something that is covered is known all the same.
        assert_eq!(newest(&memory, Before::Offset(7)), Some(vec![5]));
        assert_eq!(newest(&memory, Before::Offset(9)), None);
    }

    #[test]
    fn an_acknowledged_event_that_the_tail_has_not_read_is_not_passed_over() {
        let memory = memory(&[5, 7]);
        memory.take(&[Step::Live { partition: 0 }]);
        assert_eq!(newest(&memory, Before::End { head: Some(8) }), None);
        memory.take(&[Step::Event(candidate(8))]);
        assert_eq!(newest(&memory, Before::End { head: Some(8) }), Some(vec![8, 7, 5]));
    }

    #[tokio::test]
    async fn whoever_waits_for_the_tail_waits_until_it_comes_and_not_forever() {
        let memory = Arc::new(memory(&[5]));
        // It is not followed.
        memory.reaches(&[(0, 100)]).await;
        memory.take(&[Step::Live { partition: 0 }]);
        let waiting = tokio::spawn({
            let memory = Arc::clone(&memory);
            async move { memory.reaches(&[(0, 6)]).await }
        });
        tokio::task::yield_now().await;
        assert!(!waiting.is_finished());
        memory.take(&[Step::Event(candidate(6))]);
        waiting.await.unwrap();
        memory.reaches(&[(0, 100)]).await;
    }

    /// One after the other they would take twice the time that there is here.
    #[tokio::test]
    async fn many_partitions_that_do_not_come_on_are_waited_for_at_the_same_time() {
        let memory = memory(&[]);
        let live = |partition| [Step::Passed { partition, next: 0 }, Step::Live { partition }];
        memory.take(&(0..100).flat_map(live).collect::<Vec<_>>());
        let heads: Vec<_> = (0..100).map(|partition| (partition, 7)).collect();
        timeout(PATIENCE * 50, memory.reaches(&heads)).await.unwrap();
    }

    /// To find out whether a value is JSON, all of it is read, under the lock.
    #[test]
    fn no_more_is_looked_at_than_may_be_taken() {
        let memory = memory(&[5]);
        let texts = ["i", "t", "repo", "a", "j"];
        let none = StoredEvent::new(Cursor::new(0, 6).unwrap(), 60, texts, &[b'{'; 1000]).unwrap();
        memory.take(&[Step::Event(Candidate::new(none))]);
        let rest = [Stretch { partition: 0, from: 5, to: 7 }];
        for selection in [Selection::everything(), Selection::of(source())] {
            let between = |max_bytes| memory.between(&selection, &rest, max_bytes);
            assert_eq!(between(2000), Some(vec![event(5)]));
            assert_eq!(between(1000), None);
        }
    }

    #[test]
    fn what_the_log_no_longer_has_is_not_known_here_either() {
        let memory = memory(&[5, 7]);
        memory.take(&[Step::Live { partition: 0 }]);
        let at = |offset| memory.get(Cursor::new(0, offset).unwrap());
        assert_eq!((at(5), at(6)), (Hit::Event(event(5)), Hit::NoEvent));
        memory.begins(0, 6);
        assert_eq!((at(5), at(6)), (Hit::Miss, Hit::NoEvent));
        assert_eq!(newest(&memory, Before::End { head: None }), Some(vec![7]));
    }
}
