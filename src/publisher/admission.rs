//! Admission: how many bytes may be in memory on their way to Kafka.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use tokio::sync::Semaphore;

use super::drain::Drain;
use super::room::{Full, take, take_in_line, take_whole};
use crate::metrics::Metrics;
use crate::settings;

/// The least and the most that a client is told to wait.
const RETRY_AFTER: std::ops::RangeInclusive<f64> = 1.0..=30.0;
/// What a client is told when nothing has drained lately.
const RETRY_AFTER_STALL: f64 = 5.0;

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
    /// What may be in memory beside the bytes in flight, of bodies that are not admitted yet: as
    /// much again as large bodies may hold.
    free_for_arriving: Semaphore,
    /// Bytes that were charged when there was no room for them: what leaves next pays for them.
    owed: AtomicUsize,
    limit: usize,
    timeout: Duration,
    drain: Mutex<Drain>,
    metrics: Arc<Metrics>,
}

/// Bytes that were admitted, until it is dropped.
pub struct Permit {
    shared: Arc<Shared>,
    held: usize,
    held_as_large: usize,
    held_as_arriving: usize,
    /// Whether Kafka took what it was held for.
    is_drained: bool,
}

impl Admission {
    /// Everything is free.
    pub fn new(publisher: &settings::Publisher, metrics: &Arc<Metrics>) -> Self {
        Self::with(publisher.max_in_flight_bytes, publisher.admission_timeout, metrics)
    }

    fn with(limit: usize, timeout: Duration, metrics: &Arc<Metrics>) -> Self {
        let shared = Shared {
            free: Semaphore::new(limit),
            free_for_large: Semaphore::new(limit / 2),
            free_for_arriving: Semaphore::new(limit / 2),
            owed: AtomicUsize::new(0),
            limit,
            timeout,
            drain: Mutex::new(Drain::starting(Instant::now())),
            metrics: Arc::clone(metrics),
        };
        metrics.in_flight_limit.set(limit as i64);
        metrics.arriving_limit.set((limit / 2) as i64);
        Admission { shared: Arc::new(shared) }
    }

    /// A permit for nothing yet.
    pub fn permit(&self) -> Permit {
        let shared = Arc::clone(&self.shared);
        Permit { shared, held: 0, held_as_large: 0, held_as_arriving: 0, is_drained: false }
    }

    /// In how many seconds a refused client should come back: when Kafka has taken as much as
    /// fits, at the rate of the last seconds.
    pub fn retry_after(&self) -> u32 {
        let rate = self.shared.drain.lock().rate(Instant::now());
        let seconds = if rate > 0.0 { self.shared.limit as f64 / rate } else { RETRY_AFTER_STALL };
        seconds.ceil().clamp(*RETRY_AFTER.start(), *RETRY_AFTER.end()) as u32
    }
}

impl std::fmt::Debug for Admission {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Admission").finish_non_exhaustive()
    }
}

impl Permit {
    /// How many bytes are admitted.
    pub fn held(&self) -> usize {
        self.held
    }

    /// Counts the bytes of a body that are in memory before it is admitted, unless it has room
    /// reserved. Without waiting: what waits here is what must not pile up.
    ///
    /// # Errors
    /// [`Full`] when too much has arrived that is not admitted.
    pub fn arrive(&mut self, bytes: usize) -> Result<(), Full> {
        if self.held_as_large > 0 {
            return Ok(());
        }
        let more = bytes.min(self.shared.limit / 2).saturating_sub(self.held_as_arriving);
        take(&self.shared.free_for_arriving, more)?;
        self.held_as_arriving += more;
        self.shared.metrics.arriving.inc_by(more as i64);
        Ok(())
    }

    /// Reserves the first room of a large body. In one go: bodies that each hold a part and wait
    /// for the rest would keep each other out. Large ones wait for each other in line, and take
    /// nothing of what small ones could have before all of it is there.
    ///
    /// # Errors
    /// [`Full`] after the admission timeout.
    pub async fn reserve_large(&mut self, bytes: usize) -> Result<(), Full> {
        let bytes = bytes.min(self.shared.limit / 2);
        let deadline = Instant::now() + self.shared.timeout;
        take_in_line(&self.shared.free_for_large, bytes, deadline).await?;
        self.held_as_large += bytes;
        let more = self.fitting(bytes);
        take_whole(&self.shared.free, more, deadline).await?;
        self.hold(more);
        self.leave_arriving();
        Ok(())
    }

    /// Makes the room of a large body as large as this, without waiting: it holds some, and
    /// whoever holds room does not wait for more.
    ///
    /// # Errors
    /// [`Full`] when there is not as much.
    pub fn extend_large(&mut self, bytes: usize) -> Result<(), Full> {
        let more = bytes.min(self.shared.limit / 2).saturating_sub(self.held_as_large);
        take(&self.shared.free_for_large, more)?;
        self.held_as_large += more;
        self.grow_now(more)
    }

