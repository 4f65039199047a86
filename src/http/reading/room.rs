//! The bytes of what was read that clients have not taken.

use std::sync::Arc;

use axum::body::Bytes;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::super::problem::Problem;
use super::refusal;
use crate::kept::keeping;
use crate::metrics::Metrics;

/// Room for answers to reads, apart from that of what is posted: clients that ask for much and do
/// not read it keep out readers, and never writers.
pub struct Room {
    free: Arc<Semaphore>,
    limit: u32,
    metrics: Arc<Metrics>,
}

/// Bytes of one answer, until it is taken.
struct Held {
    _permit: OwnedSemaphorePermit,
    bytes: i64,
    metrics: Arc<Metrics>,
}

impl Room {
    /// Room for so many bytes.
    pub fn new(limit: usize, metrics: &Arc<Metrics>) -> Self {
        let limit = u32::try_from(limit).unwrap_or(u32::MAX);
        metrics.answers_limit.set(limit.into());
        let free = Arc::new(Semaphore::new(limit as usize));
        Room { free, limit, metrics: Arc::clone(metrics) }
    }

    /// Refuses when there is none at all, before anything is read.
    pub(super) fn check(&self) -> Result<(), Problem> {
        if self.free.available_permits() == 0 { Err(refusal::no_room()) } else { Ok(()) }
    }

    /// The bytes of an answer, which hold room until the client has taken them. One that is
    /// larger than all of the room takes all of it.
    pub(super) fn hold<B>(&self, bytes: B) -> Result<Bytes, Problem>
    where
        B: AsRef<[u8]> + Send + 'static,
    {
        let count = u32::try_from(bytes.as_ref().len()).unwrap_or(u32::MAX).min(self.limit);
        let permit = Arc::clone(&self.free).try_acquire_many_owned(count);
        let permit = permit.map_err(|_| refusal::no_room())?;
        self.metrics.answers.inc_by(count.into());
        let held =
            Held { _permit: permit, bytes: count.into(), metrics: Arc::clone(&self.metrics) };
        Ok(keeping(bytes, held))
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.metrics.answers.dec_by(self.bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn room(limit: usize) -> (Room, Arc<Metrics>) {
        let metrics = Arc::new(Metrics::new());
        (Room::new(limit, &metrics), metrics)
    }

    #[test]
    fn answers_hold_room_until_they_are_taken() {
        let (room, metrics) = room(100);
        let mut answer = room.hold(vec![b'x'; 60]).unwrap();
        assert!(room.hold(vec![b'x'; 60]).is_err());
        assert!(room.check().is_ok());
        drop(answer.split_to(59));
        assert_eq!(metrics.answers.get(), 60);
        drop(answer);
        assert_eq!(metrics.answers.get(), 0);
        assert!(room.hold(vec![b'x'; 60]).is_ok());
    }

    #[test]
    fn one_that_is_larger_than_the_room_takes_all_of_it() {
        let (room, _) = room(100);
        let large = room.hold(vec![b'x'; 1000]).unwrap();
        assert!(room.check().is_err());
        drop(large);
        assert!(room.check().is_ok());
    }
}
