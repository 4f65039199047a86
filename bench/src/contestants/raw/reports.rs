//! What delivery reports add up to.

use std::collections::BTreeMap;
use std::ffi::c_void;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, Thread};
use std::time::Instant;

use hdrhistogram::Histogram;
use rdkafka::ClientContext;
use rdkafka::message::DeliveryResult;
use rdkafka::producer::ProducerContext;
use rdkafka::util::IntoOpaque;

use crate::outcome::{Latency, Outcome, histogram};
use crate::window::Window;

/// Records that are sent together and complete together, as a batch does.
pub(super) struct Group {
    since: Instant,
    size: u64,
    open: AtomicU64,
}

/// A record's share of its group.
pub(super) struct Share(Arc<Group>);

impl Group {
    /// Gives one share for each record.
    pub(super) fn shares(size: usize) -> impl Iterator<Item = Share> {
        let open = AtomicU64::new(size as u64);
        let group = Arc::new(Group { since: Instant::now(), size: size as u64, open });
        (0..size).map(move |_| Share(Arc::clone(&group)))
    }
}

impl IntoOpaque for Share {
    fn into_ptr(self) -> *mut c_void {
        self.0.into_ptr()
    }

    unsafe fn from_ptr(pointer: *mut c_void) -> Self {
        // SAFETY: it comes from `into_ptr`, as the caller promises.
        Share(unsafe { Arc::from_ptr(pointer) })
    }
}

/// What delivery reports add up to.
pub(super) struct Reports {
    window: Window,
    writer: Mutex<Option<Thread>>,
    open_groups: AtomicU64,
    events: AtomicU64,
    acknowledged: AtomicU64,
    failed: AtomicU64,
    latencies: Mutex<Histogram<u64>>,
}

impl Reports {
    pub(super) fn new(window: Window) -> Self {
        Reports {
            window,
            writer: Mutex::default(),
            open_groups: AtomicU64::new(0),
            events: AtomicU64::new(0),
            acknowledged: AtomicU64::new(0),
            failed: AtomicU64::new(0),
            latencies: Mutex::new(histogram()),
        }
    }

    /// Waits until fewer than so many groups are in flight, and takes the place of one. Only one
    /// thread may call it.
    pub(super) fn enter(&self, groups: usize) {
        if let Ok(mut writer) = self.writer.lock() {
            writer.get_or_insert_with(thread::current);
        }
        while self.open_groups.load(Ordering::Acquire) >= groups as u64 {
            thread::park();
        }
        self.open_groups.fetch_add(1, Ordering::AcqRel);
    }

    fn report(&self, delivered: bool, group: &Group) {
        let counter = if delivered { &self.acknowledged } else { &self.failed };
        counter.fetch_add(1, Ordering::Relaxed);
        if group.open.fetch_sub(1, Ordering::AcqRel) > 1 {
            return;
        }
        let now = Instant::now();
        if self.window.contains(now) {
            self.events.fetch_add(group.size, Ordering::Relaxed);
        }
        if self.window.contains(group.since)
            && let Ok(mut latencies) = self.latencies.lock()
        {
            latencies.saturating_record(now.duration_since(group.since).as_micros().max(1) as u64);
        }
        self.open_groups.fetch_sub(1, Ordering::AcqRel);
        if let Ok(writer) = self.writer.lock()
            && let Some(writer) = writer.as_ref()
        {
            writer.unpark();
        }
    }

    pub(super) fn take_latencies(&self) -> Histogram<u64> {
        self.latencies.lock().map(|latencies| latencies.clone()).unwrap_or_else(|_| histogram())
    }

    pub(super) fn outcome(
        &self,
        latencies: &Histogram<u64>,
        cpu: BTreeMap<String, f64>,
    ) -> Outcome {
        let failed = self.failed.load(Ordering::Acquire);
        Outcome {
            seconds: self.window.seconds(),
            events: self.events.load(Ordering::Acquire),
            acknowledged: self.acknowledged.load(Ordering::Acquire),
            failed: (failed > 0).then_some((0, failed)).into_iter().collect(),
            latency: Latency::of(latencies),
            cpu,
            ..Outcome::default()
        }
    }
}

pub(super) struct Reporter(pub(super) Arc<Reports>);

impl ClientContext for Reporter {}

impl ProducerContext for Reporter {
    type DeliveryOpaque = Share;

    fn delivery(&self, result: &DeliveryResult<'_>, share: Share) {
        self.0.report(result.is_ok(), &share.0);
    }
}
