//! The settings of the librdkafka consumer that follows.

use rdkafka::ClientConfig;

use crate::kafka::config;
use crate::kafka::fetch::NOT_FOR_CONSUMERS;
use crate::settings::Settings;

/// The group that a consumer outside of any group is said to be of: librdkafka wants a name, and
/// neither joins the group nor commits to it.
const NO_GROUP: &str = "dual-stream-tail";

/// A consumer that follows the topic, as a member of a group or alone.
pub(super) fn of(settings: &Settings, group: Option<&str>) -> ClientConfig {
    let mut config = config::client(&settings.kafka);
    for name in NOT_FOR_CONSUMERS {
        config.remove(name);
    }
    for (name, value) in [
        // What is fetched ahead is all that a reader who has stopped may cost.
        ("queued.max.messages.kbytes", "16384"),
        ("fetch.max.bytes", "8388608"),
        // With the default of a second, a queue that was full once costs a second.
        ("fetch.queue.backoff.ms", "5"),
        // The default of 5 minutes is how long the events of a new partition would wait.
        ("topic.metadata.refresh.interval.ms", "30000"),
    ] {
        set_unless_set(&mut config, name, value);
    }
    if config.get("group.protocol").is_none() {
        // A member that comes or goes stops only the partitions that move.
        set_unless_set(&mut config, "partition.assignment.strategy", "cooperative-sticky");
    }
    config
        .set("group.id", group.unwrap_or(NO_GROUP))
        // Only what has been written out is committed.
        .set("enable.auto.commit", "false")
        .set("enable.auto.offset.store", "false")
        .set("enable.partition.eof", "true")
        // Nothing is passed over in silence.
        .set("auto.offset.reset", "error");
    config
}

fn set_unless_set(config: &mut ClientConfig, name: &str, value: &str) {
    if config.get(name).is_none() {
        config.set(name, value);
    }
}
