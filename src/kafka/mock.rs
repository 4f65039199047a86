//! librdkafka's mock cluster in this process, for `dual-stream dev`.

use rdkafka::mocking::MockCluster;
use rdkafka::producer::DefaultProducerContext;
#[cfg(test)]
use rdkafka::types::{RDKafkaApiKey, RDKafkaRespErr};

/// A Kafka cluster of one broker that lives in memory and ends with this value. It keeps the
/// last 5 MiB of each partition.
pub struct MockKafka {
    cluster: MockCluster<'static, DefaultProducerContext>,
}

impl MockKafka {
    /// Starts the cluster with one topic.
    ///
    /// # Errors
    /// What librdkafka says when it cannot open its port or make the topic.
    pub fn start(topic: &str, partitions: i32) -> Result<Self, String> {
        let cluster = MockCluster::new(1).map_err(|error| error.to_string())?;
        cluster.create_topic(topic, partitions, 1).map_err(|error| error.to_string())?;
        Ok(MockKafka { cluster })
    }

    /// Where clients reach it, in the form of `kafka.brokers`.
    pub fn brokers(&self) -> String {
        self.cluster.bootstrap_servers()
    }

    /// Answers the next writes with these errors, and appends nothing for them.
    #[cfg(test)]
    pub(super) fn fail_writes(&self, errors: &[RDKafkaRespErr]) {
        self.cluster.request_errors(RDKafkaApiKey::Produce, errors);
    }

    /// Answers after this time only.
    #[cfg(test)]
    pub(super) fn delay(&self, time: std::time::Duration) {
        let done = self.cluster.broker_round_trip_time(1, time);
        assert_eq!(done, Ok(()), "the only broker");
    }
}
