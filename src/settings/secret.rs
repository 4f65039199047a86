//! What must never be printed.

use std::collections::BTreeMap;
use std::fmt;

use super::entries::{Key, OPTIONS, Raw};
use super::{Kafka, redis};

/// What stands in the place of a secret.
pub(super) const MASK: &str = "***";

/// Parts of librdkafka's property names that mark a secret. `oauthbearer.config` carries
/// credentials of custom token handlers.
const MARKS: [&str; 9] = [
    "password",
    "passphrase",
    "secret",
    "token",
    "credential",
    ".key",
    "_key",
    "jaas",
    "oauthbearer.config",
];

/// A setting's value, fit to be printed.
pub(super) fn masked(key: &Key, raw: &Raw) -> Raw {
    match key.section.as_str() {
        "redis" if key.name == "url" => Raw::Text(redis::masked(&raw.joined())),
        OPTIONS if is_secret(&key.name) => Raw::Text(MASK.to_owned()),
        _ => raw.clone(),
    }
}

fn is_secret(option: &str) -> bool {
    let option = option.to_ascii_lowercase();
    MARKS.iter().any(|mark| option.contains(mark))
}

impl fmt::Debug for Kafka {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            brokers,
            topic,
            create_topic,
            partitions,
            replication,
            message_timeout,
            probe_interval,
            partition_counts,
            options,
        } = self;
        f.debug_struct("Kafka")
            .field("brokers", brokers)
            .field("topic", topic)
            .field("create_topic", create_topic)
            .field("partitions", partitions)
            .field("replication", replication)
            .field("message_timeout", message_timeout)
            .field("probe_interval", probe_interval)
            .field("partition_counts", partition_counts)
            .field("options", &Options(options))
            .finish()
    }
}

struct Options<'a>(&'a BTreeMap<String, String>);

impl fmt::Debug for Options<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = |(name, value)| (name, if is_secret(name) { MASK } else { value });
        let options = self.0.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        f.debug_map().entries(options.map(shown)).finish()
    }
}
