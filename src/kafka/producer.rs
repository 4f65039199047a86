//! The producer: submission without waiting, and the delivery report as the trigger of all else.

use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use rdkafka::error::{KafkaError, KafkaResult};
use rdkafka::metadata::Metadata;
use rdkafka::producer::Producer as _;
use tokio::task::JoinHandle;

use super::client::{self, DeliveryReport};
use super::clients::Clients;
use super::config;
use super::outcome::Outcome;
use super::record::Record;
use crate::settings;

/// How often it is looked whether everything is acknowledged, or the task has ended.
const FLUSH_CHECK: Duration = Duration::from_millis(5);

/// An idempotent producer on one topic. Each record carries a `T`, which comes back with its
/// delivery report, exactly once, from the producer's own task, in offset order per partition.
///
/// After a fatal error librdkafka's producer is of no further use; a new one takes its place.
pub struct Producer<T: Send + Sync + 'static> {
    clients: Arc<Clients<T>>,
    topic: String,
    task: Mutex<Option<JoinHandle<()>>>,
}

impl<T: Send + Sync + 'static> Producer<T> {
    /// Makes the producer and spawns the task that serves its reports, for which it has to be
    /// called on a runtime. It connects by itself, and keeps trying: a cluster that is not there
    /// is no error here.
    ///
    /// # Errors
    /// An option that librdkafka does not know or a value it does not take.
    pub fn new(
        kafka: &settings::Kafka,
        publisher: &settings::Publisher,
        on_report: impl Fn(DeliveryReport<'_>, T) + Send + Sync + 'static,
    ) -> Result<Self, String> {
        let config = config::producer(kafka, publisher);
        let clients = Clients::new(config, Box::new(on_report));
        let clients = Arc::new(clients.map_err(|error| client::explain(&error))?);
        let task = tokio::spawn({
            let clients = Arc::clone(&clients);
            async move { clients.serve_until_stopped().await }
        });
        Ok(Producer { clients, topic: kafka.topic.clone(), task: Mutex::new(Some(task)) })
    }

    /// Queues a record. Never waits and never blocks.
    ///
    /// # Errors
    /// The record was not queued: what that makes of it, and the `T` back.
    pub fn submit(&self, record: Record<'_>, carried: Box<T>) -> Result<(), (Outcome, Box<T>)> {
        self.clients.submit(&self.topic, record, carried)
    }

    /// Asks the cluster for the topic, over the connections that records take, too. Blocks.
    pub(super) fn metadata(&self, timeout: Duration) -> KafkaResult<Metadata> {
        let client = self.clients.current();
        if let Some((code, _)) = client.client().fatal_error() {
            return Err(KafkaError::MetadataFetch(code));
        }
        client.client().fetch_metadata(Some(&self.topic), timeout)
    }

    /// Whether the brokers are librdkafka's mock cluster. To be asked once the cluster has answered.
    pub(super) fn is_before_mock(&self) -> bool {
        let cluster = self.clients.current().client().fetch_cluster_id(Duration::ZERO);
        cluster.is_some_and(|id| id.starts_with("mockCluster"))
    }

    /// Sees to it that nothing is sent that is larger than what the topic takes
    /// (`max.message.bytes`): Kafka refuses a batch whole, however small its records are. Blocks
    /// while the client is replaced.
    pub(super) fn fit(&self, max_message: usize) {
        if let Some(sizes) = self.clients.fit(max_message) {
            tracing::info!(
                batch = sizes.batch,
                max_message,
                "the Kafka producer's batches are fitted to the topic's max.message.bytes"
            );
        }
    }

    /// Waits until every record has its report, and returns how many had none by the deadline.
    pub async fn flush(&self, deadline: Instant) -> usize {
        loop {
            let left = self.clients.in_flight();
            if left == 0 || Instant::now() >= deadline {
                return left;
            }
            tokio::time::sleep(FLUSH_CHECK).await;
        }
    }

    /// Ends the producer. What is still in flight is purged, which reports each record by its
    /// persistence status: flush first. Waits for the last reports until the deadline; what comes
    /// later is reported as long as the process lives.
    pub async fn stop(&self, deadline: Instant) {
        self.clients.stop();
        while !self.is_finished() {
            if Instant::now() >= deadline {
                tracing::warn!("the Kafka producer's task does not end; it is left behind");
                return;
            }
            tokio::time::sleep(FLUSH_CHECK).await;
        }
        let task = self.task.lock().take();
        if let Some(task) = task
            && task.await.is_err()
        {
            tracing::error!("the Kafka producer's task ended with a panic");
        }
    }

    fn is_finished(&self) -> bool {
        self.task.lock().as_ref().is_none_or(JoinHandle::is_finished)
    }
}

#[cfg(test)]
mod tests;
