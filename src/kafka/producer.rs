//! The producer: submission without waiting, and the delivery report as the trigger of all else.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use parking_lot::Mutex;
use rdkafka::bindings::rd_kafka_message_status;
use rdkafka::client::ClientContext;
use rdkafka::config::{ClientConfig, RDKafkaLogLevel};
use rdkafka::error::{KafkaError, KafkaResult, RDKafkaErrorCode};
use rdkafka::message::{BorrowedMessage, DeliveryResult, Message};
use rdkafka::metadata::Metadata;
use rdkafka::producer::{BaseProducer, Producer as _, ProducerContext, PurgeConfig};
use rdkafka::types::RDKafkaConfRes;

use super::config;
use super::outcome::Outcome;
use super::record::{Record, identity};
use crate::cursor::Cursor;
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

type OnReport<T> = dyn Fn(DeliveryReport<'_>, T) + Send + Sync;
type Client<T> = BaseProducer<Context<T>>;

/// What librdkafka reports of one record.
pub struct DeliveryReport<'a> {
    /// Whether the record is stored.
    pub outcome: Outcome,
    message: &'a BorrowedMessage<'a>,
}

impl DeliveryReport<'_> {
    /// The record's id, type, source type and source id, read from the record itself, so that
    /// nothing has to be kept for it while it is in flight.
    pub fn identity(&self) -> Option<[&str; 4]> {
        identity(self.message)
    }
}

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
    config: ClientConfig,
    topic: String,
    on_report: Arc<OnReport<T>>,
    in_flight: Arc<AtomicUsize>,
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
                in_flight.fetch_sub(1, Ordering::AcqRel);
            }
        });
        let stop = Arc::new(AtomicBool::new(false));
        let client = create(&config, &on_report, &stop).map_err(|error| explain(&error))?;
        let shared = Arc::new(Shared {
            client: ArcSwap::from_pointee(client),
            config,
            topic: kafka.topic.clone(),
            on_report,
            in_flight,
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
        let record = record.to_topic(&self.shared.topic, carried);
        self.shared.in_flight.fetch_add(1, Ordering::AcqRel);
        self.shared.client.load().send(record).map_err(|(error, record)| {
            self.shared.in_flight.fetch_sub(1, Ordering::AcqRel);
            let code = error.rdkafka_error_code().unwrap_or(RDKafkaErrorCode::Unknown);
            (Outcome::not_queued(code), record.delivery_opaque)
        })
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

fn create<T: Send + Sync + 'static>(
    config: &ClientConfig,
    on_report: &Arc<OnReport<T>>,
    stop: &Arc<AtomicBool>,
) -> KafkaResult<Client<T>> {
    let context = Context { on_report: Arc::clone(on_report), stop: Arc::clone(stop) };
    config.create_with_context(context)
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
            if is_due && is_broken(&client) {
                replaced = Some(Instant::now());
                if self.replace() {
                    retired.push(client);
                }
            }
        }
        retired.push(self.client.load_full());
        self.purge(&retired);
    }

    /// Puts a new client in the place of one that had a fatal error.
    fn replace(&self) -> bool {
        match create(&self.config, &self.on_report, &self.stop) {
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

/// Whether the client had an error after which it is of no further use. It is asked, because the
/// error event carries the error's cause and not that it was fatal.
fn is_broken<T: Send + Sync + 'static>(client: &Client<T>) -> bool {
    client.client().fatal_error().is_some()
}

/// What is wrong with an option. librdkafka's own words may quote the value, which may be a secret.
fn explain(error: &KafkaError) -> String {
    match error {
        KafkaError::ClientConfig(RDKafkaConfRes::RD_KAFKA_CONF_UNKNOWN, _, option, _) => {
            format!(
                "kafka.options: librdkafka knows no property {option}; see its CONFIGURATION.md"
            )
        }
        KafkaError::ClientConfig(_, _, option, _) => {
            format!("kafka.options: librdkafka does not take the value of {option}")
        }
        other => format!("cannot make the Kafka producer: {other}"),
    }
}

struct Context<T> {
    on_report: Arc<OnReport<T>>,
    stop: Arc<AtomicBool>,
}

impl<T: Send + Sync + 'static> ClientContext for Context<T> {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        log(level, facility, message);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        telemetry::warn_limited!("kafka: {error}: {reason}");
    }
}

