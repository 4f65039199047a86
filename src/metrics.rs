//! Every metric of the service, in one place.
//!
//! Names, labels and meanings are listed for operators in `docs/metrics.md`; a test compares
//! that page with what a running service says.

mod labels;
mod register;

use std::time::Duration;

use prometheus_client::encoding::text::encode;
pub use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
pub use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;

pub use labels::{
    Announced, Announcement, By, Delivery, DropReason, Dropped, EndReason, Ended, EventOutcome,
    LookUp, Request, Route, Scan, ScanOutcome, StreamLabels, Transport, Word,
};

/// The media type of [`Metrics::render`].
pub const MEDIA_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Upper bounds of the duration buckets in seconds: from an answer on loopback (0.3 ms) to past
/// the default message timeout (10 s).
const DURATION_BUCKETS: [f64; 14] =
    [0.0005, 0.001, 0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 15.0];

/// The service's metrics: cheap to count, rendered on demand.
pub struct Metrics {
    registry: Registry,
    /// Answered requests.
    pub requests: Family<Request, Counter>,
    /// Time from a request's head to its answer's head.
    pub request_duration: Family<Route, Histogram, fn() -> Histogram>,
    /// Open connections of both listeners.
    pub connections: Gauge,
    /// Events by outcome.
    pub events: Family<EventOutcome, Counter>,
    /// Time from a record's submission to its delivery report.
    pub produce_duration: Histogram,
    /// Bytes admitted and not yet answered by Kafka, and those of answers under way.
    pub in_flight: Gauge,
    /// The limit of the bytes in flight.
    pub in_flight_limit: Gauge,
    /// Bytes of bodies that are not admitted yet.
    pub arriving: Gauge,
    /// The limit of the bytes that are not admitted yet.
    pub arriving_limit: Gauge,
    /// Bytes of what was read that clients have not taken.
    pub answers: Gauge,
    /// The limit of the bytes that were read and not taken.
    pub answers_limit: Gauge,
    /// Notifications that Redis took.
    pub notifications_published: Counter,
    /// Notifications that were dropped.
    pub notifications_dropped: Family<DropReason, Counter>,
    /// Bytes of notifications that wait.
    pub notify_queue: Gauge,
    /// The limit of the bytes of notifications that wait.
    pub notify_queue_limit: Gauge,
    /// Whether the circuit to Redis is open.
    pub circuit_open: Gauge,
    /// Whether the topic can be written to.
    pub kafka_up: Gauge,
    /// Partitions of the topic that have no leader.
    pub kafka_leaderless: Gauge,
    /// Partitions of the topic that have fewer in-sync replicas than a write needs.
    pub kafka_under_min_isr: Gauge,
    /// Whether the service is ready.
    pub ready: Gauge,
    /// Bytes of recent events in memory.
    pub reader_memory: Gauge,
    /// The limit of the bytes of recent events in memory.
    pub reader_memory_limit: Gauge,
    /// Looks into the memory.
    pub reader_lookups: Family<LookUp, Counter>,
    /// Scans by how they ended.
    pub reader_scans: Family<Scan, Counter>,
    /// Records that scans have looked at.
    pub reader_scanned_records: Counter,
    /// Reads that wait for Kafka.
    pub reader_under_way: Gauge,
    /// Records that Kafka has and the tail has not read yet.
    pub reader_tail_lag: Gauge,
    /// Open streams.
    pub live_streams: Family<StreamLabels, Gauge>,
    /// The limit of the open streams.
    pub live_streams_limit: Gauge,
    /// What open streams follow.
    pub live_subscriptions: Gauge,
    /// Bytes of events that wait for any client of a stream.
    pub live_held: Gauge,
    /// The limit of the bytes that wait for clients of streams.
    pub live_held_limit: Gauge,
    /// Bytes of the recent events that streams begin with and clients have not taken.
    pub live_recent: Gauge,
    /// Events that streams have brought.
    pub live_delivered: Family<Delivery, Counter>,
    /// Streams that ended.
    pub live_ended: Family<EndReason, Counter>,
    /// Streams that were told that events may be missing.
    pub live_resets: Counter,
    /// Whether streams hear what is announced.
    pub live_redis_connected: Gauge,
    /// Channels that are subscribed to.
    pub live_channels: Gauge,
    /// Channels that should be.
    pub live_channels_missing: Gauge,
    /// What was announced.
    pub live_announced: Family<Announcement, Counter>,
    /// Events that were told early and are not in the log.
    pub live_unconfirmed: Counter,
}

