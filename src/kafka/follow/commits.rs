//! Committing to the group, and leaving it.

use std::time::{Duration, Instant};

use rdkafka::consumer::Consumer;

use super::Follower;
use crate::telemetry;

/// How long a commit may be under way before another one is tried.
const COMMIT_ANSWER: Duration = Duration::from_secs(10);
/// How often a closing consumer is asked whether it has closed.
const POLL: Duration = Duration::from_millis(20);

impl Follower {
    /// Begins to commit what has been taken since the last time. Outside of a group it does
    /// nothing.
    pub fn commit(&self) {
        if self.follow.group.is_none() {
            return;
        }
        self.hear_answers();
        let context = self.consumer.context();
        let is_busy =
            context.state().committing.is_some_and(|since| since.elapsed() < COMMIT_ANSWER);
        let list = context.uncommitted(|_| true);
        if is_busy || list.count() == 0 {
            return;
        }
        // SAFETY: the answers are this consumer's.
        let begun = unsafe { self.answers.commit(self.consumer.client().native_ptr(), &list) };
        match begun {
            Ok(()) => context.state().committing = Some(Instant::now()),
            Err(error) => telemetry::warn_limited!("cannot commit to the group: {error}"),
        }
    }

    fn hear_answers(&self) {
        while let Some(answer) = self.answers.next() {
            self.consumer.context().state().committing = None;
            match answer {
                Ok(offsets) => self.consumer.context().committed(&offsets),
                Err(error) => telemetry::warn_limited!("cannot commit to the group: {error}"),
            }
        }
    }

    /// Commits what has been taken and leaves the group, within a limit.
    ///
    /// # Errors
    /// Not everything could be committed in time.
    pub fn close(self, limit: Duration) -> Result<(), String> {
        let deadline = Instant::now() + limit;
        let is_committed = self.commits_all(deadline);
        self.consumer.context().state().gives_up_commits = !is_committed;
        self.give_away();
        if let Err(error) = self.consumer.close_queue() {
            tracing::debug!("cannot leave the group: {error}");
        }
        while !self.consumer.closed() && Instant::now() < deadline {
            self.consumer.poll(POLL);
            self.give_away();
        }
        // Dropped, it would close once more, and wait for Kafka without a limit. The process ends.
        std::mem::forget(self);
        if is_committed {
            Ok(())
        } else {
            Err("the last events taken are not committed".to_owned())
        }
    }

    fn commits_all(&self, deadline: Instant) -> bool {
        if self.follow.group.is_none() {
            return true;
        }
        loop {
            self.commit();
            if self.consumer.context().uncommitted(|_| true).count() == 0 {
                return true;
            }
            if Instant::now() > deadline {
                return false;
            }
            self.consumer.poll(POLL);
        }
    }
}
