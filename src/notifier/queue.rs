//! The bounded queue between the delivery reports and a worker.

use std::sync::Arc;
use std::time::Instant;

use parking_lot::Mutex;
use tokio::sync::Notify;
use tokio::time::sleep_until;

use crate::metrics::Metrics;

/// Notifications as bytes, one behind the other: adding one copies it and allocates nothing,
/// and it holds on to nothing else. Bounded in bytes, with what the worker has taken and not
/// sent yet.
pub(super) struct Queue {
    limit: usize,
    state: Mutex<State>,
    arrived: Notify,
    closed: Notify,
    metrics: Arc<Metrics>,
}

#[derive(Default)]
struct State {
    waiting: Batch,
    /// Bytes that the worker has taken and is sending.
    taken: usize,
    close: Option<Instant>,
}

/// Notifications in their order.
#[derive(Default)]
pub(super) struct Batch {
    bytes: Vec<u8>,
    /// Where each notification's channel and payload end in `bytes`.
    ends: Vec<(usize, usize)>,
}

/// What the worker finds when it asks.
pub(super) enum Taken {
    Batch(Batch),
    /// The service stops: there will be no more.
    Last(Batch),
}

impl Queue {
    pub(super) fn new(limit: usize, metrics: Arc<Metrics>) -> Self {
        Queue {
            limit,
            state: Mutex::default(),
            arrived: Notify::new(),
            closed: Notify::new(),
            metrics,
        }
    }

    /// Adds a notification, unless it does not fit.
    pub(super) fn push(&self, channel: &[u8], payload: &[u8]) -> bool {
        let size = channel.len() + payload.len();
        let mut state = self.state.lock();
        let held = state.taken + state.waiting.bytes.len();
        if held + size > self.limit || state.close.is_some() {
            return false;
        }
        state.waiting.push(channel, payload);
        let first = state.waiting.ends.len() == 1;
        drop(state);
        self.metrics.notify_queue.inc_by(size as i64);
        if first {
            self.arrived.notify_one();
        }
        true
    }

    /// Waits for notifications and takes all of them. `spent` is the batch taken before: done
    /// with, and its memory is used again.
    pub(super) async fn take(&self, mut spent: Batch) -> Taken {
        self.settle(&mut spent);
        loop {
            {
                let mut state = self.state.lock();
                if !state.waiting.is_empty() || state.close.is_some() {
                    std::mem::swap(&mut state.waiting, &mut spent);
                    state.taken = spent.bytes.len();
                    return match state.close {
                        None => Taken::Batch(spent),
                        Some(_) => Taken::Last(spent),
                    };
                }
            }
            self.arrived.notified().await;
        }
    }

    /// Gives back the room of a batch that was taken, and empties it.
    pub(super) fn settle(&self, spent: &mut Batch) {
        self.state.lock().taken = 0;
        self.metrics.notify_queue.dec_by(spent.bytes.len() as i64);
        spent.clear();
    }

    /// Waits until the queue is closed.
    pub(super) async fn closed(&self) {
        self.closing().await;
    }

    /// Waits until the queue is closed and its deadline is over.
    pub(super) async fn expired(&self) {
        let deadline = self.closing().await;
        sleep_until(deadline.into()).await;
    }

    async fn closing(&self) -> Instant {
        loop {
            let closed = self.closed.notified();
            if let Some(deadline) = self.state.lock().close {
                return deadline;
            }
            closed.await;
        }
    }

    /// Takes nothing more, and lets the worker finish by the deadline.
    pub(super) fn close(&self, deadline: Instant) {
        self.state.lock().close = Some(deadline);
        self.closed.notify_waiters();
        self.arrived.notify_one();
    }

    /// Throws away what waits, and says how many notifications it was.
    pub(super) fn clear(&self) -> usize {
        let mut state = self.state.lock();
        let count = state.waiting.len();
        self.metrics.notify_queue.dec_by(state.waiting.bytes.len() as i64);
        state.waiting.clear();
        count
    }
}

impl Batch {
    fn push(&mut self, channel: &[u8], payload: &[u8]) {
        self.bytes.extend_from_slice(channel);
        let channel_end = self.bytes.len();
        self.bytes.extend_from_slice(payload);
        self.ends.push((channel_end, self.bytes.len()));
    }

    fn clear(&mut self) {
        self.bytes.clear();
        self.ends.clear();
    }

    pub(super) fn len(&self) -> usize {
        self.ends.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// The notification at `index`: channel and payload.
    pub(super) fn get(&self, index: usize) -> (&[u8], &[u8]) {
        let start = if index == 0 { 0 } else { self.ends[index - 1].1 };
        let (channel_end, end) = self.ends[index];
        (&self.bytes[start..channel_end], &self.bytes[channel_end..end])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn queue(limit: usize) -> Queue {
        Queue::new(limit, Arc::new(Metrics::new()))
    }

    async fn take(queue: &Queue, spent: Batch) -> Batch {
        match queue.take(spent).await {
            Taken::Batch(batch) | Taken::Last(batch) => batch,
        }
    }

    #[tokio::test]
    async fn what_was_added_comes_out_in_order() {
        let queue = queue(100);
        assert!(queue.push(b"a", b"1"));
        assert!(queue.push(b"bb", b""));
        assert!(queue.push(b"a", b"333"));
        let batch = take(&queue, Batch::default()).await;
        let all: Vec<_> = (0..batch.len()).map(|index| batch.get(index)).collect();
        assert_eq!(all, [(&b"a"[..], &b"1"[..]), (b"bb", b""), (b"a", b"333")]);
    }

    #[tokio::test]
    async fn the_bytes_that_are_being_sent_count_against_the_limit() {
        let queue = queue(10);
        assert!(queue.push(b"a", b"12345"));
        let sending = take(&queue, Batch::default()).await;
        assert!(!queue.push(b"a", b"12345"));
        assert!(queue.push(b"a", b"123"));
        let next = take(&queue, sending).await;
        assert_eq!(next.len(), 1);
        assert!(queue.push(b"a", b"12345"));
        assert_eq!(queue.metrics.notify_queue.get(), 10);
        drop(take(&queue, next).await);
        assert_eq!(queue.metrics.notify_queue.get(), 6);
    }

    #[tokio::test]
    async fn a_closed_queue_takes_nothing_and_gives_out_the_rest() {
        let queue = queue(100);
        assert!(queue.push(b"a", b"1"));
        queue.close(Instant::now());
        assert!(!queue.push(b"a", b"2"));
        assert!(
            matches!(queue.take(Batch::default()).await, Taken::Last(batch) if batch.len() == 1)
        );
        assert!(
            matches!(queue.take(Batch::default()).await, Taken::Last(batch) if batch.is_empty())
        );
    }
}
