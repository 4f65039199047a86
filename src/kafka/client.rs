//! The librdkafka client behind the producer: its delivery reports, its log and its errors.

use std::mem::ManuallyDrop;
use std::ops::Deref;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use rdkafka::bindings::{RD_KAFKA_OFFSET_INVALID, rd_kafka_message_status};
use rdkafka::client::ClientContext;
use rdkafka::config::{ClientConfig, FromClientConfigAndContext, RDKafkaLogLevel};
use rdkafka::error::{KafkaError, KafkaResult, RDKafkaErrorCode};
use rdkafka::message::{BorrowedMessage, DeliveryResult, Message};
use rdkafka::producer::{BaseProducer, Producer as _, ProducerContext};
use rdkafka::types::RDKafkaConfRes;
use rdkafka::util::IntoOpaque as _;
use tokio::sync::Notify;
use tokio::task::coop::consume_budget;

use super::doubt::Doubt;
use super::events::Events;
use super::native::{self, Topic};
use super::outcome::{Failed, Outcome, Reason};
use super::record::{Record, identity};
use crate::cursor::Cursor;
use crate::telemetry;

/// The offset of a record that no broker has answered for. librdkafka concludes that it is stored,
/// because one with a later sequence number is (`rd_kafka_dr_implicit_ack`). That is wrong where
/// the broker has forgotten the sequence, as that of a topic which was deleted and made again.
const NO_ANSWER: i64 = RD_KAFKA_OFFSET_INVALID as i64;

/// One client of librdkafka, of which a producer may have several one after the other.
pub(super) struct Client<T: Send + Sync + 'static> {
    producer: ManuallyDrop<BaseProducer<Context<T>>>,
    /// The one that records go to, once there is a record.
    topic: ManuallyDrop<OnceLock<Topic>>,
    events: ManuallyDrop<Option<Events>>,
    stop: Arc<AtomicBool>,
}

pub(super) type OnReport<T> = dyn Fn(DeliveryReport<'_>, T) + Send + Sync;

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

/// What a client calls back, always by whoever serves it.
pub(super) struct Context<T> {
    on_report: Arc<OnReport<T>>,
    stop: Arc<AtomicBool>,
    doubt: Doubt,
}

/// Makes a client, which notifies `served` when it has something to tell. It connects by itself.
pub(super) fn create<T: Send + Sync + 'static>(
    config: &ClientConfig,
    on_report: &Arc<OnReport<T>>,
    stop: &Arc<AtomicBool>,
    served: &Arc<Notify>,
) -> KafkaResult<Client<T>> {
    let context =
        Context { on_report: Arc::clone(on_report), stop: Arc::clone(stop), doubt: Doubt::new() };
    let producer = BaseProducer::from_config_and_context(config, context)?;
    // SAFETY: the client is alive, and ends after its queue (see `drop`).
    let events = unsafe { Events::of(producer.client().native_ptr(), served) };
    Ok(Client {
        producer: ManuallyDrop::new(producer),
        topic: ManuallyDrop::default(),
        events: ManuallyDrop::new(events),
        stop: Arc::clone(stop),
    })
}

impl<T: Send + Sync + 'static> Client<T> {
    /// Queues a record. All records of a client go to the topic of its first.
    pub(super) fn send(
        &self,
        topic: &str,
        record: &Record<'_>,
        carried: Box<T>,
    ) -> Result<(), (RDKafkaErrorCode, Box<T>)> {
        let topic = match self.topic(topic) {
            Ok(topic) => topic,
            Err(code) => return Err((code, carried)),
        };
        let Some(headers) = record.headers() else {
            return Err((RDKafkaErrorCode::QueueFull, carried));
        };
        let (client, key) = (self.client().native_ptr(), record.source_id.as_bytes());
        let opaque = carried.into_ptr();
        // SAFETY: the client is alive, and the topic was made for it.
        unsafe { native::produce(client, topic, key, record.value, headers, opaque) }
            // SAFETY: it is the pointer from above, and librdkafka did not take it.
            .map_err(|code| (code, unsafe { Box::from_ptr(opaque) }))
    }

    /// Serves what it has to tell until there is nothing more, and lets others run in between.
    pub(super) async fn serve(&self) {
        while self.events.as_ref().is_some_and(|events| !events.is_empty()) {
            self.poll(Duration::ZERO);
            consume_budget().await;
        }
    }

    fn topic(&self, name: &str) -> Result<&Topic, RDKafkaErrorCode> {
        if let Some(topic) = self.topic.get() {
            return Ok(topic);
        }
        // SAFETY: the client is alive, and ends after its topic (see `drop`).
        let topic = unsafe { Topic::new(self.client().native_ptr(), name) }?;
        Ok(self.topic.get_or_init(|| topic))
    }
}

