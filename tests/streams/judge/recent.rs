//! The recent events that a connection began with.

use std::collections::BTreeMap;
use std::time::Instant;

use super::super::book::Begins;
use super::super::log::Record;
use super::Course;

impl Course<'_> {
    /// Of each source the newest came, as many as were asked for, or all that there are.
    pub(super) fn check_recent(&mut self, begins: &Begins) {
        let recent = std::mem::take(&mut self.recent);
        self.findings.recent += recent.len();
        let Begins::Now { recent: asked } = *begins else {
            if !recent.is_empty() {
                self.lie(format!("{} events came that it had already", recent.len()));
            }
            return;
        };
        if !recent.is_sorted_by(|one, next| one.place.0 != next.place.0 || one.place < next.place) {
            self.lie("recent events are not in order".to_owned());
        }
        if self.findings.delivered == 0 {
            // It may have been cut before all of them had come.
            return;
        }
        for (source_type, source_id) in self.wanted.sources.clone() {
            let is_its = |record: &&Record| {
                *record.source_type == *source_type && *record.source_id == *source_id
            };
            let came = recent.iter().copied().filter(is_its).collect();
            let there = self.log.up_to(self.ready).filter(is_its).collect();
            if let Some(lie) = self.fault(came, there, asked) {
                self.lie(format!("recent events of {source_id}: {lie}"));
            }
        }
    }

    /// What is wrong with those of one source. How many of each partition there should be is a
    /// matter of clocks.
    fn fault(&self, came: Vec<&Record>, there: Vec<&Record>, asked: usize) -> Option<String> {
        let now = Instant::now();
        let is_left = |record: &&&Record| record.place.1 >= self.log.low_at(record.place.0, now);
        let due = there.iter().filter(is_left).count().min(asked);
        if came.len() > asked || came.len() < due {
            return Some(format!("{} came, and {due} were due", came.len()));
        }
        let there = offsets(there);
        let is_newest = |(partition, came): (&i32, &Vec<i64>)| {
            there.get(partition).is_some_and(|there| there.ends_with(came))
        };
        let came = offsets(came);
        (!came.iter().all(is_newest)).then(|| format!("{came:?} came, and {there:?} is there"))
    }
}

/// Of each partition, in the same order.
fn offsets(records: Vec<&Record>) -> BTreeMap<i32, Vec<i64>> {
    let mut offsets = BTreeMap::<_, Vec<_>>::new();
    for (partition, offset) in records.into_iter().map(|record| record.place) {
        offsets.entry(partition).or_default().push(offset);
    }
    offsets
}
