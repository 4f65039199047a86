//! How a stream begins.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::time::sleep;

use super::client::{Refusal, Seat};
use super::hub::Hub;
use super::merge::Merge;
use super::message::Form;
use super::places::Places;
use super::subscription::Subscription;
use crate::cursor::Cursor;
use crate::event::Selection;
use crate::kafka::StoredEvent;
use crate::position::Position;
use crate::reader::{ReadError, Reader};

/// How long a stream that begins now waits for partitions that the tail has not come to the end of,
/// as just after a start. One without a leader is not waited for any longer.
const PATIENCE: Duration = Duration::from_secs(2);
/// How often it is looked.
const LOOK: Duration = Duration::from_millis(10);

/// What a stream is to bring.
#[derive(Debug, Clone)]
pub struct Request {
    /// Which events.
    pub selection: Selection,
    /// From where on.
    pub start: Start,
    /// How much of each event. What comes early is a notification only.
    pub form: Form,
}

/// From where on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Start {
    /// From now on, after so many recent events of each source.
    Now {
        /// How many.
        recent: usize,
    },
    /// Behind a position.
    After(Position),
}

impl Seat {
    /// Begins a stream.
    ///
    /// # Errors
    /// What has to be known of the log is not.
    pub async fn subscribe(
        &self,
        reader: &Reader,
        request: Request,
    ) -> Result<Subscription, Refusal> {
        let partitions = reader.partitions().map_err(Refusal::Unread)?;
        let selection = Arc::new(request.selection);
        let (merge, recent) = match request.start {
            Start::After(position) => (Merge::after(&position), Vec::new()),
            Start::Now { recent } => {
                let places = self.hub.known_places(partitions).await;
                let mut merge = Merge::from_now(&places, partitions);
                find_ends(reader, &mut merge).await;
                let recent = self.recent(reader, &selection, &merge.position(), recent).await;
                (merge, recent.map_err(Refusal::Unread)?)
            }
        };
        let wanted = (selection, request.form);
        Ok(Subscription::new(self.clone(), reader.clone(), wanted, (merge, recent)))
    }

    /// The recent events, when it is its turn to read.
    async fn recent(
        &self,
        reader: &Reader,
        selection: &Selection,
        position: &Position,
        count: usize,
    ) -> Result<Vec<StoredEvent>, ReadError> {
        if count == 0 {
            return Ok(Vec::new());
        }
        // The client's turns are never taken away.
        let _turn = self.turns.acquire().await;
        recent_events(reader, selection, position, count).await
    }
}

impl Hub {
    /// Waits until the tail has come to the end of every partition, but not for long.
    async fn known_places(&self, partitions: i32) -> Places {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let places = self.places();
            if places.has_all(partitions) || Instant::now() >= deadline {
                return places;
            }
            sleep(LOOK).await;
        }
    }
}

/// Asks Kafka where those partitions end that the tail has not come to the end of: what is written
/// before it does is to come, too. One without a leader has nothing to write to either.
async fn find_ends(reader: &Reader, merge: &mut Merge) {
    for partition in merge.begins_at_end().to_vec() {
        if let Ok(end) = reader.end(partition).await {
            merge.ends_at(partition, end);
        }
    }
}

/// The newest events of each source up to a position, oldest first.
async fn recent_events(
    reader: &Reader,
    selection: &Selection,
    position: &Position,
    count: usize,
) -> Result<Vec<StoredEvent>, ReadError> {
    let mut events = Vec::new();
    // What comes meanwhile comes later: it must not take the place of older ones.
    let next = |cursor: Cursor| Cursor::new(cursor.partition(), cursor.offset() + 1);
    let before = position.cursors().filter_map(next).collect();
    for source in selection.sources() {
        events.extend(reader.recent(source, Some(&before), count).await?.events);
    }
    let is_past = |event: &StoredEvent| {
        let cursor = event.cursor();
        position.offset(cursor.partition()).is_some_and(|upto| cursor.offset() <= upto)
    };
    events.retain(|event| is_past(event) && selection.takes_kind(event.kind()));
    Ok(in_order(events))
}

/// By time, and within a partition by offset: clocks differ, so times need not ascend there.
fn in_order(mut events: Vec<StoredEvent>) -> Vec<StoredEvent> {
    events.sort_unstable_by_key(StoredEvent::cursor);
    let mut latest: BTreeMap<i32, i64> = BTreeMap::new();
    let mut timed: Vec<_> = events
        .into_iter()
        .map(|event| {
            let latest = latest.entry(event.cursor().partition()).or_insert(i64::MIN);
            *latest = event.time().max(*latest);
            (*latest, event)
        })
        .collect();
    timed.sort_by_key(|(time, event)| (*time, event.cursor()));
    timed.into_iter().map(|(_, event)| event).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(partition: i32, offset: i64, time: i64) -> StoredEvent {
        let cursor = Cursor::new(partition, offset).unwrap();
        StoredEvent::new(cursor, time, ["id", "t", "s", "i", "json"], b"{}").unwrap()
    }

    #[test]
    fn recent_events_are_in_the_order_of_time_and_always_of_offsets() {
        let events = vec![event(1, 5, 30), event(0, 8, 10), event(0, 7, 20), event(1, 4, 5)];
        let order: Vec<_> =
            in_order(events).iter().map(|event| event.cursor().to_string()).collect();
        assert_eq!(order, ["1-4", "0-7", "0-8", "1-5"]);
    }
}