impl Metrics {
    /// The metrics, all of them registered, all at zero.
    pub fn new() -> Self {
        let mut metrics = Metrics {
            registry: Registry::with_prefix("dual_stream"),
            requests: Family::default(),
            request_duration: Family::new_with_constructor(durations),
            connections: Gauge::default(),
            events: Family::default(),
            produce_duration: durations(),
            in_flight: Gauge::default(),
            in_flight_limit: Gauge::default(),
            arriving: Gauge::default(),
            arriving_limit: Gauge::default(),
            answers: Gauge::default(),
            answers_limit: Gauge::default(),
            notifications_published: Counter::default(),
            notifications_dropped: Family::default(),
            notify_queue: Gauge::default(),
            notify_queue_limit: Gauge::default(),
            circuit_open: Gauge::default(),
            kafka_up: Gauge::default(),
            kafka_leaderless: Gauge::default(),
            kafka_under_min_isr: Gauge::default(),
            ready: Gauge::default(),
            reader_memory: Gauge::default(),
            reader_memory_limit: Gauge::default(),
            reader_lookups: Family::default(),
            reader_scans: Family::default(),
            reader_scanned_records: Counter::default(),
            reader_under_way: Gauge::default(),
            reader_tail_lag: Gauge::default(),
            live_streams: Family::default(),
            live_streams_limit: Gauge::default(),
            live_subscriptions: Gauge::default(),
            live_held: Gauge::default(),
            live_held_limit: Gauge::default(),
            live_recent: Gauge::default(),
            live_delivered: Family::default(),
            live_ended: Family::default(),
            live_resets: Counter::default(),
            live_redis_connected: Gauge::default(),
            live_channels: Gauge::default(),
            live_channels_missing: Gauge::default(),
            live_announced: Family::default(),
            live_unconfirmed: Counter::default(),
        };
        metrics.register();
        metrics
    }

    /// Counts a dropped notification, or several.
    pub fn dropped(&self, reason: Dropped, count: usize) {
        self.notifications_dropped.get_or_create(&reason.labels()).inc_by(count as u64);
    }

    /// How many notifications were dropped, for whatever reason.
    pub fn dropped_total(&self) -> u64 {
        let count =
            |reason: Dropped| self.notifications_dropped.get_or_create(&reason.labels()).get();
        Dropped::ALL.into_iter().map(count).sum()
    }

    /// Counts a look into the reader's memory, by `event` or `recent`.
    pub fn reader_looked_up(&self, read: &'static str, is_hit: bool) {
        self.reader_lookups.get_or_create(&LookUp::new(read, is_hit)).inc();
    }

    /// Counts a scan, and the records that it looked at.
    pub fn reader_scanned(&self, outcome: ScanOutcome, records: usize) {
        self.reader_scans.get_or_create(&outcome.labels()).inc();
        self.reader_scanned_records.inc_by(records as u64);
    }

    /// Counts an event that a stream has brought.
    pub fn live_delivered(&self, by: By) {
        self.live_delivered.get_or_create(&by.labels()).inc();
    }

    /// Counts a stream that was opened.
    pub fn live_opened(&self, transport: Transport) {
        self.live_streams.get_or_create(&transport.labels()).inc();
    }

    /// Counts something that was announced.
    pub fn live_announced(&self, outcome: Announced) {
        self.live_announced.get_or_create(&outcome.labels()).inc();
    }

    /// Counts a stream that ended.
    pub fn live_closed(&self, transport: Transport, why: Ended) {
        self.live_streams.get_or_create(&transport.labels()).dec();
        self.live_ended.get_or_create(&why.labels(transport)).inc();
    }

    /// All metrics in the OpenMetrics text format.
    pub fn render(&self) -> String {
        let mut text = String::with_capacity(8 * 1024);
        // Writing to a string does not fail.
        let _ = encode(&mut text, &self.registry);
        text
    }
}

impl Default for Metrics {
    fn default() -> Self {
        Metrics::new()
    }
}

/// Seconds, as Prometheus counts them.
pub fn seconds(duration: Duration) -> f64 {
    duration.as_secs_f64()
}

fn durations() -> Histogram {
    Histogram::new(DURATION_BUCKETS)
}
