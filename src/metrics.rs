//! Every metric of the service, in one place.
//!
//! Names, labels and meanings are listed for operators in `docs/metrics.md`; a test compares
//! that page with what a running service says.

use std::time::Duration;

use prometheus_client::encoding::text::encode;
use prometheus_client::encoding::{EncodeLabelSet, EncodeLabelValue, LabelValueEncoder};
pub use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
pub use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::{Registry, Unit};

/// The media type of [`Metrics::render`].
pub const MEDIA_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Upper bounds of the duration buckets in seconds: from an answer on loopback (0.3 ms) to past
/// the default message timeout (10 s).
const DURATION_BUCKETS: [f64; 14] =
    [0.0005, 0.001, 0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 15.0];

/// A label value that is a word of our own, never input.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Word(pub &'static str);

impl EncodeLabelValue for Word {
    fn encode(&self, encoder: &mut LabelValueEncoder<'_>) -> Result<(), std::fmt::Error> {
        self.0.encode(encoder)
    }
}

/// The labels of an answered request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct Request {
    /// The path of the API's description, or `other`.
    pub route: Word,
    /// The method, or `other`.
    pub method: Word,
    /// The status of the answer.
    pub status: u16,
}

/// The route of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct Route {
    /// The path of the API's description, or `other`.
    pub route: Word,
}

/// The labels of an event's outcome.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct EventOutcome {
    /// `stored`, `not_stored` or `unknown`.
    pub outcome: Word,
    /// Why, or `none`.
    pub reason: Word,
}

/// Why a notification was dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dropped {
    /// The queue was at its limit.
    QueueFull,
    /// Redis had failed, and was not tried.
    CircuitOpen,
    /// The pipeline failed: it may have been delivered.
    Failed,
    /// Redis refused it.
    Refused,
    /// The grace had ended.
    ShuttingDown,
}

impl Dropped {
    const ALL: [Dropped; 5] = [
        Dropped::QueueFull,
        Dropped::CircuitOpen,
        Dropped::Failed,
        Dropped::Refused,
        Dropped::ShuttingDown,
    ];

    fn labels(self) -> DropReason {
        let reason = match self {
            Dropped::QueueFull => "queue_full",
            Dropped::CircuitOpen => "circuit_open",
            Dropped::Failed => "failed",
            Dropped::Refused => "refused",
            Dropped::ShuttingDown => "shutting_down",
        };
        DropReason { reason: Word(reason) }
    }
}

/// The label of dropped notifications.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct DropReason {
    reason: Word,
}

/// How a scan ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ScanOutcome {
    /// It found what was asked for, or all that there is.
    Complete,
    /// It reached its bounds first.
    Unfinished,
    /// Retention had removed what was asked for.
    Removed,
    /// Kafka did not answer.
    Unavailable,
    /// It was refused, as too many were under way.
    Busy,
    /// Whoever asked had gone.
    Abandoned,
}

impl ScanOutcome {
    const ALL: [ScanOutcome; 6] = [
        ScanOutcome::Complete,
        ScanOutcome::Unfinished,
        ScanOutcome::Removed,
        ScanOutcome::Unavailable,
        ScanOutcome::Busy,
        ScanOutcome::Abandoned,
    ];

    fn labels(self) -> Scan {
        let outcome = match self {
            ScanOutcome::Complete => "complete",
            ScanOutcome::Unfinished => "unfinished",
            ScanOutcome::Removed => "removed",
            ScanOutcome::Unavailable => "unavailable",
            ScanOutcome::Busy => "busy",
            ScanOutcome::Abandoned => "abandoned",
        };
        Scan { outcome: Word(outcome) }
    }
}

/// The label of scans.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct Scan {
    outcome: Word,
}

/// The labels of looks into the reader's memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct LookUp {
    /// `event` or `recent`.
    read: Word,
    /// `hit` or `miss`.
    memory: Word,
}

impl LookUp {
    fn new(read: &'static str, is_hit: bool) -> Self {
        LookUp { read: Word(read), memory: Word(if is_hit { "hit" } else { "miss" }) }
    }
}

/// How an event came to a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum By {
    /// As one of the recent ones that were asked for.
    Recent,
    /// Read of the log, as it was missing.
    Log,
    /// By the tail.
    Tail,
    /// As it was announced, before the tail had it.
    Early,
}

impl By {
    const ALL: [By; 4] = [By::Recent, By::Log, By::Tail, By::Early];

    fn labels(self) -> Delivery {
        let by = match self {
            By::Recent => "recent",
            By::Log => "log",
            By::Tail => "tail",
            By::Early => "early",
        };
        Delivery { by: Word(by) }
    }
}

/// The label of deliveries.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct Delivery {
    by: Word,
}

/// What became of something that was announced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Announced {
    /// Streams were told.
    Told,
    /// The tail had brought the event before.
    Late,
    /// No stream follows it.
    Unfollowed,
    /// Too much waits for those who follow it: the tail brings it.
    LeftOut,
    /// It is no notification of an event that may be there.
    Refused,
}

