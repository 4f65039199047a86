//! The settings of the librdkafka clients.

use std::time::Duration;

use rdkafka::ClientConfig;

use crate::settings;

/// Room for what a record carries besides the event: key, headers, framing. The largest are a
/// `tracestate` of 512 bytes, a key of 256, and an id and a type of 128 characters each, which
/// may be four bytes long.
const RECORD_HEADROOM: usize = 8 * 1024;

/// librdkafka's own default of `message.max.bytes`. It also bounds a batch, so it is never lowered.
const MIN_MESSAGE_MAX: usize = 1_000_000;

/// The two names of one property.
const LINGER: [&str; 2] = ["linger.ms", "queue.buffering.max.ms"];
/// The most that librdkafka takes for `request.timeout.ms`.
const MAX_REQUEST_TIMEOUT: Duration = Duration::from_secs(900);

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
        // A broker that is silent for half a record's life is tried again on a new connection.
        .set("request.timeout.ms", millis((kafka.message_timeout / 2).min(MAX_REQUEST_TIMEOUT)))
        .set("message.max.bytes", message_max.to_string())
        .set("queue.buffering.max.kbytes", queue_kbytes.to_string())
        .set("queue.buffering.max.messages", "10000000");
    config
}

fn millis(duration: Duration) -> String {
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
    fn linger_is_zero_unless_the_options_say_otherwise() {
        assert_eq!(producer_with("client.rack", "a").get("linger.ms"), Some("0"));
        assert_eq!(producer_with("linger.ms", "5").get("linger.ms"), Some("5"));
    }
}
