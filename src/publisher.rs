//! The publishing path: admit, submit, acknowledge, notify.

mod admission;
mod batch;
mod drain;
mod room;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use tokio::sync::watch;

pub use admission::{Admission, Permit};
pub use batch::Ticket;
pub use room::Full;

use crate::event::Event;
use crate::kafka::{
    Cluster, ClusterState, DeliveryReport, Heads, Outcome, Producer, Reason, Record, TraceContext,
};
use crate::metrics::{Counter, EventOutcome, Metrics, Word, seconds};
use crate::notifier::{Notification, Notifier};
use crate::settings;
use batch::Batch;

/// What a record costs in memory beyond its bytes while it is in flight: librdkafka's message,
/// key and headers, and our ticket.
const RECORD_OVERHEAD: usize = 512;

/// Writes events to Kafka, and has them announced once Kafka has acknowledged them.
pub struct DualPublisher {
    producer: Arc<Producer<Ticket>>,
    cluster: Cluster,
    answer_timeout: Duration,
    reported: Arc<AtomicU64>,
    heads: Arc<Heads>,
    metrics: Arc<Metrics>,
}

impl DualPublisher {
    /// Starts the producer, and watches the cluster through it.
    ///
    /// # Errors
    /// A setting that librdkafka does not take.
    pub fn start(
        settings: &settings::Settings,
        notifier: Arc<Notifier>,
        metrics: &Arc<Metrics>,
    ) -> Result<Self, String> {
        show_at_zero(metrics);
        let reported = Arc::new(AtomicU64::new(0));
        let heads = Arc::new(Heads::default());
        let acknowledger = Acknowledger {
            notifier,
            heads: Arc::clone(&heads),
            reported: Arc::clone(&reported),
            stored: metrics.events.get_or_create(&labels(Outcome::Stored(None))).clone(),
            metrics: Arc::clone(metrics),
        };
        let producer =
            Producer::new(&settings.kafka, &settings.publisher, move |report, ticket| {
                acknowledger.acknowledge(&report, &ticket);
            })?;
        let producer = Arc::new(producer);
        let cluster = Cluster::watch(settings, Arc::clone(&producer))?;
        Ok(DualPublisher {
            producer,
            cluster,
            answer_timeout: answer_timeout(settings),
            reported,
            heads,
            metrics: Arc::clone(metrics),
        })
    }

