//! Reading a stretch of a partition, with an eye on what it costs.

mod open;

use std::cell::Cell;
use std::ops::Range;
use std::time::Instant;

use super::ReadError;
use crate::event::Selection;
use crate::kafka::{LogConsumer, LogItem, StoredEvent};
use crate::settings;
use open::{Open, Sign};

/// How often a read is started anew when Kafka says that its offset is not there, and then that it
/// is.
const RESTARTS: u32 = 3;

/// Reads with a consumer, on its thread, for one answer.
pub(super) struct Scanner<'c> {
    pub(super) consumer: &'c LogConsumer,
    /// The partition that was read last, which can be read on without a new start.
    open: Option<Open<'c>>,
    settings: &'c settings::Reader,
    started: Instant,
    pub(super) spent: Spent,
    is_bounded: bool,
    /// Whether nobody waits for the answer any more.
    is_gone: &'c dyn Fn() -> bool,
}

/// What has been looked at so far.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Spent {
    pub(super) records: usize,
    pub(super) bytes: usize,
}

/// Offsets of a partition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stretch {
    /// The partition.
    pub partition: i32,
    /// The first one.
    pub from: i64,
    /// Itself excluded.
    pub to: i64,
}

/// How far it was read.
#[derive(Debug, Clone, Copy)]
pub(super) struct Progress {
    /// Everything below this was seen.
    pub(super) next: i64,
    /// The time of the last record.
    pub(super) time: Option<i64>,
    /// Whether all of the stretch was read, or as much as is there.
    pub(super) is_whole: bool,
    pub(super) spent: Spent,
}

/// When a read ends before its stretch does.
#[derive(Debug, Clone, Copy)]
pub(super) struct Enough {
    /// So many events were found,
    pub(super) events: usize,
    /// or so many bytes of them,
    pub(super) event_bytes: usize,
    /// or so much was looked at.
    pub(super) looked_at: Spent,
}

/// Why a stretch cannot be read.
#[derive(Debug)]
pub(super) enum Trouble {
    /// The log begins behind where the stretch does.
    Cut { low: i64 },
    /// Kafka.
    Unavailable(ReadError),
}

impl<'c> Scanner<'c> {
    pub(super) fn new(
        consumer: &'c LogConsumer,
        settings: &'c settings::Reader,
        is_gone: &'c dyn Fn() -> bool,
    ) -> Self {
        let (started, spent) = (Instant::now(), Spent::default());
        Scanner { consumer, open: None, settings, started, spent, is_bounded: true, is_gone }
    }

    /// Without bounds: for what is taken piece by piece.
    pub(super) fn unbounded(mut self) -> Self {
        self.is_bounded = false;
        self
    }

    /// Whether the answer has to be given with what there is.
    pub(super) fn is_exhausted(&self) -> bool {
        let left = self.left();
        left.records == 0
            || left.bytes == 0
            || (self.is_bounded && self.started.elapsed() >= self.settings.scan_time)
    }

    /// What may still be looked at.
    pub(super) fn left(&self) -> Spent {
        if !self.is_bounded {
            return Spent { records: usize::MAX, bytes: usize::MAX };
        }
        let Scanner { settings, spent, .. } = self;
        Spent {
            records: settings.scan_records.saturating_sub(spent.records),
            bytes: settings.scan_bytes.saturating_sub(spent.bytes),
        }
    }

    /// Whether nobody waits for the answer any more.
    pub(super) fn is_gone(&self) -> bool {
        (self.is_gone)()
    }

    /// The offsets that a partition has now.
    pub(super) fn bounds(&self, partition: i32) -> Result<Range<i64>, ReadError> {
        self.consumer.bounds(partition, self.settings.timeout).map_err(ReadError::because)
    }

    /// The same of several partitions.
    pub(super) fn all_bounds(
        &self,
        partitions: &[i32],
    ) -> Result<Vec<(i32, Range<i64>)>, ReadError> {
        let limit = self.settings.timeout;
        self.consumer.all_bounds(partitions, limit).map_err(ReadError::because)
    }