    /// Says how many bytes the body has, now that all of it is there.
    ///
    /// # Errors
    /// [`Full`] when it is more than was reserved and there is not as much: at once when some was,
    /// or too many bodies wait for room already; else after the admission timeout.
    pub async fn settle(&mut self, bytes: usize) -> Result<(), Full> {
        self.shared.free_for_large.add_permits(std::mem::take(&mut self.held_as_large));
        match bytes.checked_sub(self.held) {
            None => self.release(self.held - bytes),
            Some(more) => {
                if self.grow_now(more).is_err() {
                    self.grow_in_line(more).await?;
                }
            }
        }
        self.leave_arriving();
        Ok(())
    }

    /// Adds the first bytes of a small body by the admission timeout.
    async fn grow_in_line(&mut self, bytes: usize) -> Result<(), Full> {
        if self.held > 0 {
            return Err(Full);
        }
        self.arrive(bytes)?;
        let more = self.fitting(bytes);
        take_in_line(&self.shared.free, more, Instant::now() + self.shared.timeout).await?;
        self.hold(more);
        Ok(())
    }

    /// Adds bytes without waiting. No permit needs more than there is: what goes beyond the limit
    /// counts as the limit.
    fn grow_now(&mut self, bytes: usize) -> Result<(), Full> {
        let more = self.fitting(bytes);
        take(&self.shared.free, more)?;
        self.hold(more);
        Ok(())
    }

    /// Adds bytes whether there is room for them or not: they are in memory already, or belong to
    /// what was admitted. Whoever holds some must not wait for more: at the limit all would wait
    /// for each other. What there is no room for keeps others out until as much has left.
    pub fn charge(&mut self, bytes: usize) {
        let taken = self.shared.free.forget_permits(bytes);
        if taken < bytes {
            self.shared.owed.fetch_add(bytes - taken, Ordering::AcqRel);
        }
        self.hold(bytes);
    }

    /// Says that Kafka took it. Only then do its bytes count when a refused client is told how fast
    /// room comes free: bodies that were refused, or held no event, left without making any.
    pub(super) fn drained(&mut self) {
        self.is_drained = true;
    }

    fn fitting(&self, bytes: usize) -> usize {
        bytes.min(self.shared.limit.saturating_sub(self.held))
    }

    fn hold(&mut self, bytes: usize) {
        self.held += bytes;
        self.shared.metrics.in_flight.inc_by(bytes as i64);
    }

    fn release(&mut self, bytes: usize) {
        self.held -= bytes;
        let paid = self.shared.pay(bytes);
        self.shared.free.add_permits(bytes - paid);
        self.shared.metrics.in_flight.dec_by(bytes as i64);
    }

    fn leave_arriving(&mut self) {
        let bytes = std::mem::take(&mut self.held_as_arriving);
        if bytes > 0 {
            self.shared.free_for_arriving.add_permits(bytes);
            self.shared.metrics.arriving.dec_by(bytes as i64);
        }
    }
}

impl Shared {
    /// How many of the bytes that leave are owed.
    fn pay(&self, bytes: usize) -> usize {
        if self.owed.load(Ordering::Acquire) == 0 {
            return 0;
        }
        let pay = |owed: usize| Some(owed.saturating_sub(bytes));
        let owed = self.owed.fetch_update(Ordering::AcqRel, Ordering::Acquire, pay);
        owed.unwrap_or_default().min(bytes)
    }
}

impl std::ops::Drop for Permit {
    fn drop(&mut self) {
        let held = self.held;
        self.release(held);
        self.shared.free_for_large.add_permits(self.held_as_large);
        self.leave_arriving();
        if self.is_drained {
            self.shared.drain.lock().left(held, Instant::now());
        }
    }
}

#[cfg(test)]
impl Admission {
    pub(super) fn for_tests() -> Self {
        Admission::with(1024, Duration::ZERO, &Arc::new(Metrics::new()))
    }

