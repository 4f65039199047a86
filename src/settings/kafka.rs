//! What is particular to Kafka: its names, and the properties that are not an operator's to set.

use super::entries::Raw;
use super::parse;

/// Checks `kafka.topic` by Kafka's own rule (`org.apache.kafka.common.internals.Topic`).
pub(super) fn topic(raw: &Raw) -> Result<String, String> {
    let topic = parse::text(raw)?;
    let legal = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    if matches!(topic.as_str(), "" | "." | "..") || topic.len() > 249 || !topic.chars().all(legal) {
        return Err(
            "not a topic's name; use 1 to 249 of A-Z a-z 0-9 . _ -, and more than dots".to_owned()
        );
    }
    Ok(topic)
}

/// Checks `kafka.brokers`.
pub(super) fn brokers(raw: &Raw) -> Result<String, String> {
    let brokers = parse::list(raw)?;
    if brokers.is_empty() {
        return Err("no broker; write host:port, for example kafka-1:9092,kafka-2:9092".to_owned());
    }
    match brokers.iter().find(|broker| !is_host_and_port(broker)) {
        Some(broker) => {
            Err(format!("{broker:?} is not a broker; write host:port, for example kafka-1:9092"))
        }
        None => Ok(brokers.join(",")),
    }
}

/// Checks `kafka.partition_counts`.
pub(super) fn partition_counts(raw: &Raw) -> Result<Vec<i32>, String> {
    let counts = parse::list(raw)?.into_iter().map(|item| match item.parse() {
        Ok(count) if count >= 1 => Ok(count),
        _ => Err(format!("{item:?} is not a number of partitions; write for example [6, 12]")),
    });
    counts.collect()
}

fn is_host_and_port(broker: &str) -> bool {
    let Some((host, port)) = broker.rsplit_once(':') else {
        return false;
    };
    let name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    let address = |c: char| c.is_ascii_hexdigit() || matches!(c, ':' | '.');
    let legal = match host.strip_prefix('[').and_then(|host| host.strip_suffix(']')) {
        Some(inside) => !inside.is_empty() && inside.chars().all(address),
        None => !host.is_empty() && host.chars().all(name),
    };
    legal && port.parse::<u16>().is_ok_and(|port| port > 0)
}

/// The most requests in flight with which an idempotent producer keeps order, by librdkafka's
/// CONFIGURATION.md on `enable.idempotence`.
const MOST_IN_FLIGHT: u32 = 5;

const ACKS: &str = "an event is answered as stored only after every in-sync replica has it";
const SIZE: &str = "use publisher.max_event";
const QUEUE: &str = "use publisher.max_in_flight_bytes";
const TIMEOUT: &str = "use kafka.message_timeout";
const BROKERS: &str = "use kafka.brokers";

/// librdkafka's properties, aliases included, that the service sets itself, and what to know
/// instead.
const RESERVED: [(&str, &str); 18] = [
    ("acks", ACKS),
    ("request.required.acks", ACKS),
    ("enable.idempotence", "without it, retries would repeat and reorder events"),
    ("message.timeout.ms", TIMEOUT),
    ("delivery.timeout.ms", TIMEOUT),
    ("socket.timeout.ms", "it is half of kafka.message_timeout, and at least 2s"),
    ("request.timeout.ms", "brokers wait for followers for a third of kafka.message_timeout"),
    ("bootstrap.servers", BROKERS),
    ("metadata.broker.list", BROKERS),
    ("partitioner", "events are placed as Java's clients place them, so that other programs agree"),
    ("message.max.bytes", SIZE),
    ("queue.buffering.max.kbytes", QUEUE),
    ("queue.buffering.max.messages", QUEUE),
    ("queue.buffering.backpressure.threshold", QUEUE),
    ("transactional.id", "events are not written in transactions"),
    ("enable.gapless.guarantee", "one failed event must not fail all that follow"),
    ("delivery.report.only.error", "the acknowledgement of each event is its answer"),
    ("test.mock.num.brokers", "events would go to brokers that keep nothing; use dual-stream dev"),
];

/// Why a property of librdkafka cannot be set by `kafka.options`, if so. Everything else passes:
/// librdkafka itself refuses names and values that it does not know.
pub(super) fn option_fault(name: &str, value: &str) -> Option<String> {
    if matches!(name, "max.in.flight" | "max.in.flight.requests.per.connection") {
        let too_many = value.trim().parse::<u32>().is_ok_and(|count| count > MOST_IN_FLIGHT);
        return too_many.then(|| {
            format!("order is kept with at most {MOST_IN_FLIGHT}; lower it, or leave it out")
        });
    }
    let (_, reason) = RESERVED.iter().find(|(reserved, _)| *reserved == name)?;
    Some(format!("cannot be set here: {reason}"))
}
