//! Where followers meet the tail.

use std::sync::Arc;
use std::time::Instant;

use parking_lot::Mutex;
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore, watch};

use super::early::{Channels, Names};
use super::message::{Form, Message};
use super::news::Marks;
use super::places::{Meaning, Places};
use super::queue::{Receiver, Room, Torn, queue};
use super::recent::Held;
use super::registry::Registry;
use super::turns::turns;
use crate::event::Selection;
use crate::kafka::{Candidate, StoredEvent};
use crate::metrics::Metrics;
use crate::reader::Step;
use crate::settings;

/// Hands on what the tail brings. Cheap to clone: it is one for all.
#[derive(Clone)]
pub struct Hub(pub(super) Arc<Shared>);

pub(super) struct Shared {
    pub(super) state: Mutex<State>,
    pub(super) names: Names,
    pub(super) marks: Marks,
    /// There are channels to be subscribed to, or to be released.
    wanted: Notify,
    clients: Arc<Semaphore>,
    /// Bytes of recent events that may wait for those who begin with them.
    recents: Arc<Semaphore>,
    is_closed: watch::Sender<bool>,
    settings: settings::Live,
    pub(super) metrics: Arc<Metrics>,
}

#[derive(Default)]
pub(super) struct State {
    pub(super) registry: Registry,
    pub(super) places: Places,
    channels: Channels,
    /// Counts up whenever something that was announced may have been missed.
    pub(super) epoch: u64,
}

/// A place among the followers, given back when dropped.
pub(super) struct Registration {
    hub: Hub,
    id: u64,
    selection: Arc<Selection>,
    channels: Vec<String>,
    pub(super) queue: Receiver,
}

impl Drop for Registration {
    fn drop(&mut self) {
        let now = Instant::now();
        self.hub.0.state.lock().registry.remove(self.id, &self.selection);
        self.hub.follow_channels(&self.channels, |channels, name| channels.leave(name, now));
    }
}

impl Hub {
    /// A hub that nobody follows yet. On these channels it is announced early what comes.
    pub fn new(settings: &settings::Live, names: Names, metrics: &Arc<Metrics>) -> Self {
        metrics.live_streams_limit.set(settings.streams as i64);
        metrics.live_held_limit.set(settings.memory as i64);
        Hub(Arc::new(Shared {
            state: Mutex::default(),
            names,
            marks: Marks::default(),
            wanted: Notify::new(),
            clients: Arc::new(Semaphore::new(settings.streams)),
            recents: Arc::new(Semaphore::new(settings.memory)),
            is_closed: watch::Sender::new(false),
            settings: settings.clone(),
            metrics: Arc::clone(metrics),
        }))
    }

    /// Is shown what the tail has read, in its order. Never waits for a follower.
    pub fn follow(&self, steps: &[Step]) {
        for steps in turns(steps) {
            let mut state = self.0.state.lock();
            steps.iter().for_each(|step| state.step(step, &self.0));
        }
    }

    /// Ends all streams, and those that come later.
    pub fn close(&self) {
        self.0.is_closed.send_replace(true);
        self.tear(Torn::Closing);
    }

    /// Whether it has been closed.
    pub fn closed(&self) -> watch::Receiver<bool> {
        self.0.is_closed.subscribe()
    }

    /// What it may take.
    pub fn settings(&self) -> &settings::Live {
        &self.0.settings
    }

    pub(super) fn metrics(&self) -> &Metrics {
        &self.0.metrics
    }

    /// One of so many streams. None when all are taken.
    pub(super) fn permit(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.0.clients).try_acquire_owned().ok()
    }

    /// Room for so many bytes of recent events. What is larger than all of it takes all of it. None
    /// when others have it.
    pub(super) fn room_for(&self, bytes: usize) -> Option<Held> {
        let count = u32::try_from(bytes.min(self.0.settings.memory)).unwrap_or(u32::MAX);
        let permit = Arc::clone(&self.0.recents).try_acquire_many_owned(count).ok()?;
        Some(Held::new(permit, &self.0.metrics.live_recent))
    }

    /// Joins the followers. What is behind these places comes by the queue, and nothing else does;
    /// early, what is announced of it, where no more than that is wanted.
    pub(super) fn join(
        &self,
        selection: &Arc<Selection>,
        form: Form,
        room: &Arc<Room>,
    ) -> (Registration, Places) {
        let (sender, queue) = queue(room);
        let mut state = self.0.state.lock();
        let id = if *self.0.is_closed.borrow() {
            // Nothing comes any more: the queue ends with the sender.
            sender.tear(Torn::Closing);
            0
        } else {
            state.registry.add(selection, form, sender)
        };
        let places = state.places.clone();
        drop(state);
        let channels = match form {
            Form::Notification => self.0.names.of(selection),
            Form::Event => Vec::new(),
        };
        self.follow_channels(&channels, Channels::follow);
        let (hub, selection) = (self.clone(), Arc::clone(selection));
        (Registration { hub, id, selection, channels, queue }, places)
    }

    fn follow_channels(
        &self,
        names: &[String],
        mut change: impl FnMut(&mut Channels, &str) -> bool,
    ) {
        if names.is_empty() {
            return;
        }
        let to_do = self.channels(|channels| {
            names.iter().fold(false, |to_do, name| change(channels, name) | to_do)
        });
        if to_do {
            self.0.wanted.notify_one();
        }
    }

    /// Changes which channels are subscribed to.
    pub(super) fn channels<T>(&self, change: impl FnOnce(&mut Channels) -> T) -> T {
        let mut state = self.0.state.lock();
        let done = change(&mut state.channels);
        let (subscribed, missing) = state.channels.counts();
        self.0.metrics.live_channels.set(subscribed as i64);
        self.0.metrics.live_channels_missing.set(missing as i64);
        done
    }

    /// Waits until there are channels to be subscribed to, or to be released.
    pub(super) async fn wanted(&self) {
        self.0.wanted.notified().await;
    }

    /// Tells an event from another one with the same cursor.
    pub(super) fn mark(&self, event: &StoredEvent) -> u64 {
        self.0.marks.of_event(event)
    }

    /// How far the tail has come: whatever lies before that is in the queues.
    pub(super) fn places(&self) -> Places {
        self.0.state.lock().places.clone()
    }

    fn tear(&self, why: Torn) {
        self.0.state.lock().registry.tear(why);
    }
}

impl Shared {
    /// Whether nobody may be behind any more.
    pub(super) fn is_tight(&self) -> bool {
        self.metrics.live_held.get() >= self.settings.memory as i64
    }
}

impl State {
    fn step(&mut self, step: &Step, shared: &Shared) {
        match step {
            Step::Event(candidate) => self.event(candidate, shared),
            Step::Passed { partition, next } => self.places.passed(*partition, *next),
            Step::Restart { partition, from } => self.places.restart(*partition, *from),
            Step::Live { partition } => {
                if self.places.live(*partition) == Meaning::Torn {
                    self.registry.tear(Torn::Gap);
                }
            }
            // What comes next is a restart.
            Step::Lost { .. } => {}
        }
    }

    fn event(&mut self, candidate: &Candidate, shared: &Shared) {
        let cursor = candidate.unchecked().cursor();
        if self.places.read(cursor.partition(), cursor.offset()) != Meaning::New {
            return;
        }
        let State { registry, places, .. } = self;
        let held = &shared.metrics.live_held;
        let make = || {
            let event = candidate.event()?.clone();
            Some(Message::new(event, places.position().to_string(), held))
        };
        registry.push(candidate.unchecked(), shared.is_tight(), make);
    }
}