    /// Writes the events and returns what became of each, in their order.
    ///
    /// All of them are queued in one go, so that a caller who goes away while waiting for the
    /// answer stops nothing: what was queued is still written, acknowledged and announced.
    pub async fn publish(
        &self,
        events: &[Event<'_>],
        trace: TraceContext<'_>,
        mut permit: Permit,
    ) -> Vec<Outcome> {
        let deadline = Instant::now() + self.answer_timeout;
        // Who is told so at once can retry at once, and nothing is left to be unknown.
        if !self.cluster.state().borrow().takes_writes() {
            return self.refuse(events, Reason::KafkaUnavailable);
        }
        permit.charge(events.len() * RECORD_OVERHEAD);
        let batch = self.submit(events, trace, permit);
        batch.outcomes(deadline).await
    }

    fn submit(&self, events: &[Event<'_>], trace: TraceContext<'_>, permit: Permit) -> Arc<Batch> {
        let batch = Batch::new(events.len(), permit);
        for (index, event) in events.iter().enumerate() {
            let ticket = Box::new(Ticket::new(&batch, index));
            if let Err((outcome, ticket)) = self.producer.submit(record(event, trace), ticket) {
                count(&self.metrics, outcome);
                ticket.settle(outcome);
            }
        }
        batch
    }

    fn refuse(&self, events: &[Event<'_>], reason: Reason) -> Vec<Outcome> {
        let outcome = Outcome::NotStored(reason);
        events.iter().for_each(|_| count(&self.metrics, outcome));
        vec![outcome; events.len()]
    }

    /// What is known of the cluster, and every change of it.
    pub fn cluster(&self) -> &watch::Receiver<ClusterState> {
        self.cluster.state()
    }

    /// How far the log is known to have come.
    pub fn heads(&self) -> &Arc<Heads> {
        &self.heads
    }

    /// Asks for the cluster's state no more.
    pub fn stop_watching(&self) {
        self.cluster.stop();
    }

    /// How many records have had their report since the start.
    pub fn reported(&self) -> u64 {
        self.reported.load(Ordering::Relaxed)
    }

    /// Waits until Kafka has answered for every record, and returns how many it had not
    /// answered for by the deadline.
    pub async fn flush(&self, deadline: Instant) -> usize {
        self.producer.flush(deadline).await
    }

    /// Ends the producer: what is still in flight is reported as what it is, until the deadline.
    pub async fn stop(&self, deadline: Instant) {
        self.producer.stop(deadline).await;
    }
}

/// How long a request waits for Kafka. Its time runs from the complete body on, and when its events
/// are submitted it may have waited for room for all of the admission timeout.
fn answer_timeout(settings: &settings::Settings) -> Duration {
    settings.http.request_timeout.saturating_sub(settings.publisher.admission_timeout)
}

fn record<'a>(event: &'a Event<'_>, trace: TraceContext<'a>) -> Record<'a> {
    Record {
        id: event.id(),
        kind: event.kind(),
        source_type: event.source_type(),
        source_id: event.source_id(),
        value: event.json(),
        trace,
    }
}

/// What happens at a delivery report, on the producer's thread: it must not wait.
struct Acknowledger {
    notifier: Arc<Notifier>,
    heads: Arc<Heads>,
    reported: Arc<AtomicU64>,
    /// Of the events' counters the one that nearly all records take, which is found once.
    stored: Counter,
    metrics: Arc<Metrics>,
}

impl Acknowledger {
    fn acknowledge(&self, report: &DeliveryReport<'_>, ticket: &Ticket) {
        match report.outcome {
            Outcome::Stored(_) => {
                self.stored.inc();
            }
            outcome => count(&self.metrics, outcome),
        }
        if let Outcome::Stored(Some(cursor)) = report.outcome {
            self.heads.saw(cursor);
        }
        self.metrics.produce_duration.observe(seconds(ticket.age()));
        if let Outcome::Stored(cursor) = report.outcome
            && let Some([id, kind, source_type, source_id]) = report.identity()
        {
            self.notifier.notify(&Notification { id, kind, source_type, source_id, cursor });
        }
        self.reported.fetch_add(1, Ordering::Relaxed);
        ticket.settle(report.outcome);
    }
}

fn count(metrics: &Metrics, outcome: Outcome) {
    metrics.events.get_or_create(&labels(outcome)).inc();
}

/// Makes every outcome visible before it happens first: a counter that appears at one is a
/// change that no rate shows.
fn show_at_zero(metrics: &Metrics) {
    let failures = Reason::ALL
        .into_iter()
        .flat_map(|reason| [Outcome::NotStored(reason), Outcome::Unknown(reason)]);
    for outcome in failures.chain([Outcome::Stored(None)]) {
        drop(metrics.events.get_or_create(&labels(outcome)));
    }
}

fn labels(outcome: Outcome) -> EventOutcome {
    let (outcome, reason) = match outcome {
        Outcome::Stored(_) => ("stored", "none"),
        Outcome::NotStored(reason) => ("not_stored", reason.as_str()),
        Outcome::Unknown(reason) => ("unknown", reason.as_str()),
    };
    EventOutcome { outcome: Word(outcome), reason: Word(reason) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn with_the_wait_for_room_a_request_takes_no_longer_than_it_may() {
        let settings = settings::Settings::load([
            ("DUAL_STREAM__HTTP__REQUEST_TIMEOUT".to_owned(), "16s".to_owned()),
            ("DUAL_STREAM__PUBLISHER__ADMISSION_TIMEOUT".to_owned(), "3s".to_owned()),
            ("DUAL_STREAM__SHUTDOWN__GRACE".to_owned(), "1m".to_owned()),
        ])
        .unwrap();
        assert_eq!(answer_timeout(&settings), Duration::from_secs(13));
    }
}
