//! What is known of the cluster and the topic: asked for regularly, told to `/readyz`.

use std::cell::{Cell, OnceCell};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::Duration;

use parking_lot::Mutex;
use rdkafka::bindings::rd_kafka_resp_err_t as RespErr;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::metadata::MetadataTopic;
use tokio::runtime::Handle;
use tokio::sync::watch;

use super::config::PROBE_TIMEOUT;
use super::limits::LimitsWatch;
use super::producer::Producer;
use super::state::{ClusterState, Partitions};
use super::topic::MissingTopic;
use crate::settings::{self, Settings};
use crate::telemetry;

/// How soon it is asked again while the topic cannot be written to: posts are refused meanwhile.
const PAUSE_WITHOUT_KAFKA: Duration = Duration::from_millis(100);
/// How long the first *up* waits for the topic's limits, so that the client which takes the first
/// record is the right one.
const WAIT_FOR_LIMITS: Duration = Duration::from_secs(1);

/// Watches the cluster on threads of its own until it is dropped.
pub struct Cluster {
    state: watch::Receiver<ClusterState>,
    limits: Arc<LimitsWatch>,
    stop: Mutex<Option<Sender<()>>>,
    thread: Option<JoinHandle<()>>,
}

impl Cluster {
    /// Starts to watch, and makes the topic when it is missing and the settings say so.
    ///
    /// # Errors
    /// A thread cannot be started.
    pub fn watch<T: Send + Sync + 'static>(
        settings: &Settings,
        producer: Arc<Producer<T>>,
    ) -> Result<Self, String> {
        let kafka = &settings.kafka;
        let detail = format!("connecting to {}", kafka.brokers);
        let (state, receiver) = watch::channel(ClusterState::Starting { detail });
        let (stop, stopped) = channel();
        let runtime = Handle::current();
        let limits = Arc::new(LimitsWatch::start(settings, &runtime)?);
        let probe = Probe {
            producer,
            kafka: kafka.clone(),
            limits: Arc::clone(&limits),
            missing: MissingTopic::new(kafka.clone(), runtime),
            in_sync: Cell::new(0),
            is_mock: OnceCell::new(),
        };
        let thread = std::thread::Builder::new()
            .name("kafka-cluster".into())
            .spawn(move || probe.run(&state, &stopped))
            .map_err(|error| format!("cannot start the cluster's thread: {error}"))?;
        Ok(Cluster { state: receiver, limits, stop: Mutex::new(Some(stop)), thread: Some(thread) })
    }

    /// The state, and every change of it.
    pub fn state(&self) -> &watch::Receiver<ClusterState> {
        &self.state
    }

    /// Asks no more; the last state stays. The threads end after the question under way.
    pub fn stop(&self) {
        self.stop.lock().take();
        self.limits.stop();
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        self.stop();
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the thread that watches the Kafka cluster ended with a panic");
        }
    }
}

/// Asks through the producer's own connections: what they cannot reach, or may not, cannot be
/// written to, whatever another client would say.
struct Probe<T: Send + Sync + 'static> {
    producer: Arc<Producer<T>>,
    kafka: settings::Kafka,
    limits: Arc<LimitsWatch>,
    missing: MissingTopic,
    /// In-sync replicas of all partitions, as last seen.
    in_sync: Cell<usize>,
    /// librdkafka's mock cluster never answers a question for limits.
    is_mock: OnceCell<bool>,
}

