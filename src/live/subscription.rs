//! The stream of one follower.

use std::sync::Arc;
use std::time::Duration;
use std::vec;

use tokio::sync::{OwnedSemaphorePermit, watch};
use tokio::time::{Instant, Interval, MissedTickBehavior, interval_at, sleep_until};

use super::hub::{Hub, Registration};
use super::merge::{Merge, Taken};
use super::message::{Form, Message};
use super::news::News;
use super::places::Places;
use super::queue::{Queued, Torn};
use crate::event::Selection;
use crate::kafka::StoredEvent;
use crate::metrics::{By, Ended};
use crate::position::Position;
use crate::reader::{CatchUp, ReadError, Reader, Stretch};

/// How soon the log is looked at again after it could not be read.
const PAUSE: Duration = Duration::from_millis(500);

/// What a follower gets.
pub enum Item {
    /// From this position on everything comes. Always the first one.
    Ready(Position),
    /// The next event, with a position that is the same for all who follow.
    Live(Arc<Message>),
    /// What was announced of the next event, before the log has brought it. It has no position yet:
    /// one comes when it has.
    Early(Arc<News>),
    /// The next event, with the follower's own position after it. One of those that were asked for
    /// as recent has none: it lies before the position that the follower began at.
    Read(StoredEvent, Option<Position>),
    /// Everything up to the position has come: nothing else has for a while, or it came early.
    Beat(Position),
    /// The log no longer has what came next: events may be missing before this position.
    Reset(Lost, Position),
    /// The last one.
    End(End),
}

/// Why events may be missing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lost {
    /// Retention removed them.
    Removed,
    /// The log ends before the position: it is not the one that the position is of.
    Shortened,
}

/// Why a stream ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// The client does not take what comes.
    Slow,
    /// The service ends.
    Closing,
}

/// Brings a follower what it follows. What the follower does not take waits within bounds.
pub struct Subscription {
    hub: Hub,
    reader: Reader,
    selection: Arc<Selection>,
    form: Form,
    merge: Merge,
    /// Whether the log has confirmed what came early, and the position was not told yet.
    is_confirmed: bool,
    phase: Phase,
    beat: Interval,
    closed: watch::Receiver<bool>,
    /// Whether more was had than the log seemed to have, when that was looked at last.
    was_ahead: bool,
    client: Client,
}

/// Counts it among the streams.
struct Client {
    hub: Hub,
    ended: Ended,
    _permit: OwnedSemaphorePermit,
}

impl Client {
    fn new(hub: &Hub, permit: OwnedSemaphorePermit) -> Self {
        hub.metrics().live_streams.inc();
        Client { hub: hub.clone(), ended: Ended::Client, _permit: permit }
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        self.hub.metrics().live_streams.dec();
        self.hub.metrics().live_ended(self.ended);
    }
}

/// What it does next.
enum Phase {
    Ready(Vec<StoredEvent>),
    Recent(vec::IntoIter<StoredEvent>),
    /// To join the hub.
    Join,
    /// To read the log, up to where the hub was.
    CatchUp(Box<Joining>),
    /// To take what the hub hands on.
    Follow(Box<Following>),
    /// To join again, later.
    Pause(Instant),
    End(End),
    Over,
}

struct Joining {
    registration: Registration,
    places: Places,
    stretches: Vec<Stretch>,
    log: Option<CatchUp>,
    part: vec::IntoIter<StoredEvent>,
}

struct Following {
    registration: Registration,
    /// Where the tail was at the last beat: all of it is in the queue, or was taken.
    confirming: Option<Places>,
}

impl Subscription {
    pub(super) fn new(
        hub: Hub,
        reader: Reader,
        (selection, form): (Arc<Selection>, Form),
        (merge, recent): (Merge, Vec<StoredEvent>),
        permit: OwnedSemaphorePermit,
    ) -> Self {
        let period = hub.settings().heartbeat;
        let mut beat = interval_at(Instant::now() + period, period);
        beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let (closed, client) = (hub.closed(), Client::new(&hub, permit));
        Subscription {
            hub,
            reader,
            selection,
            form,
            merge,
            is_confirmed: false,
            phase: Phase::Ready(recent),
            beat,
            closed,
            was_ahead: false,
            client,
        }
    }

