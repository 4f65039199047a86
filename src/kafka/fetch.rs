//! The settings of the consumers: how much is asked for at once, and what becomes of the operator's
//! properties.

use std::time::Duration;

use rdkafka::ClientConfig;

use super::config::{RECORD_HEADROOM, client, millis, socket_timeout};
use crate::settings::Settings;

/// What a consumer is for, which decides how much it asks for at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fetch {
    /// Single records here and there: as little as possible beyond them.
    Points,
    /// Many records one behind the other.
    Scans,
    /// What is new.
    Tail {
        /// How long a question may wait at the broker for something new.
        wait: Duration,
    },
}

/// The most of one partition that an answer to a [`Fetch`] brings; a batch of records is never cut.
const POINT_BYTES: usize = 16 * 1024;
const SCAN_BYTES: usize = 1024 * 1024;
const TAIL_BYTES: usize = 256 * 1024;
/// What an answer brings of all partitions together. librdkafka takes no less than
/// `message.max.bytes`.
const ANSWER_BYTES: usize = 4 * 1024 * 1024;
/// How long a question for records that are there waits for more of them: the end of a partition is
/// known after that.
const SHORT_WAIT: Duration = Duration::from_millis(5);
/// librdkafka's own default of `receive.message.max.bytes`.
const MIN_RECEIVE_MAX: usize = 100_000_000;
/// The most that librdkafka takes for it.
const RECEIVE_MAX_RANGE_END: usize = i32::MAX as usize;

/// Properties of producers and of groups, which say nothing to a consumer without one; librdkafka
/// would warn of each. The service's own are refused in `kafka.options`.
const NOT_FOR_CONSUMERS: [&str; 15] = [
    "linger.ms",
    "queue.buffering.max.ms",
    "message.send.max.retries",
    "retries",
    "compression.codec",
    "compression.type",
    "compression.level",
    "batch.num.messages",
    "batch.size",
    "sticky.partitioning.linger.ms",
    "queuing.strategy",
    "transaction.timeout.ms",
    "max.in.flight",
    "max.in.flight.requests.per.connection",
    "group.id",
];

/// A consumer that reads from any offset, of a topic whose largest events are those of the
/// settings. What is read of a transaction is what was committed, unless `kafka.options` has
/// `isolation.level`.
pub(super) fn consumer(settings: &Settings, fetch: Fetch) -> ClientConfig {
    let (bytes, wait) = match fetch {
        Fetch::Points => (POINT_BYTES, SHORT_WAIT),
        Fetch::Scans => (SCAN_BYTES, SHORT_WAIT),
        Fetch::Tail { wait } => (TAIL_BYTES, wait),
    };
    // One record that is there at once is enough, for a point; scans have the next answer on its
    // way while they look at the last one.
    let ahead = if fetch == Fetch::Points { 1 } else { 100_000 };
    let receive_max = settings.publisher.max_event + RECORD_HEADROOM + ANSWER_BYTES;
    let mut config = client(&settings.kafka);
    for name in NOT_FOR_CONSUMERS {
        config.remove(name);
    }
    config
        .set("enable.partition.eof", "true")
        // An offset that is not there is told, instead of another one being read in its place.
        .set("auto.offset.reset", "error")
        .set("enable.auto.commit", "false")
        .set("enable.auto.offset.store", "false")
        .set("socket.timeout.ms", millis(socket_timeout(settings.reader.timeout * 2)))
        .set("fetch.wait.max.ms", millis(wait))
        .set("fetch.min.bytes", "1")
        .set("fetch.message.max.bytes", bytes.to_string())
        .set("fetch.max.bytes", ANSWER_BYTES.to_string())
        .set(
            "receive.message.max.bytes",
            receive_max.clamp(MIN_RECEIVE_MAX, RECEIVE_MAX_RANGE_END).to_string(),
        )
        .set("queued.min.messages", ahead.to_string())
        .set("queued.max.messages.kbytes", (bytes / 1024 * 2).to_string())
        // With the default of a second, a full queue costs a second.
        .set("fetch.queue.backoff.ms", "1")
        .set("fetch.error.backoff.ms", "20");
    config
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_for_both_reach_consumers_and_those_of_producers_do_not() {
        let variable = |name: &str| format!("DUAL_STREAM__KAFKA__OPTIONS__{name}");
        let variables = [("SASL_PASSWORD", "s3cret"), ("LINGER_MS", "5"), ("GROUP_ID", "others")];
        let variables = variables.map(|(name, value)| (variable(name), value.to_owned()));
        let settings = Settings::load(variables).unwrap();
        let config = consumer(&settings, Fetch::Scans);
        assert_eq!(config.get("sasl.password"), Some("s3cret"));
        assert_eq!((config.get("linger.ms"), config.get("group.id")), (None, None));
    }

    #[test]
    fn librdkafka_takes_them_with_the_largest_and_the_smallest_settings() {
        let mut settings = Settings::load([]).unwrap();
        for (max_event, timeout) in [(1024, 1), (900 << 20, 24 * 3600 * 1000)] {
            settings.publisher.max_event = max_event;
            settings.reader.timeout = Duration::from_millis(timeout);
            let tail = Fetch::Tail { wait: Duration::from_millis(500) };
            for fetch in [Fetch::Points, Fetch::Scans, tail] {
                consumer(&settings, fetch).create_native_config().unwrap();
            }
        }
    }
}
