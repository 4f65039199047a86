//! How far one partition has been read, oldest first.

use std::collections::VecDeque;

use crate::event::Selection;
use crate::kafka::StoredEvent;
use crate::reader::scan::{Enough, Scanner, Stretch, Trouble};

/// One of the partitions in which the source may be.
pub(super) struct Lane {
    pub(super) partition: i32,
    /// What will be read next.
    pub(super) next: i64,
    /// Where the partition ended when the replay began.
    pub(super) end: i64,
    /// Whether nothing of it has been read, nor was it said to have been: then it may begin later
    /// than it did, and nothing is missing.
    pub(super) is_fresh: bool,
    pub(super) is_done: bool,
    /// The latest time that has been read.
    pub(super) time: i64,
    /// What was found and is not due yet, with the latest time up to there.
    pub(super) found: VecDeque<(i64, StoredEvent)>,
}

impl Lane {
    /// Reads on, until that is enough.
    pub(super) fn read(
        &mut self,
        scanner: &mut Scanner<'_>,
        selection: &Selection,
        enough: Enough,
    ) -> Result<(), Trouble> {
        let stretch = Stretch { partition: self.partition, from: self.next, to: self.end };
        let (events, progress) = scanner.events(stretch, selection, enough)?;
        let time = self.time.max(progress.time.unwrap_or(i64::MIN));
        self.find(events);
        self.is_fresh &= progress.next == self.next;
        self.next = progress.next;
        self.time = time;
        self.is_done = progress.is_whole;
        Ok(())
    }

    /// Takes the events of all that is left of it.
    pub(super) fn end_with(&mut self, events: Vec<StoredEvent>) {
        self.find(events);
        self.next = self.end;
        self.is_done = true;
    }

    fn find(&mut self, events: Vec<StoredEvent>) {
        for event in events {
            let latest = self.found.back().map_or(self.time, |(latest, _)| *latest);
            self.found.push_back((event.time().max(latest), event));
        }
    }
}