    /// What comes next; waits for it. None after the end.
    pub async fn next(&mut self) -> Option<Item> {
        loop {
            if *self.closed.borrow() && !matches!(self.phase, Phase::Ready(_) | Phase::Over) {
                // What waits comes to it elsewhere: it resumes where it was.
                self.phase = Phase::End(End::Closing);
            }
            match std::mem::replace(&mut self.phase, Phase::Over) {
                Phase::Ready(recent) => {
                    self.phase = Phase::Recent(recent.into_iter());
                    return Some(Item::Ready(self.merge.position()));
                }
                Phase::Recent(mut events) => match events.next() {
                    Some(event) => {
                        self.phase = Phase::Recent(events);
                        self.count(By::Recent);
                        return Some(Item::Read(event, None));
                    }
                    None => self.phase = Phase::Join,
                },
                Phase::Join => self.join(),
                Phase::CatchUp(joining) => {
                    if let Some(item) = self.catch_up(joining).await {
                        return Some(item);
                    }
                }
                Phase::Follow(following) => {
                    if let Some(item) = self.follow(following).await {
                        return Some(item);
                    }
                }
                Phase::Pause(until) => {
                    if let Some(item) = self.pause(until).await {
                        return Some(item);
                    }
                }
                Phase::End(end) => {
                    self.client.ended = match end {
                        End::Slow => Ended::Slow,
                        End::Closing => Ended::ShuttingDown,
                    };
                    return Some(Item::End(end));
                }
                Phase::Over => return None,
            }
        }
    }

    fn join(&mut self) {
        let (registration, places) = self.hub.join(&self.selection, self.form);
        let stretches = self.merge.join(&places);
        self.phase = if stretches.is_empty() {
            Phase::Follow(Box::new(Following { registration, confirming: None }))
        } else {
            let part = Vec::new().into_iter();
            Phase::CatchUp(Box::new(Joining { registration, places, stretches, log: None, part }))
        };
    }

    async fn catch_up(&mut self, mut joining: Box<Joining>) -> Option<Item> {
        if let Some(event) = joining.part.next() {
            self.phase = Phase::CatchUp(joining);
            return self.take_read(event);
        }
        let beat = tokio::select! {
            part = read(&mut joining, &self.reader, &self.selection, &self.merge) => {
                return self.took(part, joining);
            }
            () = closes(&mut self.closed) => {
                self.phase = Phase::End(End::Closing);
                return None;
            }
            _ = self.beat.tick() => self.beat(),
        };
        self.phase = Phase::CatchUp(joining);
        Some(beat)
    }

    /// Takes the next part of what was read of the log.
    fn took(
        &mut self,
        part: Option<Result<Vec<StoredEvent>, ReadError>>,
        mut joining: Box<Joining>,
    ) -> Option<Item> {
        match part {
            Some(Ok(events)) => {
                joining.part = events.into_iter();
                self.phase = Phase::CatchUp(joining);
                None
            }
            None => {
                self.merge.joined(&joining.stretches, &joining.places);
                let Joining { registration, .. } = *joining;
                self.phase = Phase::Follow(Box::new(Following { registration, confirming: None }));
                None
            }
            Some(Err(ReadError::Removed { earliest })) => {
                self.merge.reset(&earliest);
                self.phase = Phase::Join;
                Some(self.reset(Lost::Removed))
            }
            Some(Err(_)) => {
                self.phase = Phase::Pause(Instant::now() + PAUSE);
                None
            }
        }
    }