impl<T: Send + Sync + 'static> ProducerContext for Context<T> {
    type DeliveryOpaque = Box<T>;

    fn delivery(&self, result: &DeliveryResult<'_>, carried: Box<T>) {
        let (message, outcome) = match result {
            Ok(message) => (message, Outcome::Stored(cursor(message))),
            Err((error, message)) => {
                (message, failure(error, message, self.stop.load(Ordering::Acquire)))
            }
        };
        (self.on_report)(DeliveryReport { outcome, message }, *carried);
    }
}

fn cursor(message: &BorrowedMessage<'_>) -> Option<Cursor> {
    Cursor::new(message.partition(), message.offset())
}

fn failure(error: &KafkaError, message: &BorrowedMessage<'_>, stopping: bool) -> Outcome {
    // SAFETY: the message is borrowed from the delivery event that is being served, so the
    // pointer is valid, and librdkafka only reads a field through it.
    let persistence = unsafe { rd_kafka_message_status(message.ptr()) };
    let code = error.rdkafka_error_code().unwrap_or(RDKafkaErrorCode::Unknown);
    match Outcome::of_failure(code, persistence, stopping) {
        Outcome::Stored(_) => Outcome::Stored(cursor(message)),
        other => other,
    }
}

/// librdkafka's own log, limited: a lost broker is told at every attempt to reach it.
pub(super) fn log(level: RDKafkaLogLevel, facility: &str, message: &str) {
    match level {
        RDKafkaLogLevel::Emerg
        | RDKafkaLogLevel::Alert
        | RDKafkaLogLevel::Critical
        | RDKafkaLogLevel::Error
        | RDKafkaLogLevel::Warning => telemetry::warn_limited!("librdkafka {facility}: {message}"),
        RDKafkaLogLevel::Notice | RDKafkaLogLevel::Info | RDKafkaLogLevel::Debug => {
            tracing::debug!("librdkafka {facility}: {message}");
        }
    }
}

#[cfg(test)]
mod tests {
    use std::ffi::CString;
    use std::sync::mpsc::channel;

    use rdkafka::bindings::{rd_kafka_resp_err_t, rd_kafka_test_fatal_error};

    use super::*;
    use crate::kafka::{MockKafka, TraceContext};
    use crate::settings::Settings;

    const RECORD: Record<'_> = Record {
        id: "1",
        kind: "t",
        source_type: "s",
        source_id: "i",
        value: b"{}",
        trace: TraceContext::NONE,
    };

    fn break_for_good(producer: &Producer<()>) {
        let client = producer.shared.client.load_full();
        let why = CString::new("on purpose").unwrap();
        let error = rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_OUT_OF_ORDER_SEQUENCE_NUMBER;
        // SAFETY: the client lives, and librdkafka copies the text.
        unsafe { rd_kafka_test_fatal_error(client.client().native_ptr(), error, why.as_ptr()) };
    }

    #[test]
    fn after_a_fatal_error_a_new_client_stores_again() {
        let kafka = MockKafka::start("t", 1).unwrap();
        let mut settings = Settings::load([]).unwrap();
        settings.kafka.brokers = kafka.brokers();
        settings.kafka.topic = "t".into();
        let (report, reports) = channel();
        let producer = Producer::new(&settings.kafka, &settings.publisher, move |outcome, ()| {
            let _ = report.send(outcome.outcome);
        })
        .unwrap();
        let store = || match producer.submit(RECORD, Box::new(())) {
            Ok(()) => reports.recv().unwrap(),
            Err((outcome, _)) => outcome,
        };
        assert!(matches!(store(), Outcome::Stored(Some(_))));

        break_for_good(&producer);
        let refused = store();
        let deadline = Instant::now() + Duration::from_secs(30);
        while !matches!(store(), Outcome::Stored(_)) {
            assert!(Instant::now() < deadline, "no new client took over");
            std::thread::yield_now();
        }

        assert!(matches!(refused, Outcome::NotStored(_)), "{refused:?}");
        producer.stop();
    }
}
