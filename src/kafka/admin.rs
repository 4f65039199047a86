//! Clients that ask for what a producer cannot.

use rdkafka::client::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::error::KafkaError;

use super::client;

/// Their context.
pub(super) struct AdminContext;

impl ClientContext for AdminContext {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        client::log(level, facility, message);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        // The state says it, with what to do.
        tracing::debug!("kafka: {error}: {reason}");
    }
}
