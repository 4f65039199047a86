//! What is still owed when partitions go, or when it ends.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use super::{BUSY, Failure, Pump};
use crate::kafka::Followed;

/// How long the group waits for the reader when partitions go to another member.
const PARTING: Duration = Duration::from_secs(1);

impl Pump<'_> {
    /// Partitions go to another member: what of them is in the pipe is waited for a moment, so that
    /// it is not repeated there.
    pub(super) fn part_from(&mut self, partitions: &[i32]) -> Result<(), Failure> {
        self.read -= self.outbox.take_back(partitions);
        let deadline = Instant::now() + PARTING;
        while self.outbox.has_any(partitions) && Instant::now() < deadline {
            self.write()?;
            self.account(self.output.taken());
            std::thread::sleep(BUSY / 10);
        }
        self.outbox.forget(partitions);
        self.follower.give_away();
        Ok(())
    }

    /// Writes what is left: all of it, or what was begun when it is told to stop. Then a group's
    /// reader has a while to take it.
    pub(super) fn finish(&mut self, stop: &AtomicBool) -> Result<(), Failure> {
        self.follower.hold();
        let mut deadline = None;
        while !self.is_finished() && deadline.is_none_or(|deadline| Instant::now() < deadline) {
            let is_stopped = stop.load(Ordering::Relaxed);
            if is_stopped {
                self.outbox.cut();
            }
            if is_stopped || self.outbox.unwritten().is_empty() {
                // It may be one that takes nothing before we have ended.
                deadline.get_or_insert_with(|| Instant::now() + self.patience);
            }
            self.write()?;
            self.account(self.output.taken());
            self.commit();
            self.hear()?;
        }
        if self.options.group.is_none() {
            // Nobody loses what the reader has yet to take.
            self.account(self.output.written());
        }
        Ok(())
    }

    /// At the end nothing but what the group wants is of interest.
    fn hear(&mut self) -> Result<(), Failure> {
        if self.options.group.is_none() {
            return Ok(());
        }
        let wait = if self.outbox.unwritten().is_empty() { BUSY } else { Duration::ZERO };
        if let Followed::Revoked(partitions) = self.follower.next(wait)? {
            self.part_from(&partitions)?;
        }
        Ok(())
    }

    /// A group has to be told what was taken; otherwise writing is enough.
    fn is_finished(&self) -> bool {
        let is_group = self.options.group.is_some();
        self.outbox.unwritten().is_empty() && (self.outbox.is_empty() || !is_group)
    }
}
