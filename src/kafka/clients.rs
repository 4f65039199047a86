//! The clients behind the producer, one after the other, and the task that serves them.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use parking_lot::Mutex;
use rdkafka::config::ClientConfig;
use rdkafka::error::KafkaResult;
use rdkafka::producer::{Producer as _, PurgeConfig};
use tokio::sync::Notify;
use tokio::time::{interval, sleep, timeout};

use super::client::{self, Client, OnReport};
use super::config::{self, Sizes};
use super::outcome::{Outcome, Reason};
use super::record::Record;
use crate::telemetry;

/// How often it is looked whether the client is broken, when it has nothing to tell.
const LOOK: Duration = Duration::from_millis(100);
/// How often a broken client is served while it is being emptied.
const EMPTYING: Duration = Duration::from_millis(5);
/// How soon a client is replaced again: what is fatal may stay so, as missing rights do.
const REPLACE_PAUSE: Duration = Duration::from_secs(5);
/// How long purged records may take to be reported at the end.
const LAST_REPORTS: Duration = Duration::from_secs(1);
/// How long records are refused at the most until those in flight are answered and the client can
/// be replaced, and how often it is looked.
const DRAIN: Duration = Duration::from_millis(200);
const DRAIN_CHECK: Duration = Duration::from_millis(5);
/// How soon that is tried again. One record of a partition without a leader is in flight for as
/// long as it may be, and then there may be the next: it must not cost the others their answers.
const FIT_PAUSE: Duration = Duration::from_secs(60);

/// The client that takes records now, and what its successors are made from.
pub(super) struct Clients<T: Send + Sync + 'static> {
    current: ArcSwap<Client<T>>,
    /// What the settings ask for.
    asked: ClientConfig,
    /// The same, fitted to the topic. Locked while the client is replaced.
    fitted: Mutex<Fitted>,
    on_report: Arc<OnReport<T>>,
    in_flight: Arc<AtomicUsize>,
    /// No record is taken while a client is emptied to be replaced.
    is_draining: AtomicBool,
    stop: Arc<AtomicBool>,
    /// Notified when a client has something to tell, and at the end.
    served: Arc<Notify>,
}

struct Fitted {
    config: ClientConfig,
    /// When records in flight last kept it from being fitted anew.
    failed: Option<Instant>,
}