impl Announced {
    const ALL: [Announced; 5] = [
        Announced::Told,
        Announced::Late,
        Announced::Unfollowed,
        Announced::LeftOut,
        Announced::Refused,
    ];

    fn labels(self) -> Announcement {
        let outcome = match self {
            Announced::Told => "told",
            Announced::Late => "late",
            Announced::Unfollowed => "unfollowed",
            Announced::LeftOut => "left_out",
            Announced::Refused => "refused",
        };
        Announcement { outcome: Word(outcome) }
    }
}

/// The label of what was announced.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct Announcement {
    outcome: Word,
}

/// Why a stream ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// The client went.
    Client,
    /// The client did not take what came.
    Slow,
    /// The client answered nothing for too long.
    Silent,
    /// The client broke the protocol.
    Faulty,
    /// The service ends.
    ShuttingDown,
}

impl Ended {
    const ALL: [Ended; 5] =
        [Ended::Client, Ended::Slow, Ended::Silent, Ended::Faulty, Ended::ShuttingDown];

    fn labels(self, transport: Transport) -> EndReason {
        let reason = match self {
            Ended::Client => "client",
            Ended::Slow => "slow",
            Ended::Silent => "silent",
            Ended::Faulty => "faulty",
            Ended::ShuttingDown => "shutting_down",
        };
        EndReason { transport: transport.word(), reason: Word(reason) }
    }
}

/// The labels of streams that ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct EndReason {
    transport: Word,
    reason: Word,
}

/// How a stream comes to its client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transport {
    /// By Server-Sent Events.
    Sse,
    /// Over a WebSocket.
    WebSocket,
}

impl Transport {
    const ALL: [Transport; 2] = [Transport::Sse, Transport::WebSocket];

    fn word(self) -> Word {
        Word(match self {
            Transport::Sse => "sse",
            Transport::WebSocket => "websocket",
        })
    }

    fn labels(self) -> StreamLabels {
        StreamLabels { transport: self.word() }
    }
}

