//! From Kafka into the pipe: never more in memory than a little, never waiting where Kafka waits
//! for us.

mod parting;

use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use super::options::Options;
use super::outbox::Outbox;
use super::output::Output;
use crate::json;
use crate::kafka::{FollowError, Followed, Follower};
use crate::position::Position;
use crate::telemetry;

/// Bytes that wait to be written; one event may go beyond.
const FULL: usize = 256 * 1024;
/// How many events are read before some are written.
const BURST: usize = 1000;
/// The longest wait for the next event, or for a signal.
const IDLE: Duration = Duration::from_millis(100);
/// The wait when there is something else to do.
const BUSY: Duration = Duration::from_millis(10);
/// How long a reader may take nothing before Kafka is asked to hold back: the group waits for a
/// member that is not polled.
const STALLED: Duration = Duration::from_millis(500);
/// The time between two commits.
const COMMIT: Duration = Duration::from_secs(1);

/// Events on their way.
pub(super) struct Pump<'a> {
    follower: Follower,
    output: Output,
    options: &'a Options,
    /// How long the reader may take for what is left at the end.
    patience: Duration,
    outbox: Outbox,
    /// Events that were read, and taken.
    read: u64,
    taken: u64,
    /// Since when there has been no room.
    full_since: Option<Instant>,
    is_held: bool,
    committed: Instant,
}

impl<'a> Pump<'a> {
    pub(super) fn new(
        follower: Follower,
        output: Output,
        options: &'a Options,
        patience: Duration,
    ) -> Self {
        Pump {
            follower,
            output,
            options,
            patience,
            outbox: Outbox::default(),
            read: 0,
            taken: 0,
            full_since: None,
            is_held: false,
            committed: Instant::now(),
        }
    }

    /// Runs until there are no more events, the limit is reached, the reader is gone or `stop` is
    /// set. Afterwards nothing waits to be written.
    ///
    /// # Errors
    /// What to tell the user.
    pub(super) fn run(&mut self, stop: &AtomicBool) -> Result<(), String> {
        let end = self.pump(stop).and_then(|()| self.finish(stop));
        self.account(self.output.taken());
        match end {
            Ok(()) => Ok(()),
            Err(Failure::Output(error)) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
            Err(Failure::Output(error)) => Err(format!("cannot write: {error}")),
            Err(Failure::Kafka(error)) => Err(error.to_string()),
        }
    }

    fn pump(&mut self, stop: &AtomicBool) -> Result<(), Failure> {
        while !self.is_complete() && !stop.load(Ordering::Relaxed) {
            self.look()?;
            self.read()?;
            self.write()?;
            self.account(self.output.taken());
            self.commit();
        }
        Ok(())
    }

    fn is_complete(&self) -> bool {
        self.is_enough() || self.follower.is_complete()
    }

    fn is_enough(&self) -> bool {
        self.options.limit.is_some_and(|limit| self.read >= limit)
    }

    fn look(&mut self) -> Result<(), Failure> {
        match self.follower.look() {
            Err(error) if self.options.follow && error.may_pass() => {
                telemetry::warn_limited!("{error}; trying again");
                Ok(())
            }
            looked => Ok(looked?),
        }
    }

    /// Reads what is there, as long as there is room.
    fn read(&mut self) -> Result<(), Failure> {
        if self.outbox.unwritten().len() >= FULL {
            return self.hold();
        }
        self.release();
        let mut wait = self.leisure();
        for _ in 0..BURST {
            if self.is_enough() || self.outbox.unwritten().len() >= FULL || !self.read_one(wait)? {
                break;
            }
            wait = Duration::ZERO;
        }
        Ok(())
    }

    /// How long the next event is waited for.
    fn leisure(&self) -> Duration {
        match (self.outbox.unwritten().is_empty(), self.outbox.is_empty()) {
            (true, true) => IDLE,
            // What is in the pipe may be taken at any time.
            (true, false) => BUSY,
            (false, _) => Duration::ZERO,
        }
    }

    /// Whether there was anything.
    fn read_one(&mut self, wait: Duration) -> Result<bool, Failure> {
        match self.follower.next(wait)? {
            Followed::Event(event) => {
                let cursor = event.cursor();
                let next = cursor.offset() + 1;
                self.outbox.push(cursor.partition(), next, |lines| {
                    json::write_event_line(lines, cursor, event.time(), &event.value());
                });
                self.read += 1;
            }
            Followed::Passed(partition, next) => self.outbox.pass(partition, next),
            Followed::Revoked(partitions) => self.part_from(&partitions)?,
            Followed::Nothing => return Ok(false),
        }
        Ok(true)
    }

    /// No more room: reading stops, but what the group wants is heard.
    fn hold(&mut self) -> Result<(), Failure> {
        if self.options.group.is_none() {
            return Ok(());
        }
        let since = *self.full_since.get_or_insert_with(Instant::now);
        if since.elapsed() < STALLED {
            return Ok(());
        }
        if !self.is_held {
            self.follower.hold();
            self.is_held = true;
        }
        // An event that was on its way may still come.
        self.read_one(Duration::ZERO).map(drop)
    }

    fn release(&mut self) {
        self.full_since = None;
        if self.is_held {
            self.follower.release();
            self.is_held = false;
        }
    }

    /// Writes what goes without waiting, or waits a moment for room.
    fn write(&mut self) -> Result<(), Failure> {
        let mut wait = BUSY;
        loop {
            let written = self.output.write(self.outbox.unwritten(), wait)?;
            if written == 0 {
                return Ok(self.output.check()?);
            }
            self.outbox.wrote(written);
            wait = Duration::ZERO;
        }
    }

    /// Tells the follower what has been taken: lines up to so many bytes.
    fn account(&mut self, bytes: u64) {
        while let Some(taken) = self.outbox.next_taken(bytes) {
            self.follower.taken(taken.partition, taken.next);
            self.taken += u64::from(taken.is_line);
        }
    }

    fn commit(&mut self) {
        if self.committed.elapsed() >= COMMIT {
            self.follower.commit();
            self.committed = Instant::now();
        }
    }

    pub(super) fn events(&self) -> u64 {
        self.taken
    }

    pub(super) fn position(&self) -> Position {
        self.follower.position()
    }

    pub(super) fn close(self, limit: Duration) -> Result<(), String> {
        self.follower.close(limit)
    }
}

/// What ends it before its time.
enum Failure {
    Kafka(FollowError),
    Output(io::Error),
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Failure::Output(error)
    }
}

impl From<FollowError> for Failure {
    fn from(error: FollowError) -> Self {
        Failure::Kafka(error)
    }
}
