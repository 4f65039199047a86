//! Where followers meet the tail.

use std::sync::Arc;

use parking_lot::Mutex;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};

use super::message::Message;
use super::places::{Meaning, Places};
use super::queue::{Receiver, Room, Torn, queue};
use super::registry::Registry;
use crate::event::Selection;
use crate::kafka::Candidate;
use crate::metrics::Metrics;
use crate::reader::Step;
use crate::settings;

/// How many steps of the tail are made at once, while followers wait to join.
const STEPS: usize = 128;

/// Hands on what the tail brings. Cheap to clone: it is one for all.
#[derive(Clone)]
pub struct Hub(Arc<Shared>);

struct Shared {
    state: Mutex<State>,
    clients: Arc<Semaphore>,
    is_closed: watch::Sender<bool>,
    settings: settings::Live,
    metrics: Arc<Metrics>,
}

#[derive(Default)]
struct State {
    registry: Registry,
    places: Places,
}

/// A place among the followers, given back when dropped.
pub(super) struct Registration {
    hub: Hub,
    id: u64,
    selection: Arc<Selection>,
    pub(super) queue: Receiver,
}

impl Drop for Registration {
    fn drop(&mut self) {
        self.hub.0.state.lock().registry.remove(self.id, &self.selection);
    }
}

impl Hub {
    /// A hub that nobody follows yet.
    pub fn new(settings: &settings::Live, metrics: &Arc<Metrics>) -> Self {
        metrics.live_streams_limit.set(settings.streams as i64);
        metrics.live_held_limit.set(settings.memory as i64);
        Hub(Arc::new(Shared {
            state: Mutex::default(),
            clients: Arc::new(Semaphore::new(settings.streams)),
            is_closed: watch::Sender::new(false),
            settings: settings.clone(),
            metrics: Arc::clone(metrics),
        }))
    }

    /// Is shown what the tail has read, in its order. Never waits for a follower.
    pub fn follow(&self, steps: &[Step]) {
        for steps in steps.chunks(STEPS) {
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

    /// Joins the followers. What is behind these places comes by the queue, and nothing else does.
    pub(super) fn join(
        &self,
        selection: &Arc<Selection>,
        room: &Arc<Room>,
    ) -> (Registration, Places) {
        let (sender, queue) = queue(room);
        let mut state = self.0.state.lock();
        let id = if *self.0.is_closed.borrow() {
            // Nothing comes any more: the queue ends with the sender.
            sender.tear(Torn::Closing);
            0
        } else {
            state.registry.add(selection, sender)
        };
        let places = state.places.clone();
        drop(state);
        let (hub, selection) = (self.clone(), Arc::clone(selection));
        (Registration { hub, id, selection, queue }, places)
    }

    /// How far the tail has come: whatever lies before that is in the queues.
    pub(super) fn places(&self) -> Places {
        self.0.state.lock().places.clone()
    }

    fn tear(&self, why: Torn) {
        self.0.state.lock().registry.tear(why);
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
        let State { registry, places } = self;
        let metrics = &shared.metrics;
        let held = &metrics.live_held;
        let is_tight = held.get() >= shared.settings.memory as i64;
        let make = || {
            let event = candidate.event()?.clone();
            Some(Message::new(event, places.position().to_string(), held))
        };
        registry.push(candidate.unchecked(), is_tight, make);
    }
}