impl<T: Send + Sync + 'static> Deref for Client<T> {
    type Target = BaseProducer<Context<T>>;

    fn deref(&self) -> &Self::Target {
        &self.producer
    }
}

impl<T: Send + Sync + 'static> Drop for Client<T> {
    /// Ends it on a thread of its own. That may take long: it waits for the threads of all brokers,
    /// and these for the system's resolver. Whoever drops it has reports to serve, or requests.
    /// At the end of the service there is nothing else to do, and who drops it decides.
    fn drop(&mut self) {
        // SAFETY: it is dropped once, here, and nobody uses a value that is being dropped.
        unsafe { ManuallyDrop::drop(&mut self.topic) };
        // SAFETY: as above.
        unsafe { ManuallyDrop::drop(&mut self.events) };
        // SAFETY: as above.
        let producer = unsafe { ManuallyDrop::take(&mut self.producer) };
        if self.stop.load(Ordering::Acquire) {
            return drop(producer);
        }
        let thread = std::thread::Builder::new().name("kafka-retired".into());
        if let Err(error) = thread.spawn(move || drop(producer)) {
            telemetry::warn_limited!("no thread for the end of a Kafka producer: {error}");
        }
    }
}

/// Whether the client had an error after which it is of no further use. It is asked, because the
/// error event carries the error's cause and not that it was fatal.
pub(super) fn is_broken<T: Send + Sync + 'static>(client: &Client<T>) -> bool {
    client.client().fatal_error().is_some()
}

/// What is wrong with an option. librdkafka's own words may quote the value, which may be a secret.
pub(super) fn explain(error: &KafkaError) -> String {
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

impl<T: Send + Sync + 'static> ClientContext for Context<T> {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        self.doubt.hear(message);
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
            Ok(message) => (message, self.success(message)),
            Err((error, message)) => (message, self.failure(error, message)),
        };
        (self.on_report)(DeliveryReport { outcome, message }, *carried);
    }
}

impl<T> Context<T> {
    fn success(&self, message: &BorrowedMessage<'_>) -> Outcome {
        if message.offset() == NO_ANSWER {
            return Outcome::Unknown(Reason::TimedOut);
        }
        Outcome::Stored(self.cursor(message))
    }

    fn failure(&self, error: &KafkaError, message: &BorrowedMessage<'_>) -> Outcome {
        let failed = Failed {
            code: error.rdkafka_error_code().unwrap_or(RDKafkaErrorCode::Unknown),
            // SAFETY: the message is borrowed from the delivery event that is being served, so
            // the pointer is valid, and librdkafka only reads a field through it.
            persistence: unsafe { rd_kafka_message_status(message.ptr()) },
            is_doubted: self.doubt.of_outcome(message),
            is_stopping: self.stop.load(Ordering::Acquire),
        };
        failed.outcome()
    }

    fn cursor(&self, message: &BorrowedMessage<'_>) -> Option<Cursor> {
        if self.doubt.of_offset(message) {
            return None;
        }
        Cursor::new(message.partition(), message.offset())
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
    use std::sync::mpsc::{Sender, channel};

    use super::*;

    /// Tells on which thread it is dropped.
    struct Witness(Sender<Option<String>>);

    impl Drop for Witness {
        fn drop(&mut self) {
            let _ = self.0.send(std::thread::current().name().map(Into::into));
        }
    }

    fn ends_on(is_stopping: bool) -> Option<String> {
        let (tell, told) = channel();
        let witness = Witness(tell);
        let on_report: Arc<OnReport<()>> = Arc::new(move |_, ()| {
            let _ = &witness;
        });
        let stop = Arc::new(AtomicBool::new(is_stopping));
        let client = create(&ClientConfig::new(), &on_report, &stop, &Arc::default()).unwrap();
        drop(on_report);
        drop(client);
        told.recv_timeout(Duration::from_secs(30)).unwrap()
    }

    #[test]
    fn a_client_that_was_replaced_ends_on_a_thread_of_its_own() {
        assert_eq!(ends_on(false).as_deref(), Some("kafka-retired"));
    }

    #[test]
    fn the_last_client_ends_where_it_is_dropped_so_that_the_end_can_wait_for_it() {
        assert_eq!(ends_on(true).as_deref(), std::thread::current().name());
    }
}
