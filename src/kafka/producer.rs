//! The producer: submission without waiting, and the delivery report as the trigger of all else.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use parking_lot::Mutex;
use rdkafka::config::ClientConfig;
use rdkafka::error::{KafkaError, KafkaResult, RDKafkaErrorCode};
use rdkafka::metadata::Metadata;
use rdkafka::producer::{Producer as _, PurgeConfig};

use super::client::{self, Client, DeliveryReport, OnReport};
use super::config;
use super::outcome::{Outcome, Reason};
use super::record::Record;
use crate::settings;
use crate::telemetry;

/// How long the polling thread sleeps at the most before it looks whether it should stop.
const POLL: Duration = Duration::from_millis(100);
/// The same while a broken client is being emptied beside the new one.
const POLL_WHILE_REPLACING: Duration = Duration::from_millis(5);
/// How soon a client is replaced again: what is fatal may stay so, as missing rights do.
const REPLACE_PAUSE: Duration = Duration::from_secs(5);
/// How long purged records may take to be reported at the end.
const LAST_REPORTS: Duration = Duration::from_secs(1);
/// How often a flush looks whether everything is acknowledged.
const FLUSH_CHECK: Duration = Duration::from_millis(5);
/// How long records are refused at the most until those in flight are answered and the client can
/// be replaced.
const DRAIN: Duration = Duration::from_secs(2);

/// An idempotent producer on one topic. Each record carries a `T`, which comes back with its
/// delivery report, exactly once, on the producer's own thread, in offset order per partition.
///
/// After a fatal error librdkafka's producer is of no further use; a new one takes its place.
pub struct Producer<T: Send + Sync + 'static> {
    shared: Arc<Shared<T>>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

struct Shared<T: Send + Sync + 'static> {
    client: ArcSwap<Client<T>>,
    /// Locked while the client is replaced.
    config: Mutex<ClientConfig>,
    /// The batch that the settings ask for.
    largest_batch: usize,
    topic: String,
    on_report: Arc<OnReport<T>>,
    in_flight: Arc<AtomicUsize>,
    /// No record is taken while a client is emptied to be replaced.
    is_draining: AtomicBool,
    stop: Arc<AtomicBool>,
}

impl<T: Send + Sync + 'static> Producer<T> {
    /// Makes the producer and starts the thread that polls it. It connects by itself, and keeps
    /// trying: a cluster that is not there is no error here.
    ///
    /// # Errors
    /// An option that librdkafka does not know or a value it does not take.
    pub fn new(
        kafka: &settings::Kafka,
        publisher: &settings::Publisher,
        on_report: impl Fn(DeliveryReport<'_>, T) + Send + Sync + 'static,
    ) -> Result<Self, String> {
        let config = config::producer(kafka, publisher);
        let in_flight = Arc::new(AtomicUsize::new(0));
        let on_report: Arc<OnReport<T>> = Arc::new({
            let in_flight = Arc::clone(&in_flight);
            move |report: DeliveryReport<'_>, carried| {
                on_report(report, carried);
                in_flight.fetch_sub(1, Ordering::SeqCst);
            }
        });
        let stop = Arc::new(AtomicBool::new(false));
        let client =
            client::create(&config, &on_report, &stop).map_err(|error| client::explain(&error))?;
        let shared = Arc::new(Shared {
            client: ArcSwap::from_pointee(client),
            largest_batch: config::batch_size(&config),
            config: Mutex::new(config),
            topic: kafka.topic.clone(),
            on_report,
            in_flight,
            is_draining: AtomicBool::new(false),
            stop,
        });
        let thread = std::thread::Builder::new()
            .name("kafka-producer".into())
            .spawn({
                let shared = Arc::clone(&shared);
                move || shared.poll_until_stopped()
            })
            .map_err(|error| format!("cannot start the producer's thread: {error}"))?;
        Ok(Producer { shared, thread: Mutex::new(Some(thread)) })
    }

    /// Queues a record. Never waits and never blocks.
    ///
    /// # Errors
    /// The record was not queued: what that makes of it, and the `T` back.
    pub fn submit(&self, record: Record<'_>, carried: Box<T>) -> Result<(), (Outcome, Box<T>)> {
        let shared = &self.shared;
        // Counted first: whoever drains sees either the record or that it was refused.
        shared.in_flight.fetch_add(1, Ordering::SeqCst);
        if shared.is_draining.load(Ordering::SeqCst) {
            shared.in_flight.fetch_sub(1, Ordering::SeqCst);
            return Err((Outcome::NotStored(Reason::KafkaUnavailable), carried));
        }
        let record = record.to_topic(&shared.topic, carried);
        shared.client.load().send(record).map_err(|(error, record)| {
            shared.in_flight.fetch_sub(1, Ordering::SeqCst);
            let code = error.rdkafka_error_code().unwrap_or(RDKafkaErrorCode::Unknown);
            (Outcome::not_queued(code), record.delivery_opaque)
        })
    }

    /// Whether the brokers are librdkafka's mock cluster. To be asked once the cluster has answered.
    pub(super) fn is_before_mock(&self) -> bool {
        let client = self.shared.client.load_full();
        let cluster = client.client().fetch_cluster_id(Duration::ZERO);
        cluster.is_some_and(|id| id.starts_with("mockCluster"))
    }

    /// Sees to it that no batch is larger than what the topic takes (`max.message.bytes`): Kafka
    /// refuses a batch whole, however small its records are. Blocks while the client is replaced.
    pub(super) fn fit_batches(&self, max_message: usize) {
        let batch = config::batch_within(max_message).min(self.shared.largest_batch);
        if self.shared.batch_with(batch) {
            tracing::info!(
                batch,
                max_message,
                "the Kafka producer's batches are fitted to the topic's max.message.bytes"
            );
        }
    }

    /// Asks the cluster for the topic, over the connections that records take, too. Blocks.
    pub(super) fn metadata(&self, timeout: Duration) -> KafkaResult<Metadata> {
        let client = self.shared.client.load_full();
        if let Some((code, _)) = client.client().fatal_error() {
            return Err(KafkaError::MetadataFetch(code));
        }
        client.client().fetch_metadata(Some(&self.shared.topic), timeout)
    }

    /// Waits until every record has its report, and returns how many had none by the deadline.
    pub async fn flush(&self, deadline: Instant) -> usize {
        loop {
            let left = self.shared.in_flight.load(Ordering::Acquire);
            if left == 0 || Instant::now() >= deadline {
                return left;
            }
            tokio::time::sleep(FLUSH_CHECK).await;
        }
    }

    /// Ends the producer. What is still in flight is purged, which reports each record by its
    /// persistence status: flush first.
    pub fn stop(&self) {
        self.shared.stop.store(true, Ordering::Release);
        if let Some(thread) = self.thread.lock().take()
            && thread.join().is_err()
        {
            tracing::error!("the Kafka producer's thread ended with a panic");
        }
    }
}

