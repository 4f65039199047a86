//! What is asked of one partition, and the read that is under way there.

use std::collections::BTreeMap;
use std::ops::Range;
use std::time::{Duration, Instant};

use super::ask::{Ask, Budget};
use crate::kafka::StoredEvent;
use crate::reader::{Found, ReadError};

/// How far a question may lie behind the one before it to be answered by the same read: about as
/// many records as an answer of Kafka brings anyway.
const NEIGHBOURS: i64 = 100;
/// How often a read is started anew when Kafka says that its offset is not there, and then that it
/// is.
const RESTARTS: u32 = 3;

/// The questions of one partition.
#[derive(Default)]
pub(super) struct Lane {
    waiting: BTreeMap<i64, Vec<Ask>>,
    run: Option<Run>,
    /// Where the last read began.
    at: i64,
    /// When something came of the partition.
    heard: Option<Instant>,
}

/// One read, and those who wait for it.
struct Run {
    asks: BTreeMap<i64, Vec<Ask>>,
    restarts: u32,
}

/// What to do about an offset that is not there.
pub(super) enum OutOfRange {
    /// Everything is answered.
    Done,
    /// Start anew, here.
    From(i64),
}

impl Lane {
    pub(super) fn add(&mut self, ask: Ask) {
        self.waiting.entry(ask.cursor().offset()).or_default().push(ask);
    }

    /// Whether nothing is asked and nothing is read.
    pub(super) fn is_idle(&self) -> bool {
        self.run.is_none() && self.waiting.is_empty()
    }

    pub(super) fn runs(&self) -> bool {
        self.run.is_some()
    }

    /// Where to start reading, when there is a reason and nothing is being read: at the next
    /// question ahead, together with its neighbours. Reads go upwards through the partition and
    /// begin anew at its lowest question. With the lowest always first, those who ask for what is
    /// higher up would wait for as long as others ask.
    pub(super) fn next_run(&mut self) -> Option<i64> {
        if self.run.is_some() {
            return None;
        }
        let ahead = self.waiting.range(self.at.saturating_add(1)..).next();
        let from = *ahead.or(self.waiting.first_key_value())?.0;
        let mut last = from;
        for (&offset, _) in self.waiting.range(from..) {
            if offset.saturating_sub(last) > NEIGHBOURS {
                break;
            }
            last = offset;
        }
        let mut asks = self.waiting.split_off(&from);
        if let Some(behind) = last.checked_add(1) {
            self.waiting.append(&mut asks.split_off(&behind));
        }
        self.run = Some(Run { asks, restarts: 0 });
        self.at = from;
        Some(from)
    }

    /// Takes a record. What was asked before it has none: reading goes on in order. An event is
    /// looked at and kept only for those who have room for it.
    pub(super) fn see(
        &mut self,
        offset: i64,
        budget: &Budget,
        event: impl FnOnce() -> Option<StoredEvent>,
    ) {
        self.heard = Some(Instant::now());
        let Some(run) = &mut self.run else { return };
        run.answer_below(offset, &Found::NoEvent);
        let Some(mut asks) = run.asks.remove(&offset) else { return };
        let without_room = asks.extract_if(.., |ask| ask.has_no_room());
        without_room.for_each(|ask| ask.answer(Err(ReadError::AnswerFull)));
        if asks.is_empty() {
            return;
        }
        let found = match event() {
            Some(event) => budget.hold(event).map(Found::Event),
            None => Ok(Found::NoEvent),
        };
        asks.into_iter().for_each(|ask| ask.answer(found.clone()));
    }

    /// Takes the end of the partition: nothing is at this offset yet.
    pub(super) fn end(&mut self, offset: i64) {
        self.heard = Some(Instant::now());
        let Some(run) = &mut self.run else { return };
        run.answer_below(offset, &Found::NoEvent);
        run.answer_all(&Ok(Found::NotYet));
    }

