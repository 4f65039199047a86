//! One of those who are served: what all its subscriptions have together.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::hub::Hub;
use super::queue::{Bounds, Room};
use crate::metrics::{Ended, Transport};
use crate::reader::ReadError;

/// How many subscriptions of one client read the log at a time. The others wait for their turn, so
/// that one client does not take all that can be read.
const TURNS: usize = 4;

/// Why there is no stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    /// There are as many as there may be.
    TooMany,
    /// What has to be known of the log is not.
    Unread(ReadError),
}

/// A client's place among the streams, until it is dropped.
pub struct Client {
    seat: Seat,
    transport: Transport,
    ended: Ended,
    _permit: OwnedSemaphorePermit,
}

/// What its subscriptions share. Cheap to clone.
#[derive(Clone)]
pub struct Seat {
    pub(super) hub: Hub,
    /// What may wait for it, whatever it is of.
    pub(super) room: Arc<Room>,
    pub(super) turns: Arc<Semaphore>,
}

impl Hub {
    /// One more client.
    ///
    /// # Errors
    /// There are as many as there may be.
    pub fn admit(&self, transport: Transport) -> Result<Client, Refusal> {
        let permit = self.permit().ok_or(Refusal::TooMany)?;
        self.metrics().live_opened(transport);
        let settings = self.settings();
        let bounds = Bounds { events: settings.queue, bytes: settings.queue_bytes };
        let turns = Arc::new(Semaphore::new(TURNS));
        let seat = Seat { hub: self.clone(), room: Room::new(bounds), turns };
        Ok(Client { seat, transport, ended: Ended::Client, _permit: permit })
    }
}

impl Client {
    /// By which it subscribes.
    pub fn seat(&self) -> &Seat {
        &self.seat
    }

    /// Says why it ends, when that is not because it has gone.
    pub fn ends(&mut self, why: Ended) {
        self.ended = why;
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        self.seat.hub.metrics().live_closed(self.transport, self.ended);
    }
}
