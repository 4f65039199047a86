//! The ways to take room: at once, in line, or whole.

use std::time::{Duration, Instant};

use tokio::sync::Semaphore;
use tokio::time::{sleep_until, timeout_at};

/// How often it is tried again to take room whole. Being told of each release instead would cost
/// every request, and wake all who wait for what is most often too little.
const RETRY: Duration = Duration::from_millis(5);

/// There was no room: at once, or for the whole admission timeout where that is waited for.
#[derive(Debug, PartialEq, Eq)]
pub struct Full;

/// Takes permits that are there now.
pub(super) fn take(room: &Semaphore, permits: usize) -> Result<(), Full> {
    room.try_acquire_many(count(permits)?).map_err(|_| Full)?.forget();
    Ok(())
}

/// Takes permits, at once where there are some, else in the order of asking, by the deadline.
/// Whoever is first in line is given what there is, and all others wait until it has enough.
pub(super) async fn take_in_line(
    room: &Semaphore,
    permits: usize,
    deadline: Instant,
) -> Result<(), Full> {
    if take(room, permits).is_ok() {
        return Ok(());
    }
    let acquired = timeout_at(deadline.into(), room.acquire_many(count(permits)?));
    acquired.await.map_err(|_| Full)?.map_err(|_| Full)?.forget();
    Ok(())
}

/// Takes permits by the deadline, all in one go: whoever waits here keeps nothing from others,
/// and comes after those in line.
pub(super) async fn take_whole(
    room: &Semaphore,
    permits: usize,
    deadline: Instant,
) -> Result<(), Full> {
    while take(room, permits).is_err() {
        let now = Instant::now();
        if now >= deadline {
            return Err(Full);
        }
        sleep_until(deadline.min(now + RETRY).into()).await;
    }
    Ok(())
}

/// A semaphore counts in u32; the settings keep the limit below.
fn count(permits: usize) -> Result<u32, Full> {
    u32::try_from(permits).map_err(|_| Full)
}
