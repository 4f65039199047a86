//! Admission: how many bytes may be in memory on their way to Kafka.

use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use tokio::sync::Semaphore;
use tokio::time::timeout;

use crate::metrics::Metrics;
use crate::settings;

/// The least and the most that a client is told to wait.
const RETRY_AFTER: std::ops::RangeInclusive<f64> = 1.0..=30.0;
/// What a client is told when nothing has drained lately.
const RETRY_AFTER_STALL: f64 = 5.0;
/// Over how long the drain rate is measured, at the least.
const RATE_WINDOW: Duration = Duration::from_secs(1);

/// Hands out the bytes that may be in flight.
#[derive(Clone)]
pub struct Admission {
    shared: Arc<Shared>,
}

struct Shared {
    free: Semaphore,
    /// What large bodies may hold together while they arrive: half, so that however slowly they
    /// are sent, they leave room for all others.
    free_for_large: Semaphore,
    limit: usize,
    timeout: Duration,
    drain: Mutex<Drain>,
    metrics: Arc<Metrics>,
}

/// Bytes that left, for the rate at which they do.
struct Drain {
    since: Instant,
    bytes: usize,
    /// Bytes a second in the window before.
    rate: f64,
}

/// The bytes stayed at their limit for the whole admission timeout.
#[derive(Debug, PartialEq, Eq)]
pub struct Full;

/// Bytes that were admitted, until it is dropped.
pub struct Permit {
    shared: Arc<Shared>,
    held: usize,
    held_as_large: usize,
}

impl Admission {
    /// Everything is free.
    pub fn new(publisher: &settings::Publisher, metrics: &Arc<Metrics>) -> Self {
        metrics.in_flight_limit.set(publisher.max_in_flight_bytes as i64);
        Self::with(publisher.max_in_flight_bytes, publisher.admission_timeout, metrics)
    }

    fn with(limit: usize, timeout: Duration, metrics: &Arc<Metrics>) -> Self {
        let shared = Shared {
            free: Semaphore::new(limit),
            free_for_large: Semaphore::new(limit / 2),
            limit,
            timeout,
            drain: Mutex::new(Drain { since: Instant::now(), bytes: 0, rate: 0.0 }),
            metrics: Arc::clone(metrics),
        };
        Admission { shared: Arc::new(shared) }
    }

    /// A permit for nothing yet.
    pub fn permit(&self) -> Permit {
        Permit { shared: Arc::clone(&self.shared), held: 0, held_as_large: 0 }
    }

    /// In how many seconds a refused client should come back: when as much as fits has drained,
    /// at the rate of the last seconds.
    pub fn retry_after(&self) -> u32 {
        let rate = self.shared.drain.lock().rate(Instant::now());
        let seconds = if rate > 0.0 { self.shared.limit as f64 / rate } else { RETRY_AFTER_STALL };
        seconds.ceil().clamp(*RETRY_AFTER.start(), *RETRY_AFTER.end()) as u32
    }
}

impl Permit {
    /// Reserves all bytes of a large body before it arrives. In one go: bodies that each hold a
    /// part and wait for the rest would keep each other out.
    ///
    /// # Errors
    /// [`Full`] after the admission timeout.
    pub async fn reserve_large(&mut self, bytes: usize) -> Result<(), Full> {
        let bytes = bytes.min(self.shared.limit / 2);
        acquire(&self.shared.free_for_large, bytes, self.shared.timeout).await?;
        self.held_as_large += bytes;
        self.grow(bytes).await
    }

    /// Says how many bytes the body has, now that all of it is there.
    ///
    /// # Errors
    /// [`Full`] after the admission timeout, when it is more than was reserved.
    pub async fn settle(&mut self, bytes: usize) -> Result<(), Full> {
        self.shared.free_for_large.add_permits(std::mem::take(&mut self.held_as_large));
        if bytes > self.held {
            return self.grow(bytes - self.held).await;
        }
        self.release(self.held - bytes);
        Ok(())
    }

    /// Adds bytes, after waiting for room when there is none. No permit needs more than there
    /// is: what goes beyond the limit counts as the limit.
    async fn grow(&mut self, bytes: usize) -> Result<(), Full> {
        let more = bytes.min(self.shared.limit - self.held);
        acquire(&self.shared.free, more, self.shared.timeout).await?;
        self.held += more;
        self.shared.metrics.in_flight.inc_by(more as i64);
        Ok(())
    }

