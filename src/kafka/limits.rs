//! What the topic's own settings allow: asked for beside everything else, and nothing depends on
//! an answer. It takes the right to describe the topic's settings, and a broker that knows how.

use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use parking_lot::Mutex;
use rdkafka::admin::{AdminClient, AdminOptions, ConfigResource, ResourceSpecifier};
use rdkafka::config::FromClientConfigAndContext;
use tokio::runtime::Handle;
use tokio::sync::{Notify, watch};
use tokio::time::{sleep, timeout};

use super::admin::AdminContext;
use super::config;
use crate::settings::{self, Settings};

/// How long an answer may take.
const TIMEOUT: Duration = Duration::from_secs(5);
/// How old what is known may be.
const INTERVAL: Duration = Duration::from_secs(60);

/// Settings of the topic that bound what can be written to it; none where it is not known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Limits {
    /// `min.insync.replicas`: how many replicas a write needs.
    pub(super) min_isr: Option<usize>,
    /// `max.message.bytes`: how large a batch of records may be.
    pub(super) max_message: Option<usize>,
}

/// Asks for the limits on a thread of its own, until it is dropped.
pub(super) struct LimitsWatch {
    /// None before the first answer, or its absence.
    limits: watch::Receiver<Option<Limits>>,
    ask: Arc<Notify>,
    stop: watch::Sender<bool>,
    runtime: Handle,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl LimitsWatch {
    /// Starts the thread. It asks for the first time when it is told to.
    ///
    /// # Errors
    /// The thread cannot be started.
    pub(super) fn start(settings: &Settings, runtime: &Handle) -> Result<Self, String> {
        let (found, limits) = watch::channel(None);
        let (stop, stopped) = watch::channel(false);
        let ask = Arc::new(Notify::new());
        let questions = Questions {
            kafka: settings.kafka.clone(),
            max_event: settings.publisher.max_event,
            found,
            ask: Arc::clone(&ask),
            stopped,
        };
        let handle = runtime.clone();
        let thread = std::thread::Builder::new()
            .name("kafka-limits".into())
            .spawn(move || handle.block_on(questions.ask_until_stopped()))
            .map_err(|error| format!("cannot start the thread of the topic's limits: {error}"))?;
        let thread = Mutex::new(Some(thread));
        Ok(LimitsWatch { limits, ask, stop, runtime: runtime.clone(), thread })
    }

    /// Has them asked for now, without waiting for the answer.
    pub(super) fn ask(&self) {
        self.ask.notify_one();
    }

    /// What is known.
    pub(super) fn known(&self) -> Limits {
        self.limits.borrow().unwrap_or_default()
    }

    /// Waits until the first answer is there, or is known not to come. Blocks.
    pub(super) fn wait(&self, limit: Duration) {
        let mut limits = self.limits.clone();
        let mut stopped = self.stop.subscribe();
        self.runtime.block_on(async {
            tokio::select! {
                _ = timeout(limit, limits.wait_for(Option::is_some)) => {}
                _ = stopped.wait_for(|stopped| *stopped) => {}
            }
        });
    }

    /// Asks no more.
    pub(super) fn stop(&self) {
        self.stop.send_replace(true);
    }
}

impl Drop for LimitsWatch {
    fn drop(&mut self) {
        self.stop();
        if let Some(thread) = self.thread.lock().take()
            && thread.join().is_err()
        {
            tracing::error!("the thread of the topic's limits ended with a panic");
        }
    }
}

/// The thread's part.
struct Questions {
    kafka: settings::Kafka,
    max_event: usize,
    found: watch::Sender<Option<Limits>>,
    ask: Arc<Notify>,
    stopped: watch::Receiver<bool>,
}

impl Questions {
    async fn ask_until_stopped(&self) {
        let mut stopped = self.stopped.clone();
        tokio::select! {
            _ = stopped.wait_for(|stopped| *stopped) => {}
            () = self.ask_forever() => {}
        }
    }

    async fn ask_forever(&self) {
        loop {
            tokio::select! {
                () = self.ask.notified() => {}
                () = sleep(INTERVAL) => {}
            }
            let limits = match self.ask_once().await {
                Ok(limits) => limits,
                Err(why) => self.unknown(&why),
            };
            let before = self.found.send_replace(Some(limits));
            if before != Some(limits) {
                self.warn_of_events_too_large(limits);
            }
        }
    }

    fn warn_of_events_too_large(&self, limits: Limits) {
        let max_event = self.max_event;
        if let Some(max_message) = limits.max_message.filter(|max| *max < max_event) {
            tracing::warn!(
                max_event,
                max_message,
                "publisher.max_event is more than the topic's max.message.bytes: events between \
                 the two are refused as larger than Kafka takes"
            );
        }
    }

    async fn ask_once(&self) -> Result<Limits, String> {
        let admin =
            AdminClient::from_config_and_context(&config::client(&self.kafka), AdminContext)
                .map_err(|error| error.to_string())?;
        let options = AdminOptions::new().request_timeout(Some(TIMEOUT));
        let topic = [ResourceSpecifier::Topic(&self.kafka.topic)];
        // A cluster that does not know the question may never answer it.
        let answer = timeout(TIMEOUT, admin.describe_configs(&topic, &options))
            .await
            .map_err(|_| "no answer in time".to_owned())?
            .map_err(|error| error.to_string())?;
        match answer.into_iter().next() {
            Some(Ok(settings)) => Ok(Limits::of(&settings)),
            Some(Err(code)) => Err(code.to_string()),
            None => Err("an empty answer".to_owned()),
        }
    }

    /// What was known stays so. Said once: it changes no answer.
    fn unknown(&self, why: &str) -> Limits {
        let known = *self.found.borrow();
        if known.is_none() {
            tracing::info!("min.insync.replicas and max.message.bytes are not known: {why}");
        }
        known.unwrap_or_default()
    }
}

impl Limits {
    fn of(settings: &ConfigResource) -> Self {
        let number = |name: &str| settings.get(name)?.value.as_ref()?.parse().ok();
        Limits { min_isr: number("min.insync.replicas"), max_message: number("max.message.bytes") }
    }
}
