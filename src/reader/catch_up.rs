//! What a follower has missed: everything of a selection in some stretches of the log, from memory
//! where that has all of it, else from Kafka.

use std::sync::Arc;

use super::replay::Replay;
use super::scan::Stretch;
use super::stream::ReplayStream;
use super::{ReadError, Reader};
use crate::event::Selection;
use crate::kafka::StoredEvent;

/// The most bytes of events that are taken out of memory at once.
const FROM_MEMORY: usize = 1024 * 1024;

/// The events on their way.
pub struct CatchUp(Way);

enum Way {
    Memory(Vec<StoredEvent>),
    Kafka(Box<ReplayStream>),
}

impl CatchUp {
    /// The next events, at least one; of each partition in the order of offsets. None at the end.
    ///
    /// # Errors
    /// Kafka, or retention, which has removed some of it.
    pub async fn next(&mut self) -> Option<Result<Vec<StoredEvent>, ReadError>> {
        match &mut self.0 {
            Way::Memory(events) if events.is_empty() => None,
            Way::Memory(events) => Some(Ok(std::mem::take(events))),
            Way::Kafka(stream) => stream.next().await,
        }
    }
}

impl Reader {
    /// How many partitions the topic has, as last heard.
    ///
    /// # Errors
    /// Nothing was heard so far.
    pub fn partitions(&self) -> Result<i32, ReadError> {
        self.shared.partitions()
    }

    /// Where a partition ends now.
    ///
    /// # Errors
    /// Kafka does not say.
    pub async fn end(&self, partition: i32) -> Result<i64, ReadError> {
        self.shared.scan(move |scanner, _| scanner.bounds(partition).map(|bounds| bounds.end)).await
    }

    /// Where these partitions begin now.
    ///
    /// # Errors
    /// Kafka does not say it of all of them.
    pub async fn beginnings(&self, partitions: Vec<i32>) -> Result<Vec<(i32, i64)>, ReadError> {
        let bounds =
            self.shared.scan(move |scanner, _| scanner.all_bounds(&partitions)).await?.into_iter();
        Ok(bounds.map(|(partition, bounds)| (partition, bounds.start)).collect())
    }

    /// The events of a selection in these stretches, one a partition. Of the partitions in `fresh`
    /// nothing was seen before: it is no loss when one begins later than its stretch.
    ///
    /// All of them are read, also for one source: where it may be depends on how many partitions there
    /// are, and another instance may have heard of more of them before this one.
    ///
    /// Waits for its turn: so many are read at a time as there are streamed replays.
    ///
    /// # Errors
    /// The reader has been stopped, or Kafka was never heard of.
    pub async fn catch_up(
        &self,
        selection: &Selection,
        stretches: Vec<Stretch>,
        fresh: &[i32],
    ) -> Result<CatchUp, ReadError> {
        let shared = &self.shared;
        if let Some(events) = shared.memory.between(selection, &stretches, FROM_MEMORY) {
            return Ok(CatchUp(Way::Memory(events)));
        }
        let permit = Arc::clone(&shared.catch_ups).acquire_owned().await;
        let permit = permit.map_err(|_| ReadError::Unavailable)?;
        shared.reachable()?;
        let replay = Replay::between(selection.clone(), &stretches, fresh);
        let stream = ReplayStream::new(Arc::clone(shared), replay, permit);
        Ok(CatchUp(Way::Kafka(Box::new(stream))))
    }
}
