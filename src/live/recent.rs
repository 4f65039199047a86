//! The recent events that a stream begins with.

use std::collections::BTreeMap;
use std::sync::Arc;

use tokio::sync::OwnedSemaphorePermit;

use super::client::Seat;
use super::message::Form;
use crate::cursor::Cursor;
use crate::event::Selection;
use crate::kafka::StoredEvent;
use crate::metrics::Gauge;
use crate::position::Position;
use crate::reader::{ReadError, Reader};

/// Room for events that wait for a client, until it is dropped.
pub(super) struct Held {
    permit: OwnedSemaphorePermit,
    bytes: Gauge,
}

impl Held {
    pub(super) fn new(permit: OwnedSemaphorePermit, bytes: &Gauge) -> Self {
        bytes.inc_by(permit.num_permits() as i64);
        Held { permit, bytes: bytes.clone() }
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.bytes.dec_by(self.permit.num_permits() as i64);
    }
}

impl Seat {
    /// So many recent events of each source up to a position, oldest first, when it is its turn to
    /// read. They are one answer, so they have no more bytes than one.
    ///
    /// # Errors
    /// They cannot be read, or too much is waiting for those who do not take it.
    pub(super) async fn recent(
        &self,
        reader: &Reader,
        (selection, form, count): (&Selection, Form, usize),
        position: &Position,
    ) -> Result<Vec<StoredEvent>, ReadError> {
        if count == 0 {
            return Ok(Vec::new());
        }
        // The client's turns are never taken away.
        let _turn = self.turns.acquire().await;
        let events = read(reader, (selection, form, count), position).await?;
        let bytes = events.iter().map(StoredEvent::len).sum();
        let held = Arc::new(self.hub.room_for(bytes).ok_or(ReadError::Busy)?);
        let keeping = |event: StoredEvent| event.keeping(Arc::clone(&held));
        Ok(in_order(events).into_iter().map(keeping).collect())
    }
}

async fn read(
    reader: &Reader,
    (selection, form, count): (&Selection, Form, usize),
    position: &Position,
) -> Result<Vec<StoredEvent>, ReadError> {
    let is_past = |event: &StoredEvent| {
        let cursor = event.cursor();
        position.offset(cursor.partition()).is_some_and(|upto| cursor.offset() <= upto)
    };
    let (mut events, mut room) = (Vec::new(), reader.page_bytes());
    let sources = selection.sources();
    for (source, left) in sources.iter().zip((1..=sources.len()).rev()) {
        let partitions = reader.partitions()?;
        let before = before(position, partitions);
        let mut found = reader.recent(source, Some(&before), count).await?.events;
        found.retain(|event| is_past(event) && selection.takes_kind(event.kind()));
        let found = found.into_iter().map(|event| match form {
            Form::Notification => event.without_value(),
            Form::Event => event,
        });
        let fitting = fitting(found, room / left);
        room = room.saturating_sub(fitting.iter().map(StoredEvent::len).sum());
        events.extend(fitting);
    }
    Ok(events)
}

/// Where to look back from, in a topic with so many partitions. What comes meanwhile comes later: it
/// must not take the place of older ones, not even where there was nothing yet.
fn before(position: &Position, partitions: i32) -> Position {
    let next = |partition| position.offset(partition).map_or(0, |offset| offset + 1);
    (0..partitions).filter_map(|partition| Cursor::new(partition, next(partition))).collect()
}

/// The first ones, as many as have so many bytes, and at least one.
fn fitting(events: impl Iterator<Item = StoredEvent>, max_bytes: usize) -> Vec<StoredEvent> {
    let mut bytes = 0;
    let fits = |(index, event): &(usize, StoredEvent)| {
        bytes += event.len();
        *index == 0 || bytes <= max_bytes
    };
    events.enumerate().take_while(fits).map(|(_, event)| event).collect()
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
    use crate::live::{Hub, Names};
    use crate::metrics::Metrics;
    use crate::settings::Settings;

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

    #[test]
    fn what_comes_meanwhile_is_not_looked_at_wherever_it_comes() {
        let position = "0-12,2-none".parse().unwrap();
        assert_eq!(before(&position, 4).to_string(), "0-13,1-0,2-0,3-0");
    }

    #[test]
    fn what_waits_for_others_leaves_no_room_until_it_is_taken() {
        let mut settings = Settings::load([]).unwrap().live;
        settings.memory = 1000;
        let metrics = Arc::new(Metrics::new());
        let hub = Hub::new(&settings, Names::default(), &metrics);
        let held = hub.room_for(600);
        assert!(held.is_some() && hub.room_for(600).is_none());
        assert_eq!(metrics.live_recent.get(), 600);
        drop(held);
        assert_eq!(metrics.live_recent.get(), 0);
        let held = hub.room_for(9000);
        assert!(held.is_some() && hub.room_for(1).is_none());
        assert_eq!(metrics.live_recent.get(), 1000);
    }

    #[test]
    fn as_many_as_fit_come_and_always_one() {
        let events = || [3, 2, 1].map(|offset| event(0, offset, 0)).into_iter();
        let len = event(0, 1, 0).len();
        let offsets = |max_bytes| {
            let fitting = fitting(events(), max_bytes);
            fitting.iter().map(|event| event.cursor().offset()).collect::<Vec<_>>()
        };
        assert_eq!(offsets(3 * len), [3, 2, 1]);
        assert_eq!(offsets(3 * len - 1), [3, 2]);
        assert_eq!(offsets(0), [3]);
    }
}