    /// Takes where the partition begins and ends, after its offset was said not to be there.
    pub(super) fn out_of_range(&mut self, bounds: &Range<i64>) -> OutOfRange {
        self.heard = Some(Instant::now());
        let Some(run) = &mut self.run else { return OutOfRange::Done };
        run.answer_below(bounds.start, &Found::Removed { earliest: bounds.start });
        let Some((&from, _)) = run.asks.first_key_value() else { return OutOfRange::Done };
        if from >= bounds.end {
            run.answer_all(&Ok(Found::NotYet));
            return OutOfRange::Done;
        }
        run.restarts += 1;
        if run.restarts > RESTARTS {
            run.answer_all(&Err(ReadError::Unavailable));
            return OutOfRange::Done;
        }
        OutOfRange::From(from)
    }

    /// Answers what is being read with an error.
    pub(super) fn fail(&mut self, error: &ReadError) {
        if let Some(run) = &mut self.run {
            run.answer_all(&Err(error.clone()));
        }
    }

    /// Answers those who need not wait any longer, and forgets those who have gone.
    pub(super) fn give_up(&mut self, now: Instant, timeout: Duration) {
        let heard = self.heard;
        let run = self.run.as_mut().map(|run| &mut run.asks);
        for asks in run.into_iter().chain([&mut self.waiting]) {
            for waiting in asks.values_mut() {
                waiting.retain(|ask| !ask.is_gone());
                for ask in waiting.extract_if(.., |ask| ask.given_up(now, heard, timeout).is_some())
                {
                    let error = ask.given_up(now, heard, timeout);
                    ask.answer(Err(error.unwrap_or(ReadError::Unavailable)));
                }
            }
            asks.retain(|_, waiting| !waiting.is_empty());
        }
    }

    /// Whether a read has come to its end, which is then forgotten.
    pub(super) fn has_finished(&mut self) -> bool {
        self.run.take_if(|run| run.asks.is_empty()).is_some()
    }
}

impl Run {
    fn answer_below(&mut self, offset: i64, found: &Found) {
        let rest = self.asks.split_off(&offset);
        answer(std::mem::replace(&mut self.asks, rest), &Ok(found.clone()));
    }

    fn answer_all(&mut self, with: &Result<Found, ReadError>) {
        answer(std::mem::take(&mut self.asks), with);
    }
}

fn answer(asks: BTreeMap<i64, Vec<Ask>>, with: &Result<Found, ReadError>) {
    asks.into_values().flatten().for_each(|ask| ask.answer(with.clone()));
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use tokio::sync::Semaphore;

    use super::*;
    use crate::cursor::Cursor;
    use crate::reader::room::Room;

    fn ask(lane: &mut Lane, offset: i64) {
        let waiting = Arc::new(Semaphore::new(1)).try_acquire_owned().unwrap();
        let room = Arc::new(Room::new(100));
        lane.add(Ask::new(Cursor::new(0, offset).unwrap(), room, waiting).0);
    }

    /// Where the next read begins, which then finds nothing.
    fn run(lane: &mut Lane) -> Option<i64> {
        let from = lane.next_run()?;
        lane.fail(&ReadError::Unavailable);
        assert!(lane.has_finished());
        Some(from)
    }

    #[test]
    fn who_asks_for_what_is_high_up_does_not_wait_for_all_who_ask_for_less() {
        let mut lane = Lane::default();
        for offset in [5000, 1000, 9000] {
            ask(&mut lane, offset);
        }
        assert_eq!(run(&mut lane), Some(1000));
        ask(&mut lane, 0);
        assert_eq!(run(&mut lane), Some(5000));
        ask(&mut lane, 5000);
        assert_eq!(run(&mut lane), Some(9000));
        assert_eq!([run(&mut lane), run(&mut lane), run(&mut lane)], [Some(0), Some(5000), None]);
    }

    #[test]
    fn neighbours_share_a_read_and_others_wait() {
        let mut lane = Lane::default();
        for offset in [300, 100, 200, 600, 10] {
            ask(&mut lane, offset);
        }
        lane.at = 50;
        assert_eq!(run(&mut lane), Some(100));
        assert_eq!([run(&mut lane), run(&mut lane), run(&mut lane)], [Some(600), Some(10), None]);
    }
}