impl<T: Send + Sync + 'static> Shared<T> {
    fn poll_until_stopped(&self) {
        // Clients that had a fatal error and still hold records to report.
        let mut retired: Vec<Arc<Client<T>>> = Vec::new();
        let mut replaced = None;
        while !self.stop.load(Ordering::Acquire) {
            let client = self.client.load_full();
            client.poll(if retired.is_empty() { POLL } else { POLL_WHILE_REPLACING });
            retired.retain(|client| {
                client.poll(Duration::ZERO);
                client.in_flight_count() > 0
            });
            let is_due = replaced.is_none_or(|last: Instant| last.elapsed() >= REPLACE_PAUSE);
            if is_due && client::is_broken(&client) {
                replaced = Some(Instant::now());
                if self.replace(&client) {
                    retired.push(client);
                }
            }
        }
        retired.push(self.client.load_full());
        self.purge(&retired);
    }

    /// Puts a new client in the place of one that had a fatal error.
    fn replace(&self, broken: &Arc<Client<T>>) -> bool {
        let config = self.config.lock();
        if !Arc::ptr_eq(broken, &self.client.load()) {
            return true;
        }
        match client::create(&config, &self.on_report, &self.stop) {
            Ok(client) => {
                self.client.store(Arc::new(client));
                telemetry::warn_limited!("the Kafka producer had a fatal error; a new one is made");
                true
            }
            Err(error) => {
                telemetry::warn_limited!("cannot make a new Kafka producer, trying again: {error}");
                false
            }
        }
    }

    /// Puts a client with batches of that size in the place of this one, if it has another. Only
    /// when nothing is in flight: two clients at once would not keep the order of a partition.
    fn batch_with(&self, batch: usize) -> bool {
        let mut config = self.config.lock();
        if config::batch_size(&config) == batch {
            return false;
        }
        self.is_draining.store(true, Ordering::SeqCst);
        let is_replaced = self.is_drained() && {
            let mut fitted = config.clone();
            config::set_batch_size(&mut fitted, batch);
            self.start_anew_with(&fitted, &mut config)
        };
        self.is_draining.store(false, Ordering::SeqCst);
        is_replaced
    }

    fn is_drained(&self) -> bool {
        let deadline = Instant::now() + DRAIN;
        while self.in_flight.load(Ordering::SeqCst) > 0 {
            if Instant::now() >= deadline || self.stop.load(Ordering::Acquire) {
                return false;
            }
            std::thread::sleep(FLUSH_CHECK);
        }
        true
    }

    fn start_anew_with(&self, fitted: &ClientConfig, config: &mut ClientConfig) -> bool {
        match client::create(fitted, &self.on_report, &self.stop) {
            Ok(client) => {
                self.client.store(Arc::new(client));
                *config = fitted.clone();
                true
            }
            Err(error) => {
                telemetry::warn_limited!("cannot make a new Kafka producer, trying again: {error}");
                false
            }
        }
    }

    fn purge(&self, clients: &[Arc<Client<T>>]) {
        let deadline = Instant::now() + LAST_REPORTS;
        for client in clients {
            if client.in_flight_count() > 0 {
                client.purge(PurgeConfig::default().queue().inflight());
            }
            while client.in_flight_count() > 0 && Instant::now() < deadline {
                client.poll(POLL_WHILE_REPLACING);
            }
        }
    }
}

#[cfg(test)]
mod tests;
