//! How a stream begins.

use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::{StreamExt, stream};
use tokio::time::sleep;

use super::client::{Refusal, Seat};
use super::hub::Hub;
use super::merge::Merge;
use super::message::Form;
use super::places::Places;
use super::subscription::Subscription;
use crate::event::Selection;
use crate::position::Position;
use crate::reader::Reader;

/// How long a stream that begins now waits for partitions that the tail has not come to the end of,
/// as just after a start. One without a leader is not waited for any longer.
const PATIENCE: Duration = Duration::from_secs(2);
/// How often it is looked.
const LOOK: Duration = Duration::from_millis(10);
/// Of how many partitions it is asked at a time where they end: more would leave no room in the line
/// of those who read, and one that is not asked might lose something.
const AT_ONCE: usize = 4;

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
                let wanted = (&*selection, request.form, recent);
                let recent = self.recent(reader, wanted, &merge.position()).await;
                (merge, recent.map_err(Refusal::Unread)?)
            }
        };
        let wanted = (selection, request.form);
        Ok(Subscription::new(self.clone(), reader.clone(), wanted, (merge, recent)))
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
/// before it does is to come, too. One without a leader has nothing to write to either, and the
/// others do not wait for it.
async fn find_ends(reader: &Reader, merge: &mut Merge) {
    let partitions = merge.begins_at_end().to_vec();
    let end = async |partition: i32| (partition, reader.end(partition).await);
    let mut ends = stream::iter(partitions).map(end).buffer_unordered(AT_ONCE);
    while let Some((partition, end)) = ends.next().await {
        if let Ok(end) = end {
            merge.ends_at(partition, end);
        }
    }
}