impl<T: Send + Sync + 'static> Clients<T> {
    /// Makes the first one.
    pub(super) fn new(config: ClientConfig, on_report: Box<OnReport<T>>) -> KafkaResult<Self> {
        let in_flight = Arc::new(AtomicUsize::new(0));
        let on_report: Arc<OnReport<T>> = Arc::new({
            let in_flight = Arc::clone(&in_flight);
            move |report: client::DeliveryReport<'_>, carried| {
                on_report(report, carried);
                in_flight.fetch_sub(1, Ordering::SeqCst);
            }
        });
        let (stop, served) = (Arc::new(AtomicBool::new(false)), Arc::default());
        Ok(Clients {
            current: ArcSwap::from_pointee(client::create(&config, &on_report, &stop, &served)?),
            fitted: Mutex::new(Fitted { config: config.clone(), failed: None }),
            asked: config,
            on_report,
            in_flight,
            is_draining: AtomicBool::new(false),
            stop,
            served,
        })
    }

    /// The one that takes records now.
    pub(super) fn current(&self) -> Arc<Client<T>> {
        self.current.load_full()
    }

    /// How many records have no report yet.
    pub(super) fn in_flight(&self) -> usize {
        self.in_flight.load(Ordering::SeqCst)
    }

    /// Queues a record.
    pub(super) fn submit(
        &self,
        topic: &str,
        record: Record<'_>,
        carried: Box<T>,
    ) -> Result<(), (Outcome, Box<T>)> {
        // Counted first: whoever drains sees either the record or that it was refused.
        self.in_flight.fetch_add(1, Ordering::SeqCst);
        self.queue(topic, record, carried).inspect_err(|_| {
            self.in_flight.fetch_sub(1, Ordering::SeqCst);
        })
    }

    fn queue(
        &self,
        topic: &str,
        record: Record<'_>,
        carried: Box<T>,
    ) -> Result<(), (Outcome, Box<T>)> {
        if self.is_draining.load(Ordering::SeqCst) {
            return Err((Outcome::NotStored(Reason::KafkaUnavailable), carried));
        }
        let sent = self.current.load().send(topic, &record, carried);
        sent.map_err(|(code, carried)| (Outcome::not_queued(code), carried))
    }

    /// Ends the task.
    pub(super) fn stop(&self) {
        self.stop.store(true, Ordering::Release);
        self.served.notify_one();
    }

    /// The task: delivery reports, and successors for clients that are broken.
    ///
    /// A task of the runtime that serves the requests, not a thread: what librdkafka has to tell
    /// wakes one of the runtime's threads, on which the requests that it answers go on at once.
    pub(super) async fn serve_until_stopped(&self) {
        // Clients that had a fatal error and still hold records to report.
        let mut retired: Vec<Arc<Client<T>>> = Vec::new();
        let mut replaced = None;
        let mut look = interval(LOOK);
        while !self.stop.load(Ordering::Acquire) {
            let client = self.current();
            tokio::select! {
                () = self.served.notified() => {}
                _ = look.tick() => {}
                () = sleep(EMPTYING), if !retired.is_empty() => {}
            }
            client.serve().await;
            for client in &retired {
                client.serve().await;
            }
            retired.retain(|client| client.in_flight_count() > 0);
            let is_due = replaced.is_none_or(|last: Instant| last.elapsed() >= REPLACE_PAUSE);
            if is_due
                && client::is_broken(&client)
                && let Some(is_replaced) = self.replace(&client)
            {
                replaced = Some(Instant::now());
                if is_replaced {
                    retired.push(client);
                }
            }
        }
        retired.push(self.current());
        self.purge(&retired).await;
    }

    /// Puts a new client in the place of one that had a fatal error, and says whether that worked.
    /// None when it was not tried: it is being replaced already.
    fn replace(&self, broken: &Arc<Client<T>>) -> Option<bool> {
        // Whoever holds the lock waits for reports, which this task serves.
        let fitted = self.fitted.try_lock()?;
        if !Arc::ptr_eq(broken, &self.current.load()) {
            return None;
        }
        let is_replaced = self.succeed(&fitted.config);
        if is_replaced {
            telemetry::warn_limited!("the Kafka producer had a fatal error; a new one is made");
        }
        Some(is_replaced)
    }

    /// Puts a client for other sizes in the place of this one, where the topic's
    /// `max.message.bytes` asks for it; returns them. Only when nothing is in flight: two
    /// clients at once would not keep the order of a partition.
    pub(super) fn fit(&self, max_message: usize) -> Option<Sizes> {
        let config = config::fitted(&self.asked, max_message);
        let sizes = Sizes::of(&config);
        let mut fitted = self.fitted.lock();
        let is_too_soon = fitted.failed.is_some_and(|last| last.elapsed() < FIT_PAUSE);
        if is_too_soon || Sizes::of(&fitted.config) == sizes {
            return None;
        }
        self.is_draining.store(true, Ordering::SeqCst);
        let is_replaced = self.is_drained() && self.succeed(&config);
        self.is_draining.store(false, Ordering::SeqCst);
        if !is_replaced {
            fitted.failed = Some(Instant::now());
            return None;
        }
        *fitted = Fitted { config, failed: None };
        Some(sizes)
    }

    /// Keeps the client from being replaced.
    #[cfg(test)]
    pub(super) fn hold(&self) -> impl Drop + '_ {
        self.fitted.lock()
    }

    fn is_drained(&self) -> bool {
        let deadline = Instant::now() + DRAIN;
        while self.in_flight() > 0 {
            if Instant::now() >= deadline || self.stop.load(Ordering::Acquire) {
                return false;
            }
            std::thread::sleep(DRAIN_CHECK);
        }
        true
    }

    fn succeed(&self, config: &ClientConfig) -> bool {
        match client::create(config, &self.on_report, &self.stop, &self.served) {
            Ok(client) => {
                self.current.store(Arc::new(client));
                true
            }
            Err(error) => {
                telemetry::warn_limited!("cannot make a new Kafka producer, trying again: {error}");
                false
            }
        }
    }

    async fn purge(&self, clients: &[Arc<Client<T>>]) {
        let deadline = Instant::now() + LAST_REPORTS;
        for client in clients {
            if client.in_flight_count() > 0 {
                // Else it waits without a limit for the threads of all brokers, of which one may
                // wait for the system's resolver.
                client.purge(PurgeConfig::default().queue().inflight().non_blocking());
            }
            while client.in_flight_count() > 0 && Instant::now() < deadline {
                let _ = timeout(EMPTYING, self.served.notified()).await;
                client.serve().await;
            }
        }
    }
}
