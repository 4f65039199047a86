//! The events of one request while Kafka has them.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use tokio::sync::Notify;
use tokio::time::timeout_at;

use super::admission::Permit;
use crate::kafka::{Outcome, Reason};

/// The outcomes of a request's events, as they come in. Lives for as long as any of its records
/// is in flight, with or without the request, and holds the bytes that were admitted for it.
pub(super) struct Batch {
    outcomes: Box<[OnceLock<Outcome>]>,
    open: AtomicUsize,
    settled: Notify,
    submitted: Instant,
    permit: Permit,
}

/// What a record carries through Kafka: its place in its batch.
pub struct Ticket {
    batch: Arc<Batch>,
    index: usize,
}

impl Batch {
    pub(super) fn new(events: usize, permit: Permit) -> Arc<Self> {
        Arc::new(Batch {
            outcomes: (0..events).map(|_| OnceLock::new()).collect(),
            open: AtomicUsize::new(events),
            settled: Notify::new(),
            submitted: Instant::now(),
            permit,
        })
    }

    /// Waits for all outcomes until the deadline. What has none by then was handed to Kafka and
    /// may still be stored: it is unknown.
    pub(super) async fn outcomes(&self, deadline: Instant) -> Vec<Outcome> {
        if self.open.load(Ordering::Acquire) > 0 {
            // One permit is kept for a wake-up that came first, so none is missed.
            let _ = timeout_at(deadline.into(), self.settled.notified()).await;
        }
        let outcome = |slot: &OnceLock<Outcome>| slot.get().copied();
        let unanswered = Outcome::Unknown(Reason::TimedOut);
        self.outcomes.iter().map(|slot| outcome(slot).unwrap_or(unanswered)).collect()
    }
}

impl Drop for Batch {
    fn drop(&mut self) {
        let is_stored = |slot: &OnceLock<Outcome>| matches!(slot.get(), Some(Outcome::Stored(_)));
        if self.outcomes.iter().any(is_stored) {
            self.permit.drained();
        }
    }
}

impl Ticket {
    pub(super) fn new(batch: &Arc<Batch>, index: usize) -> Self {
        Ticket { batch: Arc::clone(batch), index }
    }

    /// Since when the record has been on its way.
    pub(super) fn age(&self) -> Duration {
        self.batch.submitted.elapsed()
    }

    /// Writes the outcome down, and wakes the request after the last one.
    pub(super) fn settle(&self, outcome: Outcome) {
        if self.batch.outcomes[self.index].set(outcome).is_ok()
            && self.batch.open.fetch_sub(1, Ordering::AcqRel) == 1
        {
            self.batch.settled.notify_one();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cursor::Cursor;
    use crate::publisher::Admission;

    fn batch(events: usize) -> Arc<Batch> {
        Batch::new(events, Admission::for_tests().permit())
    }

    fn soon() -> Instant {
        Instant::now() + Duration::from_secs(10)
    }

    #[tokio::test]
    async fn it_answers_when_the_last_outcome_is_in_and_in_the_order_of_the_request() {
        let batch = batch(2);
        let stored = Outcome::Stored(Cursor::new(1, 7));
        let failed = Outcome::NotStored(Reason::TooLarge);
        Ticket::new(&batch, 1).settle(failed);
        let waiting = tokio::spawn({
            let batch = Arc::clone(&batch);
            async move { batch.outcomes(soon()).await }
        });
        Ticket::new(&batch, 0).settle(stored);
        assert_eq!(waiting.await.unwrap(), [stored, failed]);
    }

    #[tokio::test]
    async fn what_has_no_outcome_at_the_deadline_is_unknown() {
        let batch = batch(2);
        Ticket::new(&batch, 0).settle(Outcome::Stored(None));
        assert_eq!(
            batch.outcomes(Instant::now()).await,
            [Outcome::Stored(None), Outcome::Unknown(Reason::TimedOut)]
        );
    }

    #[tokio::test]
    async fn only_what_kafka_took_says_how_fast_room_comes_free() {
        let admission = Admission::for_tests();
        let admitted = async || {
            let mut permit = admission.permit();
            permit.settle(100).await.unwrap();
            permit
        };
        drop(admitted().await);
        let mut answer = admission.permit();
        answer.charge(100);
        drop(answer);
        let refused = Batch::new(1, admitted().await);
        Ticket::new(&refused, 0).settle(Outcome::NotStored(Reason::TooLarge));
        drop(refused);
        assert_eq!(admission.drained(), 0);

        let stored = Batch::new(2, admitted().await);
        Ticket::new(&stored, 1).settle(Outcome::Stored(None));
        drop(stored);
        assert_eq!(admission.drained(), 100);
    }
}