    /// Adds bytes without waiting, as many as there are. Whoever holds some must not wait for
    /// more: at the limit all would wait for each other. What is left out stays in proportion to
    /// the body, which was admitted.
    pub fn overdraw(&mut self, bytes: usize) {
        let more = self.shared.free.forget_permits(bytes.min(self.shared.limit - self.held));
        self.held += more;
        self.shared.metrics.in_flight.inc_by(more as i64);
    }

    fn release(&mut self, bytes: usize) {
        self.held -= bytes;
        self.shared.free.add_permits(bytes);
        self.shared.metrics.in_flight.dec_by(bytes as i64);
    }
}

/// Takes permits, at once where there are some, else within the limit of time.
async fn acquire(semaphore: &Semaphore, permits: usize, limit: Duration) -> Result<(), Full> {
    // A semaphore counts in u32; the settings keep the limit below.
    let permits = u32::try_from(permits).map_err(|_| Full)?;
    let acquired = match semaphore.try_acquire_many(permits) {
        Ok(acquired) => acquired,
        Err(_) => timeout(limit, semaphore.acquire_many(permits))
            .await
            .map_err(|_| Full)?
            .map_err(|_| Full)?,
    };
    acquired.forget();
    Ok(())
}

impl std::ops::Drop for Permit {
    fn drop(&mut self) {
        let held = self.held;
        self.release(held);
        self.shared.free_for_large.add_permits(self.held_as_large);
        self.shared.drain.lock().left(held, Instant::now());
    }
}

impl Drain {
    fn left(&mut self, bytes: usize, now: Instant) {
        self.roll(now);
        self.bytes += bytes;
    }

    fn rate(&mut self, now: Instant) -> f64 {
        self.roll(now);
        self.rate
    }

    fn roll(&mut self, now: Instant) {
        let window = now.duration_since(self.since);
        if window >= RATE_WINDOW {
            self.rate = self.bytes as f64 / window.as_secs_f64();
            self.bytes = 0;
            self.since = now;
        }
    }
}

#[cfg(test)]
impl Permit {
    pub(super) fn for_tests() -> Self {
        Admission::with(1024, Duration::ZERO, &Arc::new(Metrics::new())).permit()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn admission(limit: usize, timeout: Duration) -> Admission {
        Admission::with(limit, timeout, &Arc::new(Metrics::new()))
    }

    #[tokio::test]
    async fn it_refuses_beyond_the_limit_and_admits_again_after_a_drop() {
        let admission = admission(100, Duration::from_millis(1));
        let mut first = admission.permit();
        let mut second = admission.permit();
        assert_eq!(first.grow(70).await, Ok(()));
        assert_eq!(second.grow(40).await, Err(Full));
        drop(first);
        assert_eq!(second.grow(40).await, Ok(()));
        assert_eq!(admission.shared.metrics.in_flight.get(), 40);
    }

    #[tokio::test]
    async fn it_waits_for_room() {
        let admission = admission(100, Duration::from_secs(30));
        let mut first = admission.permit();
        assert_eq!(first.grow(100).await, Ok(()));
        let mut second = admission.permit();
        let waiting = tokio::spawn(async move { second.grow(1).await });
        tokio::task::yield_now().await;
        drop(first);
        assert_eq!(waiting.await.unwrap(), Ok(()));
    }

    #[tokio::test]
    async fn a_permit_never_needs_more_than_there_is() {
        let admission = admission(100, Duration::ZERO);
        let mut permit = admission.permit();
        assert_eq!(permit.grow(80).await, Ok(()));
        assert_eq!(permit.grow(80).await, Ok(()));
        drop(permit);
        assert_eq!(admission.shared.free.available_permits(), 100);
    }

    #[tokio::test]
    async fn large_bodies_leave_half_of_the_room_to_others() {
        let admission = admission(100, Duration::ZERO);
        let mut large = admission.permit();
        assert_eq!(large.reserve_large(80).await, Ok(()));
        assert_eq!(admission.permit().reserve_large(1).await, Err(Full));
        let mut small = admission.permit();
        assert_eq!(small.settle(50).await, Ok(()));
        assert_eq!(large.settle(30).await, Ok(()));
        assert_eq!(admission.shared.metrics.in_flight.get(), 80);
        assert_eq!(admission.permit().reserve_large(20).await, Ok(()));
    }

    #[test]
    fn the_wait_follows_the_drain_rate() {
        let start = Instant::now();
        let second = Duration::from_secs(1);
        let mut drain = Drain { since: start, bytes: 0, rate: 0.0 };
        assert_eq!(drain.rate(start), 0.0);
        drain.left(500, start);
        assert_eq!(drain.rate(start + second), 500.0);
        assert_eq!(drain.rate(start + second * 3), 0.0);
    }
}
