//! What the connections of one thread count together.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Instant;

use hdrhistogram::Histogram;

use crate::outcome::{Latency, Outcome, histogram};
use crate::window::Window;

pub struct Tally {
    events: u64,
    acknowledged: u64,
    failed: BTreeMap<u16, u64>,
    pub unanswered: u64,
    latencies: Histogram<u64>,
}

impl Tally {
    pub fn new() -> Self {
        Tally {
            events: 0,
            acknowledged: 0,
            failed: BTreeMap::new(),
            unanswered: 0,
            latencies: histogram(),
        }
    }

    pub fn add(&mut self, other: &Tally) {
        self.events += other.events;
        self.acknowledged += other.acknowledged;
        self.unanswered += other.unanswered;
        for (status, count) in &other.failed {
            *self.failed.entry(*status).or_default() += count;
        }
        self.latencies += &other.latencies;
    }

    pub fn outcome(self, window: Window) -> Outcome {
        Outcome {
            seconds: window.seconds(),
            events: self.events,
            acknowledged: self.acknowledged,
            failed: self.failed,
            unanswered: self.unanswered,
            latency: Latency::of(&self.latencies),
            ..Outcome::default()
        }
    }

    fn stored(&mut self, events: u64, since: Instant, window: Window) {
        let now = Instant::now();
        self.acknowledged += events;
        if window.contains(now) {
            self.events += events;
        }
        // What was due in the window counts however late its answer is.
        if window.contains(since) {
            let micros = now.duration_since(since).as_micros() as u64;
            self.latencies.saturating_record(micros.max(1));
        }
    }
}

/// For tasks of one thread.
#[derive(Clone)]
pub struct SharedTally(Rc<RefCell<Tally>>);

impl Default for SharedTally {
    fn default() -> Self {
        SharedTally(Rc::new(RefCell::new(Tally::new())))
    }
}

impl SharedTally {
    pub fn stored(&self, events: u64, since: Instant, window: Window) {
        self.0.borrow_mut().stored(events, since, window);
    }

    /// An answer other than 201, or 0 for none.
    pub fn failed(&self, status: u16) {
        *self.0.borrow_mut().failed.entry(status).or_default() += 1;
    }

    pub fn take(&self) -> Tally {
        self.0.replace(Tally::new())
    }
}
