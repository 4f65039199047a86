//! What is known of the cluster and the topic: asked for regularly, told to `/readyz`.

use std::cell::Cell;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::bindings::rd_kafka_resp_err_t as RespErr;
use rdkafka::client::ClientContext;
use rdkafka::config::{FromClientConfigAndContext, RDKafkaLogLevel};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::metadata::MetadataTopic;
use tokio::runtime::Handle;
use tokio::sync::watch;

use super::producer::Producer;
use super::{client, config};
use crate::settings;
use crate::telemetry;

/// How long an answer may take. Two in a row have to be missing before the cluster is down: a
/// broker that is frozen is noticed after twice this and an interval.
const PROBE_TIMEOUT: Duration = Duration::from_secs(2);
/// How soon it is asked again until the cluster was up once.
const PAUSE_AT_START: Duration = Duration::from_millis(100);
/// How long a refused creation is not tried again.
const CREATE_PAUSE: Duration = Duration::from_secs(10);
/// How long the creation of the topic may take.
const CREATE_TIMEOUT: Duration = Duration::from_secs(5);

/// The state of the cluster as far as writing needs it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ClusterState {
    /// Not reached yet since the start, or the topic is not there yet.
    Starting {
        /// What is missing and what to do.
        detail: String,
    },
    /// The topic can be written to.
    Up {
        /// How many partitions the topic has.
        partitions: usize,
        /// How many of them have no leader just now and so take no writes.
        leaderless: usize,
    },
    /// Was up, and is not now.
    Down {
        /// What is wrong.
        detail: String,
    },
}

/// Watches the cluster on a thread of its own until it is dropped.
pub struct Cluster {
    state: watch::Receiver<ClusterState>,
    stop: Mutex<Option<Sender<()>>>,
    thread: Option<JoinHandle<()>>,
}

impl Cluster {
    /// Starts to watch, and makes the topic when it is missing and the settings say so.
    ///
    /// # Errors
    /// The thread cannot be started.
    pub fn watch<T: Send + Sync + 'static>(
        kafka: &settings::Kafka,
        producer: Arc<Producer<T>>,
    ) -> Result<Self, String> {
        let detail = format!("connecting to {}", kafka.brokers);
        let (state, receiver) = watch::channel(ClusterState::Starting { detail });
        let (stop, stopped) = channel();
        let probe = Probe {
            producer,
            kafka: kafka.clone(),
            runtime: Handle::current(),
            refused_until: Cell::new(None),
        };
        let thread = std::thread::Builder::new()
            .name("kafka-cluster".into())
            .spawn(move || probe.run(&state, &stopped))
            .map_err(|error| format!("cannot start the cluster's thread: {error}"))?;
        Ok(Cluster { state: receiver, stop: Mutex::new(Some(stop)), thread: Some(thread) })
    }

    /// The state, and every change of it.
    pub fn state(&self) -> &watch::Receiver<ClusterState> {
        &self.state
    }

    /// Asks no more; the last state stays. The thread ends after the question under way.
    pub fn stop(&self) {
        self.stop.lock().take();
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
    runtime: Handle,
    /// When the topic may be created again after the cluster refused it.
    refused_until: Cell<Option<Instant>>,
}

impl<T: Send + Sync + 'static> Probe<T> {
    fn run(&self, state: &watch::Sender<ClusterState>, stopped: &Receiver<()>) {
        let mut misses = 0;
        loop {
            let before = state.borrow().clone();
            let next = self.state(&before);
            misses = if matches!(next, ClusterState::Down { .. }) { misses + 1 } else { 0 };
            let is_hiccup = matches!(before, ClusterState::Up { .. }) && misses == 1;
            if next != before && !is_hiccup {
                tell(&next);
                state.send_replace(next);
            }
            if stopped.recv_timeout(self.pause(&state.borrow())) != Err(RecvTimeoutError::Timeout) {
                return;
            }
        }
    }

    fn pause(&self, state: &ClusterState) -> Duration {
        match state {
            ClusterState::Starting { .. } => self.kafka.probe_interval.min(PAUSE_AT_START),
            ClusterState::Up { .. } | ClusterState::Down { .. } => self.kafka.probe_interval,
        }
    }

    fn state(&self, before: &ClusterState) -> ClusterState {
        match self.ask(matches!(before, ClusterState::Starting { .. })) {
            Ok(state) => state,
            Err(detail) if matches!(before, ClusterState::Starting { .. }) => {
                ClusterState::Starting { detail }
            }
            Err(detail) => ClusterState::Down { detail },
        }
    }

    fn ask(&self, may_create: bool) -> Result<ClusterState, String> {
        let topic = &self.kafka.topic;
        let metadata =
            self.producer.metadata(PROBE_TIMEOUT).map_err(|error| self.unreachable(&error))?;
        let Some(found) = metadata.topics().iter().find(|found| found.name() == topic) else {
            return Err(format!("the cluster says nothing of the topic `{topic}`"));
        };
        match found.error() {
            None => self.partitions(found),
            Some(RespErr::RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART) => {
                Err(self.missing_topic(may_create))
            }
            Some(error) => {
                let code = RDKafkaErrorCode::from(error);
                Err(format!("the topic `{topic}` cannot be used: {code}"))
            }
        }
    }

    fn partitions(&self, topic: &MetadataTopic) -> Result<ClusterState, String> {
        let partitions = topic.partitions().len();
        let leaderless = topic.partitions().iter().filter(|p| p.leader() < 0).count();
        if leaderless == partitions {
            return Err(format!("no partition of the topic `{}` has a leader", topic.name()));
        }
        Ok(ClusterState::Up { partitions, leaderless })
    }

    fn unreachable(&self, error: &KafkaError) -> String {
        let code = error.rdkafka_error_code();
        let why = code.map_or_else(|| error.to_string(), |code| code.to_string());
        format!("no answer from {}: {why}", self.kafka.brokers)
    }

    /// Makes the topic, or says who has to.
    fn missing_topic(&self, may_create: bool) -> String {
        let topic = &self.kafka.topic;
        if !may_create {
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
        match self.create_topic() {
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

    fn create_topic(&self) -> Result<(), String> {
        let replication = TopicReplication::Fixed(self.kafka.replication);
        let topic = NewTopic::new(&self.kafka.topic, self.kafka.partitions, replication);
        let admin = AdminClient::from_config_and_context(&config::client(&self.kafka), Context)
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

fn tell(state: &ClusterState) {
    match state {
        ClusterState::Starting { detail } => tracing::warn!("kafka is not ready yet: {detail}"),
        ClusterState::Up { partitions, leaderless: 0 } => tracing::info!(partitions, "kafka is up"),
        ClusterState::Up { partitions, leaderless } => {
            tracing::warn!(partitions, leaderless, "kafka is up, but not for every partition");
        }
        ClusterState::Down { detail } => tracing::warn!("kafka is down: {detail}"),
    }
}

struct Context;

impl ClientContext for Context {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        client::log(level, facility, message);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        // The state says it, with what to do.
        tracing::debug!("kafka: {error}: {reason}");
    }
}