    /// Where in each partition what is of a time or later begins.
    pub(super) fn offsets_at(
        &self,
        time: i64,
        partitions: &[i32],
    ) -> Result<Vec<(i32, Option<i64>)>, ReadError> {
        let limit = self.settings.timeout;
        self.consumer.offsets_at(time, partitions, limit).map_err(ReadError::because)
    }

    /// Those of the events that lie in a stretch, oldest first, until that is enough.
    pub(super) fn events(
        &mut self,
        stretch: Stretch,
        selection: &Selection,
        enough: Enough,
    ) -> Result<(Vec<StoredEvent>, Progress), Trouble> {
        let mut events = Vec::new();
        let event_bytes = Cell::new(0);
        let count = Cell::new(0);
        let progress = self.read(
            stretch,
            |record| {
                if let Some(event) = record.event_among(selection) {
                    event_bytes.set(event_bytes.get() + event.len());
                    count.set(count.get() + 1);
                    events.push(event);
                }
            },
            |spent| {
                count.get() >= enough.events
                    || event_bytes.get() >= enough.event_bytes
                    || spent.records >= enough.looked_at.records
                    || spent.bytes >= enough.looked_at.bytes
            },
        )?;
        Ok((events, progress))
    }

    /// Shows the records of a stretch, until that is enough.
    pub(super) fn read(
        &mut self,
        stretch: Stretch,
        mut see: impl FnMut(&LogItem<'_>),
        is_enough: impl Fn(Spent) -> bool,
    ) -> Result<Progress, Trouble> {
        let Stretch { partition, from, to } = stretch;
        let spent = Spent::default();
        let mut progress = Progress { next: from, time: None, is_whole: from >= to, spent };
        let (mut heard, mut restarts) = (Instant::now(), 0);
        while !progress.is_whole && !is_enough(progress.spent) {
            if self.is_gone() {
                return Err(Trouble::Unavailable(ReadError::Unavailable));
            }
            let mut open = self.open(partition, progress.next)?;
            let before = progress.spent;
            let (count, sign) = open.look(to, &mut progress, &mut see);
            self.spent.records += progress.spent.records - before.records;
            self.spent.bytes += progress.spent.bytes - before.bytes;
            match sign {
                Sign::GoOn => self.open = Some(open),
                Sign::End => {
                    progress.is_whole = true;
                    self.open = Some(open);
                }
                Sign::Over => progress.is_whole = true,
                Sign::Failed(why) => return Err(Trouble::Unavailable(ReadError::because(why))),
                Sign::OutOfRange => {
                    restarts += 1;
                    drop(open);
                    progress.is_whole = self.is_past_end(partition, progress.next, restarts)?;
                }
            }
            if count > 0 {
                heard = Instant::now();
            } else if heard.elapsed() >= self.settings.timeout {
                let why = format!("nothing came of partition {partition}");
                return Err(Trouble::Unavailable(ReadError::because(why)));
            }
        }
        Ok(progress)
    }

    fn open(&mut self, partition: i32, from: i64) -> Result<Open<'c>, Trouble> {
        if let Some(open) = self.open.take_if(|open| open.is_at(partition, from)) {
            return Ok(open);
        }
        // One at a time: what the last one has fetched is dropped.
        self.open = None;
        Open::at(self.consumer, partition, from)
            .map_err(|why| Trouble::Unavailable(ReadError::because(why)))
    }

    /// Whether an offset that Kafka does not have lies behind the end. When it is there after all,
    /// the answer was to an earlier read, or has become wrong.
    fn is_past_end(&self, partition: i32, offset: i64, restarts: u32) -> Result<bool, Trouble> {
        let bounds = self.bounds(partition).map_err(Trouble::Unavailable)?;
        if offset < bounds.start {
            return Err(Trouble::Cut { low: bounds.start });
        }
        if restarts > RESTARTS {
            let why = format!("partition {partition} does not let {offset} be read");
            return Err(Trouble::Unavailable(ReadError::because(why)));
        }
        Ok(offset >= bounds.end)
    }
}

impl Progress {
    fn take(&mut self, record: &LogItem<'_>) {
        self.next = record.offset() + 1;
        self.time = self.time.max(Some(record.time()));
        self.spent.records += 1;
        self.spent.bytes += record.size();
    }
}
