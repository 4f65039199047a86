//! Notifications: after the acknowledgement, beside the answer, best effort.
//!
//! The delivery report encodes a notification straight into a bounded queue and goes on. Workers
//! on a thread of their own take what has gathered and send it as one pipeline. Whatever goes
//! wrong from there on is counted and logged, and changes no answer.

mod broadcaster;
mod circuit;
mod queue;
mod worker;

use std::hash::{BuildHasher, Hasher, RandomState};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::JoinHandle;
use std::time::Instant;

pub use broadcaster::{Announced, Broadcaster};
pub use circuit::{Circuit, Failure};
use parking_lot::Mutex;

use crate::channel::ChannelTemplate;
use crate::cursor::Cursor;
use crate::json;
use crate::metrics::{Dropped, Metrics};
use crate::settings;
use queue::Queue;
use worker::Worker;

/// What is told of a stored event: identifiers only, never the event.
#[derive(Clone, Copy, Debug)]
pub struct Notification<'a> {
    /// The event's id.
    pub id: &'a str,
    /// The event's `type`.
    pub kind: &'a str,
    /// The event's `source_type`: it is in the channel's name already.
    pub source_type: &'a str,
    /// The event's `source_id`.
    pub source_id: &'a str,
    /// Where the event is. Absent when the broker named no offset.
    pub cursor: Option<Cursor>,
}

/// Takes notifications without ever waiting, and has them sent.
pub struct Notifier {
    templates: Vec<ChannelTemplate>,
    queues: Vec<Arc<Queue>>,
    circuit: Arc<Circuit>,
    left: Arc<AtomicUsize>,
    hasher: RandomState,
    scratch: Mutex<Scratch>,
    metrics: Arc<Metrics>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

/// Reused from one notification to the next.
#[derive(Default)]
struct Scratch {
    channel: Vec<u8>,
    payload: Vec<u8>,
}

impl Notification<'_> {
    /// Appends it as it goes out: a JSON object.
    fn write_to(&self, payload: &mut Vec<u8>) {
        for (start, text) in [
            (&br#"{"id":"#[..], self.id),
            (br#","type":"#, self.kind),
            (br#","source_id":"#, self.source_id),
        ] {
            payload.extend_from_slice(start);
            json::write_str(payload, text);
        }
        if let Some(cursor) = self.cursor {
            payload.extend_from_slice(br#","cursor":"#);
            json::write_cursor(payload, cursor);
        }
        payload.push(b'}');
    }
}

impl Notifier {
    /// Starts the workers on a thread of their own: among the tasks that serve requests they
    /// would starve under load, and drop what a healthy Redis could take.
    ///
    /// # Errors
    /// The thread cannot be started.
    pub fn start(
        settings: &settings::Notify,
        mut broadcaster: impl FnMut() -> Broadcaster,
        metrics: &Arc<Metrics>,
    ) -> Result<Self, String> {
        let circuit = Arc::new(Circuit::new(settings.breaker_threshold, Arc::clone(metrics)));
        let limit = settings.queue / settings.workers;
        metrics.notify_queue_limit.set((limit * settings.workers) as i64);
        let workers = if settings.channels.is_empty() { 0 } else { settings.workers };
        let queues: Vec<_> =
            (0..workers).map(|_| Arc::new(Queue::new(limit, Arc::clone(metrics)))).collect();
        let left = Arc::new(AtomicUsize::new(0));
        let workers = queues
            .iter()
            .map(|queue| Worker {
                queue: Arc::clone(queue),
                circuit: Arc::clone(&circuit),
                broadcaster: broadcaster(),
                max_pipeline: settings.max_pipeline,
                linger: settings.linger,
                cooldown: settings.breaker_cooldown,
                unsent: 0,
                left: Arc::clone(&left),
                metrics: Arc::clone(metrics),
            })
            .collect();
        Ok(Notifier {
            templates: settings.channels.clone(),
            queues,
            circuit,
            left,
            hasher: RandomState::new(),
            scratch: Mutex::default(),
            metrics: Arc::clone(metrics),
            thread: Mutex::new(Some(worker::start(workers)?)),
        })
    }

    /// Queues the notification on each of its channels, or drops and counts it. Notifications
    /// of one channel are sent in the order of the calls.
    pub fn notify(&self, notification: &Notification<'_>) {
        if self.circuit.is_open() {
            self.metrics.dropped(Dropped::CircuitOpen, self.templates.len());
            return;
        }
        let mut scratch = self.scratch.lock();
        let Scratch { channel, payload } = &mut *scratch;
        payload.clear();
        notification.write_to(payload);
        for template in &self.templates {
            channel.clear();
            let Notification { source_type, source_id, kind, .. } = notification;
            template.write_to(channel, source_type, source_id, kind);
            if !self.queue_of(channel).push(channel, payload) {
                self.metrics.dropped(Dropped::QueueFull, 1);
            }
        }
    }

    fn queue_of(&self, channel: &[u8]) -> &Queue {
        let mut hasher = self.hasher.build_hasher();
        hasher.write(channel);
        &self.queues[hasher.finish() as usize % self.queues.len()]
    }

    /// Whether Redis is reached, and what it said when it was not.
    pub fn circuit(&self) -> &Circuit {
        &self.circuit
    }

    /// Whether any channel is to be notified at all.
    pub fn is_off(&self) -> bool {
        self.templates.is_empty()
    }

    /// Sends what waits, until the deadline, and ends the workers. What is left then is counted
    /// as dropped.
    pub fn drain(&self, deadline: Instant) {
        for queue in &self.queues {
            queue.close(deadline);
        }
        if let Some(thread) = self.thread.lock().take()
            && thread.join().is_err()
        {
            tracing::error!("the notifier's thread ended with a panic");
        }
        self.metrics.dropped(Dropped::ShuttingDown, self.left.load(Ordering::Relaxed));
    }
}