/// The label of open streams.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct StreamLabels {
    transport: Word,
}

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
            live_delivered: Family::default(),
            live_ended: Family::default(),
            live_resets: Counter::default(),
            live_redis_connected: Gauge::default(),
            live_channels: Gauge::default(),
            live_channels_missing: Gauge::default(),
            live_announced: Family::default(),
            live_unconfirmed: Counter::default(),
        };
        metrics.register_http();
        metrics.register_publishing();
        metrics.register_arriving();
        metrics.register_answers();
        metrics.register_notifying();
        metrics.register_reader();
        metrics.register_live();
        metrics.register_early();
        metrics.register_state();
        metrics
    }

    fn register_http(&mut self) {
        let registry = &mut self.registry;
        registry.register("http_requests", "Answered requests", self.requests.clone());
        registry.register_with_unit(
            "http_request_duration",
            "Time from a request's head to its answer's head",
            Unit::Seconds,
            self.request_duration.clone(),
        );
        registry.register("http_connections", "Open connections", self.connections.clone());
    }

    fn register_publishing(&mut self) {
        let registry = &mut self.registry;
        registry.register("events", "Events by outcome", self.events.clone());
        registry.register_with_unit(
            "produce_duration",
            "Time from a record's submission to its delivery report",
            Unit::Seconds,
            self.produce_duration.clone(),
        );
        registry.register_with_unit(
            "in_flight",
            "Bytes admitted and not yet answered by Kafka",
            Unit::Bytes,
            self.in_flight.clone(),
        );
        registry.register_with_unit(
            "in_flight_limit",
            "The most bytes in flight (publisher.max_in_flight_bytes)",
            Unit::Bytes,
            self.in_flight_limit.clone(),
        );
    }

    fn register_arriving(&mut self) {
        let registry = &mut self.registry;
        registry.register_with_unit(
            "arriving",
            "Bytes of bodies that are not admitted yet",
            Unit::Bytes,
            self.arriving.clone(),
        );
        registry.register_with_unit(
            "arriving_limit",
            "The most bytes of bodies that are not admitted yet",
            Unit::Bytes,
            self.arriving_limit.clone(),
        );
    }

    fn register_answers(&mut self) {
        let registry = &mut self.registry;
        registry.register_with_unit(
            "read_answers",
            "Bytes of what was read that clients have not taken",
            Unit::Bytes,
            self.answers.clone(),
        );
        registry.register_with_unit(
            "read_answers_limit",
            "The most bytes of what was read that clients have not taken",
            Unit::Bytes,
            self.answers_limit.clone(),
        );
    }

    fn register_notifying(&mut self) {
        let registry = &mut self.registry;
        registry.register(
            "notifications_published",
            "Notifications that Redis took",
            self.notifications_published.clone(),
        );
        registry.register(
            "notifications_dropped",
            "Notifications that were dropped, by reason",
            self.notifications_dropped.clone(),
        );
        Dropped::ALL.into_iter().for_each(|reason| self.dropped(reason, 0));
        let registry = &mut self.registry;
        registry.register_with_unit(
            "notify_queue",
            "Notifications that wait for Redis",
            Unit::Bytes,
            self.notify_queue.clone(),
        );
        registry.register_with_unit(
            "notify_queue_limit",
            "The most bytes of notifications that wait (notify.queue)",
            Unit::Bytes,
            self.notify_queue_limit.clone(),
        );
        registry.register(
            "notify_circuit_open",
            "1 while Redis is not tried because it failed",
            self.circuit_open.clone(),
        );
    }

    fn register_reader(&mut self) {
        let registry = &mut self.registry;
        registry.register_with_unit(
            "reader_memory",
            "Recent events in memory",
            Unit::Bytes,
            self.reader_memory.clone(),
        );
        registry.register_with_unit(
            "reader_memory_limit",
            "The most bytes of recent events in memory (reader.memory)",
            Unit::Bytes,
            self.reader_memory_limit.clone(),
        );
        registry.register(
            "reader_lookups",
            "Reads of what may be in memory, by whether it was",
            self.reader_lookups.clone(),
        );
        registry.register("reader_scans", "Scans, by how they ended", self.reader_scans.clone());
        registry.register(
            "reader_scanned_records",
            "Records that scans have looked at",
            self.reader_scanned_records.clone(),
        );
        registry.register(
            "reader_under_way",
            "Reads that wait for Kafka",
            self.reader_under_way.clone(),
        );
        registry.register(
            "reader_tail_lag_records",
            "Records of the topic that are not read into memory yet",
            self.reader_tail_lag.clone(),
        );
        for read in ["event", "recent"] {
            for is_hit in [true, false] {
                drop(self.reader_lookups.get_or_create(&LookUp::new(read, is_hit)));
            }
        }
        for outcome in ScanOutcome::ALL {
            drop(self.reader_scans.get_or_create(&outcome.labels()));
        }
    }

    fn register_live(&mut self) {
        let registry = &mut self.registry;
        registry.register("live_streams", "Open streams", self.live_streams.clone());
        registry.register(
            "live_subscriptions",
            "What open streams follow: one for each of SSE, those made on WebSockets",
            self.live_subscriptions.clone(),
        );
        registry.register(
            "live_streams_limit",
            "The most streams (live.streams)",
            self.live_streams_limit.clone(),
        );
        registry.register_with_unit(
            "live_held",
            "Events that wait for any client of a stream",
            Unit::Bytes,
            self.live_held.clone(),
        );
        registry.register_with_unit(
            "live_held_limit",
            "Where clients of streams must not be behind any more (live.memory)",
            Unit::Bytes,
            self.live_held_limit.clone(),
        );
        registry.register(
            "live_delivered",
            "Events that streams have brought, by where they came from",
            self.live_delivered.clone(),
        );
        By::ALL.into_iter().for_each(|by| drop(self.live_delivered.get_or_create(&by.labels())));
        let registry = &mut self.registry;
        registry.register("live_ended", "Streams that ended, by reason", self.live_ended.clone());
        for transport in Transport::ALL {
            drop(self.live_streams.get_or_create(&transport.labels()));
            let ended = |why: Ended| drop(self.live_ended.get_or_create(&why.labels(transport)));
            Ended::ALL.into_iter().for_each(ended);
        }
        self.registry.register(
            "live_resets",
            "Times that a stream was told that events may be missing",
            self.live_resets.clone(),
        );
    }

    fn register_early(&mut self) {
        let registry = &mut self.registry;
        registry.register(
            "live_redis_connected",
            "1 while streams hear what is announced on Redis",
            self.live_redis_connected.clone(),
        );
        registry.register(
            "live_channels",
            "Channels of Redis that streams are subscribed to",
            self.live_channels.clone(),
        );
        registry.register(
            "live_channels_missing",
            "Channels of Redis that streams should be subscribed to, and are not",
            self.live_channels_missing.clone(),
        );
        registry.register(
            "live_announced",
            "What streams have heard on Redis, by what became of it",
            self.live_announced.clone(),
        );
        registry.register(
            "live_unconfirmed",
            "Events that streams were told early and that the log does not have",
            self.live_unconfirmed.clone(),
        );
        let heard = |outcome: Announced| {
            drop(self.live_announced.get_or_create(&outcome.labels()));
        };
        Announced::ALL.into_iter().for_each(heard);
    }

    fn register_state(&mut self) {
        let registry = &mut self.registry;
        registry.register("kafka_up", "1 while the topic can be written to", self.kafka_up.clone());
        registry.register(
            "kafka_partitions_leaderless",
            "Partitions of the topic that have no leader and take no writes",
            self.kafka_leaderless.clone(),
        );
        registry.register(
            "kafka_partitions_under_min_isr",
            "Partitions of the topic with fewer in-sync replicas than a write needs",
            self.kafka_under_min_isr.clone(),
        );
        registry.register("ready", "1 while /readyz answers 200", self.ready.clone());
        registry.register(
            "build",
            "The version that runs",
            Info::new([("version", env!("CARGO_PKG_VERSION"))]),
        );
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
