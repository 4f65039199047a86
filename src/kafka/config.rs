//! The settings of the librdkafka clients.

use std::time::Duration;

use rdkafka::ClientConfig;
use rdkafka::config::RDKafkaLogLevel;

use crate::settings;

/// Room for what a record carries besides the event: key, headers, framing. The largest are a
/// `tracestate` of 512 bytes, a key of 256, and an id and a type of 128 characters each, which
/// may be four bytes long.
pub(super) const RECORD_HEADROOM: usize = 8 * 1024;

/// librdkafka's own default of `message.max.bytes`. It also bounds a batch, so it is never lowered.
const MIN_MESSAGE_MAX: usize = 1_000_000;

/// librdkafka's own default of `batch.size`.
const BATCH_SIZE: usize = 1_000_000;
/// Room for a batch's own header, 61 bytes (`DefaultRecordBatch.RECORD_BATCH_OVERHEAD`), which Kafka
/// counts and librdkafka does not.
const BATCH_HEADROOM: usize = 128;

/// The least that librdkafka takes for `message.max.bytes`.
const MESSAGE_MAX_RANGE_START: usize = 1000;

/// The two names of one property.
const CODEC: [&str; 2] = ["compression.codec", "compression.type"];
/// The two names of one property.
const LINGER: [&str; 2] = ["linger.ms", "queue.buffering.max.ms"];
/// How long an answer may take. Two in a row have to be missing before the cluster is down: a
/// broker that is frozen is noticed after twice this and an interval.
pub(super) const PROBE_TIMEOUT: Duration = Duration::from_secs(2);
/// How long an answer is waited for at the least. It holds for every request: below what the probe
/// waits for its answer, or a login takes, a short `kafka.message_timeout` would keep a cluster
/// that is merely far away from ever being reached.
const LEAST_SOCKET_TIMEOUT: Duration = PROBE_TIMEOUT;
/// The most that librdkafka takes for `socket.timeout.ms`.
const MOST_SOCKET_TIMEOUT: Duration = Duration::from_secs(300);

/// What every client of ours needs: where the cluster is and how to speak to it.
pub(super) fn client(kafka: &settings::Kafka) -> ClientConfig {
    let mut config = ClientConfig::new();
    config
        .set("bootstrap.servers", &kafka.brokers)
        .set("client.id", "dual-stream")
        // The default of 10 s would add as much to every recovery.
        .set("reconnect.backoff.max.ms", "1000")
        .set("socket.nagle.disable", "true")
        .set("socket.keepalive.enable", "true")
        // A topic that the broker made up has the wrong number of partitions.
        .set("allow.auto.create.topics", "false");
    for (key, value) in &kafka.options {
        config.set(key, value);
    }
    config
}

/// The producer: what its promises rest on cannot be changed by `kafka.options`.
pub fn producer(kafka: &settings::Kafka, publisher: &settings::Publisher) -> ClientConfig {
    let message_max = (publisher.max_event + RECORD_HEADROOM).max(MIN_MESSAGE_MAX);
    // Admission is what bounds the buffer; librdkafka's own bound lies safely above it.
    let queue_kbytes = publisher.max_in_flight_bytes / 1024 * 2 + 1024;
    let mut config = client(kafka);
    let debug = config.get("debug").map_or("broker".to_owned(), |more| format!("broker,{more}"));
    if LINGER.into_iter().all(|name| config.get(name).is_none()) {
        // Above zero each request waits for company: a lone client's latency goes from 0.3 to 1.5 ms.
        config.set("linger.ms", "0");
    }
    config
        .set("enable.idempotence", "true")
        .set("acks", "all")
        // The Java client's placement, so that Kafka Streams and Connect agree with it.
        .set("partitioner", "murmur2_random")
        .set("message.timeout.ms", millis(kafka.message_timeout))
        .set("socket.timeout.ms", millis(socket_timeout(kafka.message_timeout)))
        .set("request.timeout.ms", millis(acks_timeout(kafka.message_timeout)))
        .set("message.max.bytes", message_max.to_string())
        .set("queue.buffering.max.kbytes", queue_kbytes.to_string())
        .set("queue.buffering.max.messages", "10000000")
        // The log of this context names the answers of brokers, which no report does (see `doubt`).
        // It is silent while all is well.
        .set("debug", debug)
        .set_log_level(RDKafkaLogLevel::Debug);
    config
}

/// How long the client waits for an answer. A broker that is silent for half a record's life is
/// tried again on a new connection.
pub(super) fn socket_timeout(message_timeout: Duration) -> Duration {
    (message_timeout / 2).clamp(LEAST_SOCKET_TIMEOUT, MOST_SOCKET_TIMEOUT)
}

