//! The stream of one follower.

mod following;
mod reading;

use std::sync::Arc;
use std::vec;

use tokio::sync::{OwnedSemaphorePermit, watch};
use tokio::time::{Instant, Interval, MissedTickBehavior, interval_at, sleep_until};

use super::client::Seat;
use super::item::{End, Item, Lost};
use super::merge::{Merge, Taken};
use super::message::{Form, Message};
use super::news::News;
use super::queue::Queued;
use crate::event::Selection;
use crate::kafka::StoredEvent;
use crate::metrics::{By, Gauge};
use crate::reader::Reader;
use following::Following;
use reading::{Joining, Waiting};

/// Brings a follower what it follows. What the follower does not take waits within bounds.
pub struct Subscription {
    seat: Seat,
    reader: Reader,
    selection: Arc<Selection>,
    form: Form,
    merge: Merge,
    /// Whether the log has confirmed what came early, and the position was not told yet.
    is_confirmed: bool,
    phase: Phase,
    /// To read the log, while it is this one's.
    turn: Option<Turn>,
    beat: Interval,
    closed: watch::Receiver<bool>,
    /// Whether more was had than the log seemed to have, when that was looked at last.
    was_ahead: bool,
    _counted: Counted,
}

/// What it does next.
enum Phase {
    Ready(Vec<StoredEvent>),
    Recent(vec::IntoIter<StoredEvent>),
    /// To join the hub.
    Join,
    /// To wait for its turn to read the log, and join again.
    Wait(Waiting),
    /// To read the log, up to where the hub was.
    CatchUp(Box<Joining>),
    /// To take what the hub hands on.
    Follow(Box<Following>),
    /// To join again, later.
    Pause(Instant),
    End(End),
    Over,
}

/// Of those of its client that read the log.
type Turn = OwnedSemaphorePermit;

/// Counts it among the subscriptions.
struct Counted(Gauge);

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.dec();
    }
}

impl Subscription {
    pub(super) fn new(
        seat: Seat,
        reader: Reader,
        (selection, form): (Arc<Selection>, Form),
        (merge, recent): (Merge, Vec<StoredEvent>),
    ) -> Self {
        let period = seat.hub.settings().heartbeat;
        let mut beat = interval_at(Instant::now() + period, period);
        beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let (closed, open) = (seat.hub.closed(), seat.hub.metrics().live_subscriptions.clone());
        open.inc();
        Subscription {
            seat,
            reader,
            selection,
            form,
            merge,
            is_confirmed: false,
            phase: Phase::Ready(recent),
            turn: None,
            beat,
            closed,
            was_ahead: false,
            _counted: Counted(open),
        }
    }

    /// What comes next; waits for it. None after the end.
    pub async fn next(&mut self) -> Option<Item> {
        loop {
            if *self.closed.borrow() && !matches!(self.phase, Phase::Ready(_) | Phase::Over) {
                // What waits comes to it elsewhere: it resumes where it was.
                self.phase = Phase::End(End::Closing);
            }
            let item = match std::mem::replace(&mut self.phase, Phase::Over) {
                Phase::Ready(recent) => {
                    self.phase = Phase::Recent(recent.into_iter());
                    Some(Item::Ready(self.merge.position()))
                }
                Phase::Recent(mut events) => match events.next() {
                    Some(event) => {
                        self.phase = Phase::Recent(events);
                        self.count(By::Recent);
                        Some(Item::Read(event, None))
                    }
                    None => self.goes_on(Phase::Join),
                },
                Phase::Join => self.join(),
                Phase::Wait(waiting) => self.wait(waiting).await,
                Phase::CatchUp(joining) => self.catch_up(joining).await,
                Phase::Follow(following) => self.follow(following).await,
                Phase::Pause(until) => self.pause(until).await,
                Phase::End(end) => Some(Item::End(end)),
                Phase::Over => return None,
            };
            if item.is_some() {
                return item;
            }
        }
    }

    /// To this phase, with nothing to bring before it.
    fn goes_on(&mut self, phase: Phase) -> Option<Item> {
        self.phase = phase;
        None
    }

    fn join(&mut self) -> Option<Item> {
        let Seat { hub, room, turns } = &self.seat;
        let (registration, places) = hub.join(&self.selection, self.form, room);
        let stretches = self.merge.join(&places);
        if stretches.is_empty() {
            self.turn = None;
            return self.goes_on(Phase::Follow(Following::new(registration, None)));
        }
        if self.turn.is_none() {
            self.turn = Arc::clone(turns).try_acquire_owned().ok();
        }
        if self.turn.is_none() {
            let waiting = Box::pin(Arc::clone(turns).acquire_owned());
            return self.goes_on(Phase::Wait(waiting));
        }
        self.goes_on(Phase::CatchUp(Joining::new(registration, places, stretches)))
    }

    async fn pause(&mut self, until: Instant) -> Option<Item> {
        tokio::select! {
            () = sleep_until(until) => self.goes_on(Phase::Join),
            () = closes(&mut self.closed) => self.goes_on(Phase::End(End::Closing)),
            _ = self.beat.tick() => {
                self.phase = Phase::Pause(until);
                Some(self.beat())
            }
        }
    }

    fn take_read(&mut self, event: StoredEvent) -> Option<Item> {
        if !self.takes(&event) {
            return None;
        }
        self.count(By::Log);
        Some(self.read(event))
    }

    fn take_queued(&mut self, queued: Queued) -> Option<Item> {
        match queued {
            Queued::Message(message) => self.take_live(message),
            Queued::News(news, has_missed) => self.take_early(news, has_missed),
        }
    }

    fn take_live(&mut self, message: Arc<Message>) -> Option<Item> {
        if !self.takes(message.event()) {
            return None;
        }
        self.count(By::Tail);
        if self.merge.is_level() {
            self.is_confirmed = false;
            return Some(Item::Live(message));
        }
        Some(self.read(message.event().clone()))
    }

    fn take_early(&mut self, news: Arc<News>, has_missed: bool) -> Option<Item> {
        if !self.merge.take_early(news.cursor(), news.place(), has_missed) {
            return None;
        }
        self.count(By::Early);
        Some(Item::Early(news))
    }

    fn takes(&mut self, event: &StoredEvent) -> bool {
        let hub = &self.seat.hub;
        let taken = self.merge.take(event.cursor(), || hub.mark(event));
        self.is_confirmed |= taken == Taken::Told;
        taken == Taken::New
    }

    fn read(&mut self, event: StoredEvent) -> Item {
        self.is_confirmed = false;
        Item::Read(event, Some(self.merge.position()))
    }

    /// Tells the position.
    fn beat(&mut self) -> Item {
        self.is_confirmed = false;
        Item::Beat(self.merge.position())
    }

    fn reset(&self, lost: Lost) -> Item {
        self.seat.hub.metrics().live_resets.inc();
        Item::Reset(lost, self.merge.position())
    }

    fn count(&self, by: By) {
        self.seat.hub.metrics().live_delivered(by);
    }
}

/// Waits until the hub is closed.
async fn closes(closed: &mut watch::Receiver<bool>) {
    // That the sender is gone says the same.
    let _ = closed.wait_for(|is_closed| *is_closed).await;
}