    async fn follow(&mut self, mut following: Box<Following>) -> Option<Item> {
        let queue = &mut following.registration.queue;
        match queue.try_recv() {
            Ok(Some(queued)) => {
                self.phase = Phase::Follow(following);
                return self.take_queued(queued);
            }
            Ok(None) => {}
            Err(torn) => return self.torn(torn),
        }
        if let Some(places) = following.confirming.take() {
            return self.confirmed(places, following).await;
        }
        if self.is_confirmed {
            self.phase = Phase::Follow(following);
            return Some(self.beat());
        }
        let received = tokio::select! {
            biased;
            received = queue.recv() => received,
            _ = self.beat.tick() => {
                following.confirming = Some(self.hub.places());
                self.phase = Phase::Follow(following);
                return None;
            }
        };
        match received {
            Ok(queued) => {
                self.phase = Phase::Follow(following);
                self.take_queued(queued)
            }
            Err(torn) => self.torn(torn),
        }
    }

    async fn pause(&mut self, until: Instant) -> Option<Item> {
        tokio::select! {
            () = sleep_until(until) => self.phase = Phase::Join,
            () = closes(&mut self.closed) => {
                self.phase = Phase::End(End::Closing);
            }
            _ = self.beat.tick() => {
                self.phase = Phase::Pause(until);
                return Some(self.beat());
            }
        }
        None
    }

    /// Everything up to these places was taken.
    async fn confirmed(&mut self, places: Places, following: Box<Following>) -> Option<Item> {
        self.merge.confirm(&places);
        self.hub.metrics().live_unconfirmed.inc_by(self.merge.unconfirmed());
        let ahead = self.merge.ahead(&places);
        // The tail of another instance may have been further than ours, but not for so long.
        if self.was_ahead && !ahead.is_empty() {
            for (partition, next) in ahead {
                if self.reader.end(partition).await.is_ok_and(|end| end < next) {
                    self.merge.forget(partition);
                    self.phase = Phase::Join;
                }
            }
            if matches!(self.phase, Phase::Join) {
                return Some(self.reset(Lost::Shortened));
            }
        }
        self.was_ahead = !self.merge.ahead(&places).is_empty();
        self.phase = Phase::Follow(following);
        Some(self.beat())
    }

    fn torn(&mut self, torn: Torn) -> Option<Item> {
        self.phase = match torn {
            Torn::Gap => Phase::Join,
            Torn::Full | Torn::Gone => Phase::End(End::Slow),
            Torn::Closing => Phase::End(End::Closing),
        };
        None
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
        let hub = &self.hub;
        let taken = self.merge.take(event.cursor(), || hub.mark(event));
        self.is_confirmed |= taken == Taken::Told;
        taken == Taken::New
    }

    fn read(&mut self, event: StoredEvent) -> Item {
        self.is_confirmed = false;
        Item::Read(event, Some(self.merge.position()))
    }

    fn beat(&mut self) -> Item {
        self.is_confirmed = false;
        Item::Beat(self.merge.position())
    }

    fn reset(&self, lost: Lost) -> Item {
        self.hub.metrics().live_resets.inc();
        Item::Reset(lost, self.merge.position())
    }

    fn count(&self, by: By) {
        self.hub.metrics().live_delivered(by);
    }
}

/// The next part of what is missing.
async fn read(
    joining: &mut Joining,
    reader: &Reader,
    selection: &Selection,
    merge: &Merge,
) -> Option<Result<Vec<StoredEvent>, ReadError>> {
    if joining.log.is_none() {
        let (stretches, fresh) = (joining.stretches.clone(), merge.fresh(&joining.stretches));
        match reader.catch_up(selection, stretches, &fresh).await {
            Ok(log) => joining.log = Some(log),
            Err(error) => return Some(Err(error)),
        }
    }
    joining.log.as_mut()?.next().await
}

async fn closes(closed: &mut watch::Receiver<bool>) {
    // That the sender is gone says the same.
    let _ = closed.wait_for(|is_closed| *is_closed).await;
}