impl<T: Send + Sync + 'static> Probe<T> {
    fn run(&self, state: &watch::Sender<ClusterState>, stopped: &Receiver<()>) {
        let mut misses = 0;
        loop {
            let before = state.borrow().clone();
            let next = self.state(&before);
            misses = if matches!(next, ClusterState::Down { .. }) { misses + 1 } else { 0 };
            let is_hiccup = before.takes_writes() && misses == 1;
            if next != before && !is_hiccup {
                tell(&before, &next);
                state.send_replace(next);
            }
            if stopped.recv_timeout(self.pause(&state.borrow())) != Err(RecvTimeoutError::Timeout) {
                return;
            }
        }
    }

    fn pause(&self, state: &ClusterState) -> Duration {
        match state {
            ClusterState::Up(_) => self.kafka.probe_interval,
            ClusterState::Starting { .. } | ClusterState::Down { .. } => {
                self.kafka.probe_interval.min(PAUSE_WITHOUT_KAFKA)
            }
        }
    }

    fn state(&self, before: &ClusterState) -> ClusterState {
        let is_start = matches!(before, ClusterState::Starting { .. });
        match self.ask(is_start) {
            Ok(partitions) if !partitions.none_takes_writes() => ClusterState::Up(partitions),
            Ok(partitions) => self.unusable(is_start, partitions),
            Err(detail) if is_start => ClusterState::Starting { detail },
            Err(detail) => ClusterState::Down { detail, partitions: None },
        }
    }

    fn unusable(&self, is_start: bool, partitions: Partitions) -> ClusterState {
        let why = partitions.detail().unwrap_or_else(|| "it has none".to_owned());
        let detail =
            format!("no partition of the topic `{}` can be written to: {why}", self.kafka.topic);
        if is_start {
            return ClusterState::Starting { detail };
        }
        ClusterState::Down { detail, partitions: Some(partitions) }
    }

    fn ask(&self, is_start: bool) -> Result<Partitions, String> {
        let topic = &self.kafka.topic;
        let metadata =
            self.producer.metadata(PROBE_TIMEOUT).map_err(|error| self.unreachable(&error))?;
        let Some(found) = metadata.topics().iter().find(|found| found.name() == topic) else {
            return Err(format!("the cluster says nothing of the topic `{topic}`"));
        };
        match found.error() {
            None => Ok(self.partitions(found, is_start)),
            Some(RespErr::RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART) => {
                Err(self.missing.mend(is_start))
            }
            Some(error) => {
                let code = RDKafkaErrorCode::from(error);
                Err(format!("the topic `{topic}` cannot be used: {code}"))
            }
        }
    }

    fn partitions(&self, topic: &MetadataTopic, is_start: bool) -> Partitions {
        self.have_limits_asked(topic, is_start);
        let limits = self.limits.known();
        if let Some(max_message) = limits.max_message {
            self.producer.fit(max_message);
        }
        Partitions::of(topic, limits.min_isr)
    }

    /// At the start, and when replicas fall behind: then what a write needs matters.
    fn have_limits_asked(&self, topic: &MetadataTopic, is_start: bool) {
        if *self.is_mock.get_or_init(|| self.producer.is_before_mock()) {
            return;
        }
        let in_sync = topic.partitions().iter().map(|partition| partition.isr().len()).sum();
        if is_start || in_sync < self.in_sync.replace(in_sync) {
            self.limits.ask();
        }
        if is_start {
            self.limits.wait(WAIT_FOR_LIMITS);
        }
    }

    fn unreachable(&self, error: &KafkaError) -> String {
        let code = error.rdkafka_error_code();
        let why = code.map_or_else(|| error.to_string(), |code| code.to_string());
        format!("no answer from {}: {why}", self.kafka.brokers)
    }
}

fn tell(before: &ClusterState, state: &ClusterState) {
    match (state, before) {
        (ClusterState::Starting { detail }, _) => {
            tracing::warn!("kafka is not ready yet: {detail}")
        }
        (ClusterState::Up(partitions), _) => match partitions.detail() {
            None => tracing::info!(partitions = partitions.total, "kafka is up"),
            Some(detail) => {
                tracing::warn!("kafka is up, but not for every partition: {detail}");
            }
        },
        // The words change with every attempt to reach a broker.
        (ClusterState::Down { detail, .. }, ClusterState::Down { .. }) => {
            telemetry::warn_limited!("kafka is still down: {detail}");
        }
        (ClusterState::Down { detail, .. }, _) => tracing::warn!("kafka is down: {detail}"),
    }
}