/// How long a broker waits for its followers before it says so: less than the client waits, so that
/// slow followers cost an answer and not the connection, on which everything else waits behind it.
fn acks_timeout(message_timeout: Duration) -> Duration {
    socket_timeout(message_timeout).min(message_timeout) * 2 / 3
}

/// How large a producer's batches become, and the largest record that it takes: the first holds
/// records that are no larger.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Sizes {
    pub(super) batch: usize,
    record: usize,
}

impl Sizes {
    pub(super) fn of(config: &ClientConfig) -> Self {
        let number =
            |name, default| config.get(name).and_then(|v| v.parse().ok()).unwrap_or(default);
        let record = number("message.max.bytes", MIN_MESSAGE_MAX);
        Sizes { batch: number("batch.size", BATCH_SIZE).min(record), record }
    }
}

/// The same producer for a topic whose `max.message.bytes` is this: batches fit, and a record that
/// does not is refused before it is sent. Sent, it would cost every other record the time in which
/// an idempotent producer finds its sequence again. Of a record that will be compressed nobody can
/// tell in time.
pub(super) fn fitted(asked: &ClientConfig, max_message: usize) -> ClientConfig {
    let sizes = Sizes::of(asked);
    let most = max_message.saturating_sub(BATCH_HEADROOM).max(MESSAGE_MAX_RANGE_START);
    let mut config = asked.clone();
    config.set("batch.size", most.min(sizes.batch).to_string());
    if !is_compressed(asked) {
        config.set("message.max.bytes", most.min(sizes.record).to_string());
    }
    config
}

fn is_compressed(config: &ClientConfig) -> bool {
    CODEC.into_iter().filter_map(|name| config.get(name)).any(|codec| codec.trim() != "none")
}

pub(super) fn millis(duration: Duration) -> String {
    duration.as_millis().max(1).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::Settings;

    fn producer_with(option: &str, value: &str) -> ClientConfig {
        let variable =
            format!("DUAL_STREAM__KAFKA__OPTIONS__{}", option.replace('.', "_").to_uppercase());
        let settings = Settings::load([(variable, value.to_owned())]).unwrap();
        producer(&settings.kafka, &settings.publisher)
    }

    /// rdkafka hides secrets from whoever lists a configuration: a copy by its list has none.
    #[test]
    fn options_reach_the_producer_as_they_are() {
        let config = producer_with("sasl.password", "s3cret");
        assert_eq!(config.get("sasl.password"), Some("s3cret"));
    }

    #[test]
    fn the_log_that_names_answers_is_on_whatever_else_is_to_be_logged() {
        assert_eq!(producer_with("client.rack", "a").get("debug"), Some("broker"));
        assert_eq!(producer_with("debug", "msg").get("debug"), Some("broker,msg"));
    }

    #[test]
    fn what_a_topic_does_not_take_is_refused_before_it_is_sent_unless_it_may_shrink() {
        let sizes = |option, value, max| Sizes::of(&fitted(&producer_with(option, value), max));
        let plain = Sizes::of(&producer_with("client.rack", "a"));
        assert_eq!(sizes("client.rack", "a", 1_048_588), plain);
        assert_eq!(sizes("client.rack", "a", 10_240), Sizes { batch: 10_112, record: 10_112 });
        assert_eq!(sizes("compression.codec", "none", 10_240).record, 10_112);
        let compressed = Sizes { batch: 10_112, record: plain.record };
        assert_eq!(sizes("compression.codec", "zstd", 10_240), compressed);
    }

    #[test]
    fn a_silent_broker_is_given_up_in_half_a_records_life_and_says_before_that_followers_are_slow()
    {
        for (message_timeout, socket, acks) in [
            ("10s", "5000", "3333"),
            ("4s", "2000", "1333"),
            // No less than the probe waits.
            ("250ms", "2000", "166"),
            // No more than librdkafka takes.
            ("1h", "300000", "200000"),
        ] {
            let mut settings = Settings::load([]).unwrap();
            settings.kafka.message_timeout = humantime::parse_duration(message_timeout).unwrap();
            let config = producer(&settings.kafka, &settings.publisher);
            assert_eq!(config.get("socket.timeout.ms"), Some(socket), "{message_timeout}");
            assert_eq!(config.get("request.timeout.ms"), Some(acks), "{message_timeout}");
            config.create_native_config().unwrap();
        }
    }

    #[test]
    fn linger_is_zero_unless_the_options_say_otherwise() {
        assert_eq!(producer_with("client.rack", "a").get("linger.ms"), Some("0"));
        assert_eq!(producer_with("linger.ms", "5").get("linger.ms"), Some("5"));
    }
}