    /// Bytes that have drained of late.
    pub(super) fn drained(&self) -> usize {
        self.shared.drain.lock().bytes()
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    fn admission(limit: usize, timeout: Duration) -> Admission {
        Admission::with(limit, timeout, &Arc::new(Metrics::new()))
    }

    #[tokio::test]
    async fn it_refuses_beyond_the_limit_and_admits_again_after_a_drop() {
        let admission = admission(100, Duration::from_millis(1));
        let mut first = admission.permit();
        let mut second = admission.permit();
        assert_eq!(first.settle(70).await, Ok(()));
        assert_eq!(second.settle(40).await, Err(Full));
        drop(first);
        assert_eq!(second.settle(40).await, Ok(()));
        assert_eq!(admission.shared.metrics.in_flight.get(), 40);
    }

    #[tokio::test]
    async fn it_waits_for_room() {
        let admission = admission(100, Duration::from_secs(30));
        let mut first = admission.permit();
        assert_eq!(first.settle(100).await, Ok(()));
        let mut second = admission.permit();
        let waiting = tokio::spawn(async move { second.settle(1).await });
        tokio::task::yield_now().await;
        drop(first);
        assert_eq!(waiting.await.unwrap(), Ok(()));
    }

    #[tokio::test]
    async fn a_permit_never_needs_more_than_there_is() {
        let admission = admission(100, Duration::ZERO);
        let mut permit = admission.permit();
        assert_eq!(permit.settle(80).await, Ok(()));
        assert_eq!(permit.settle(160).await, Ok(()));
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

    #[tokio::test]
    async fn a_large_body_that_waits_for_room_takes_none_of_it_from_small_ones() {
        let admission = admission(100, Duration::from_secs(30));
        let mut full = admission.permit();
        assert_eq!(full.settle(70).await, Ok(()));
        let mut large = admission.permit();
        let waiting = tokio::spawn(async move { large.reserve_large(50).await });
        tokio::task::yield_now().await;
        for _ in 0..3 {
            assert_eq!(admission.permit().settle(30).now_or_never(), Some(Ok(())));
        }
        drop(full);
        assert_eq!(waiting.await.unwrap(), Ok(()));
    }

    #[tokio::test]
    async fn a_large_body_that_goes_away_or_waits_in_vain_leaves_its_share() {
        let admission = admission(100, Duration::from_millis(1));
        let mut full = admission.permit();
        assert_eq!(full.settle(70).await, Ok(()));
        assert_eq!(admission.permit().reserve_large(50).await, Err(Full));
        assert_eq!(admission.permit().reserve_large(50).now_or_never(), None);
        assert_eq!(admission.shared.free_for_large.available_permits(), 50);
        assert_eq!(admission.shared.free.available_permits(), 30);
    }

    /// It would wait with what it holds, which is what the others wait for.
    #[tokio::test]
    async fn a_body_that_holds_room_does_not_wait_for_the_rest() {
        let admission = admission(100, Duration::from_secs(30));
        let mut large = admission.permit();
        assert_eq!(large.reserve_large(80).await, Ok(()));
        let mut small = admission.permit();
        assert_eq!(small.settle(40).await, Ok(()));
        assert_eq!(large.settle(80).now_or_never(), Some(Err(Full)));
        assert_eq!(admission.shared.metrics.arriving.get(), 0);
    }

    #[tokio::test]
    async fn a_large_body_without_a_length_grows_at_once_or_not_at_all() {
        let admission = admission(100, Duration::from_secs(30));
        let mut first = admission.permit();
        assert_eq!(first.reserve_large(20).await, Ok(()));
        assert_eq!(first.extend_large(40), Ok(()));
        let mut second = admission.permit();
        assert_eq!(second.reserve_large(10).await, Ok(()));
        assert_eq!(second.extend_large(20), Err(Full));
        drop((first, second));
        assert_eq!(admission.shared.metrics.in_flight.get(), 0);
        assert_eq!(admission.shared.free_for_large.available_permits(), 50);
    }

    #[tokio::test]
    async fn what_is_not_admitted_has_a_bound_of_its_own() {
        let admission = admission(100, Duration::ZERO);
        let mut first = admission.permit();
        assert_eq!(first.arrive(10), Ok(()));
        assert_eq!(first.arrive(40), Ok(()));
        let mut second = admission.permit();
        assert_eq!(second.arrive(11), Err(Full));
        assert_eq!(first.settle(60).await, Ok(()));
        assert_eq!(admission.shared.metrics.arriving.get(), 0);
        assert_eq!(second.arrive(11), Ok(()));
        drop(second);
        assert_eq!(admission.shared.free_for_arriving.available_permits(), 50);
    }

    #[tokio::test]
    async fn a_body_that_waits_for_room_counts_as_not_admitted() {
        let admission = admission(100, Duration::from_secs(30));
        let mut full = admission.permit();
        assert_eq!(full.settle(100).await, Ok(()));
        let mut waiting = admission.permit();
        let waiting = tokio::spawn(async move { waiting.settle(50).await });
        tokio::task::yield_now().await;
        assert_eq!(admission.shared.metrics.arriving.get(), 50);
        assert_eq!(admission.permit().settle(1).await, Err(Full));
        drop(full);
        assert_eq!(waiting.await.unwrap(), Ok(()));
        assert_eq!(admission.shared.metrics.arriving.get(), 0);
    }

    #[tokio::test]
    async fn what_is_charged_beyond_the_limit_keeps_others_out_until_it_is_paid() {
        let admission = admission(100, Duration::ZERO);
        let mut body = admission.permit();
        assert_eq!(body.settle(90).await, Ok(()));
        let mut answer = admission.permit();
        answer.charge(30);
        assert_eq!(admission.shared.metrics.in_flight.get(), 120);
        drop(body);
        assert_eq!(admission.permit().settle(71).await, Err(Full));
        assert_eq!(admission.permit().settle(70).await, Ok(()));
        drop(answer);
        assert_eq!(admission.shared.free.available_permits(), 100);
    }
}
