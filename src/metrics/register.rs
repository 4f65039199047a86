//! The names of metrics, and the words that explain them.

use prometheus_client::metrics::info::Info;
use prometheus_client::registry::Unit;

use super::Metrics;
use super::labels::{Announced, By, Dropped, Ended, LookUp, ScanOutcome, Transport};

impl Metrics {
    /// Registers all of them.
    pub(super) fn register(&mut self) {
        self.register_http();
        self.register_publishing();
        self.register_arriving();
        self.register_answers();
        self.register_notifying();
        self.register_reader();
        self.register_live();
        self.register_early();
        self.register_state();
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
        registry.register_with_unit(
            "live_recent",
            "Recent events that streams begin with and clients have not taken",
            Unit::Bytes,
            self.live_recent.clone(),
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
}
