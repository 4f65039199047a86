//! The topic when it is missing: made, or said who has to.

use std::cell::Cell;
use std::time::{Duration, Instant};

use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::config::FromClientConfigAndContext;
use rdkafka::error::RDKafkaErrorCode;
use tokio::runtime::Handle;

use super::admin::AdminContext;
use super::config;
use crate::settings;
use crate::telemetry;

/// How long a refused creation is not tried again.
const CREATE_PAUSE: Duration = Duration::from_secs(10);
/// How long the creation may take.
const CREATE_TIMEOUT: Duration = Duration::from_secs(5);

/// Makes the topic.
pub(super) struct MissingTopic {
    kafka: settings::Kafka,
    runtime: Handle,
    /// When it may be made again after the cluster refused it.
    refused_until: Cell<Option<Instant>>,
}

impl MissingTopic {
    pub(super) fn new(kafka: settings::Kafka, runtime: Handle) -> Self {
        MissingTopic { kafka, runtime, refused_until: Cell::new(None) }
    }

    /// Makes the topic when it never was there since the start and the settings say so, and says
    /// what there is to say.
    pub(super) fn mend(&self, is_start: bool) -> String {
        let topic = &self.kafka.topic;
        if !is_start {
            // Made anew it would give cursors that are out already to other events.
            return format!("the topic `{topic}` was deleted; restart to have it made anew");
        }
        if self.refused_until.get().is_some_and(|time| Instant::now() < time) {
            return format!("the topic `{topic}` does not exist and cannot be created yet");
        }
        if !self.kafka.create_topic {
            return format!(
                "the topic `{topic}` does not exist; create it, or set kafka.create_topic = true"
            );
        }
        match self.create() {
            Ok(()) => {
                tracing::info!(%topic, partitions = self.kafka.partitions, "topic created");
                format!("the topic `{topic}` was just created")
            }
            Err(error) => {
                self.refused_until.set(Some(Instant::now() + CREATE_PAUSE));
                telemetry::warn_limited!("cannot create the topic `{topic}`: {error}");
                format!("the topic `{topic}` does not exist and cannot be created: {error}")
            }
        }
    }

    fn create(&self) -> Result<(), String> {
        let replication = TopicReplication::Fixed(self.kafka.replication);
        let topic = NewTopic::new(&self.kafka.topic, self.kafka.partitions, replication);
        let admin =
            AdminClient::from_config_and_context(&config::client(&self.kafka), AdminContext)
                .map_err(|error| error.to_string())?;
        let options = AdminOptions::new()
            .request_timeout(Some(CREATE_TIMEOUT))
            .operation_timeout(Some(CREATE_TIMEOUT));
        let results = self
            .runtime
            .block_on(admin.create_topics([&topic], &options))
            .map_err(|error| error.to_string())?;
        match results.into_iter().next() {
            Some(Err((_, code))) if code != RDKafkaErrorCode::TopicAlreadyExists => {
                Err(code.to_string())
            }
            _ => Ok(()),
        }
    }
}
