//! What an operator can set.
//!
//! Three layers, each over the one before: `config/default.toml`, which is embedded and the only
//! place with defaults; the TOML file named by `DUAL_STREAM_CONFIG`; variables such as
//! `DUAL_STREAM__HTTP__LISTEN`. What the settings mean is told in `config/default.toml`.
//!
//! The values are checked once, here: whoever holds a [`Settings`] need not check again.

mod entries;
mod kafka;
mod layers;
mod limits;
mod load;
mod names;
mod parse;
mod read;
mod redis;
mod render;
mod secret;
#[cfg(test)]
mod tests;
mod variables;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use crate::channel::ChannelTemplate;

pub use load::{Loaded, SettingsError, process_variables};
pub use redis::RedisUrl;

/// All settings, checked one by one and against each other.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The public listener.
    pub http: Http,
    /// The operators' listener.
    pub admin: Admin,
    /// Admission of events.
    pub publisher: Publisher,
    /// The durable side.
    pub kafka: Kafka,
    /// Reading back.
    pub reader: Reader,
    /// Streams.
    pub live: Live,
    /// The server of the notifications.
    pub redis: Redis,
    /// The notifications.
    pub notify: Notify,
    /// The logs.
    pub log: Log,
    /// The ordered end.
    pub shutdown: Shutdown,
}

/// `[http]`: the public listener.
#[derive(Debug, Clone)]
pub struct Http {
    /// Address and port to listen on.
    pub listen: SocketAddr,
    /// Connections open at one time.
    pub max_connections: usize,
    /// How long a connection may go without a complete request head.
    pub idle_timeout: Duration,
    /// How long a client may take to read on when its answer waits for it.
    pub write_timeout: Duration,
    /// How long the whole body may take.
    pub body_timeout: Duration,
    /// From the complete body to the answer.
    pub request_timeout: Duration,
    /// Largest body, in bytes.
    pub max_body: usize,
    /// Origins allowed to call from a browser: exact ones, or the single `*`.
    pub cors_origins: Vec<String>,
    /// Whether there is a console at `/`.
    pub console: bool,
}

/// `[admin]`: the listener of `/metrics`, `/livez` and `/readyz`.
#[derive(Debug, Clone)]
pub struct Admin {
    /// Address and port to listen on.
    pub listen: SocketAddr,
}

/// `[publisher]`: how much is accepted.
#[derive(Debug, Clone)]
pub struct Publisher {
    /// Largest event, in bytes: 1 KiB to 900 MiB.
    pub max_event: usize,
    /// Most events in a batch.
    pub max_batch: usize,
    /// Bytes of events accepted and not yet answered, over all requests.
    pub max_in_flight_bytes: usize,
    /// How long a request waits for room; may be zero.
    pub admission_timeout: Duration,
}

/// `[kafka]`. Its `Debug` masks secret options.
#[derive(Clone)]
pub struct Kafka {
    /// Brokers to start from, `host:port`, separated by commas.
    pub brokers: String,
    /// The topic of the events.
    pub topic: String,
    /// Whether a missing topic is created.
    pub create_topic: bool,
    /// Partitions of a created topic; -1 is the broker's default.
    pub partitions: i32,
    /// Replicas of a created topic; -1 is the broker's default.
    pub replication: i32,
    /// How long Kafka has to acknowledge an event.
    pub message_timeout: Duration,
    /// Time between two looks at the cluster's state.
    pub probe_interval: Duration,
    /// How many partitions the topic had in the past; empty when that is not known.
    pub partition_counts: Vec<i32>,
    /// Further properties for librdkafka, by its names. None of them touches what the service
    /// sets itself.
    pub options: BTreeMap<String, String>,
}

/// `[reader]`: how events are read back, and how much of everything that may take.
#[derive(Debug, Clone)]
pub struct Reader {
    /// Bytes of the newest events that are kept in memory.
    pub memory: usize,
    /// Bytes that are read of the end of each partition at the start.
    pub warm: usize,
    /// Scans at a time: 1 to 64.
    pub scans: usize,
    /// Streamed replays at a time.
    pub streams: usize,
    /// Most records that a scan looks at for one answer.
    pub scan_records: usize,
    /// Most bytes that a scan looks at for one answer.
    pub scan_bytes: usize,
    /// The longest that a scan looks for one answer.
    pub scan_time: Duration,
    /// Most bytes of events in one answer.
    pub page_bytes: usize,
    /// Most cursors in one request.
    pub max_fetch: usize,
    /// How long Kafka may be silent.
    pub timeout: Duration,
    /// How long a question for new events waits at the broker.
    pub tail_wait: Duration,
}

/// `[live]`: streams, and how much of everything they may take.
#[derive(Debug, Clone)]
pub struct Live {
    /// Streams at a time; may be none.
    pub streams: usize,
    /// Most subscriptions on one WebSocket.
    pub subscriptions: usize,
    /// Whether they hear what is announced.
    pub early: bool,
    /// Most sources of one stream, over all its subscriptions.
    pub sources: usize,
    /// Events that may wait for one client.
    pub queue: usize,
    /// Bytes of events that may wait for one client.
    pub queue_bytes: usize,
    /// Bytes of events that may wait for all clients before none may be behind.
    pub memory: usize,
    /// Most recent events of one source that a stream begins with.
    pub recent: usize,
    /// How long nothing comes at the most.
    pub heartbeat: Duration,
    /// How long clients are told to wait before they come again.
    pub retry: Duration,
}

/// `[redis]`.
#[derive(Debug, Clone)]
pub struct Redis {
    /// The server, or nodes of the cluster.
    pub url: RedisUrl,
    /// Whether the server is a Redis Cluster.
    pub cluster: bool,
    /// How long a connection may take to open.
    pub connect_timeout: Duration,
    /// How long an answer may take.
    pub response_timeout: Duration,
}

/// `[notify]`: what is announced on Redis, and how much may wait for it.
#[derive(Debug, Clone)]
pub struct Notify {
    /// The channels of an event; empty for no notifications.
    pub channels: Vec<ChannelTemplate>,
    /// Bytes of encoded notifications waiting.
    pub queue: usize,
    /// Workers, each with one connection: 1 to 64.
    pub workers: usize,
    /// Most notifications in a pipeline.
    pub max_pipeline: usize,
    /// How long notifications gather after a pipeline.
    pub linger: Duration,
    /// Failed pipelines in a row that open the circuit.
    pub breaker_threshold: u32,
    /// How long the circuit stays open.
    pub breaker_cooldown: Duration,
}

/// `[log]`.
#[derive(Debug, Clone)]
pub struct Log {
    /// Directives of a `tracing_subscriber::EnvFilter`, which parse.
    pub level: String,
    /// How lines look.
    pub format: LogFormat,
}

/// How lines of the log look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// Pretty on a terminal, JSON elsewhere.
    Auto,
    /// For eyes.
    Pretty,
    /// For machines: one JSON object a line.
    Json,
}

/// `[shutdown]`.
#[derive(Debug, Clone)]
pub struct Shutdown {
    /// From turning not ready to closing the listener; may be zero.
    pub delay: Duration,
    /// Everything between the signal and the end.
    pub grace: Duration,
}

impl Shutdown {
    /// The most that is kept of the grace for Kafka and notifications.
    pub(crate) const FOR_FLUSH_AND_DRAIN: Duration = Duration::from_secs(3);

    /// From the signal on, the time in which requests finish, however slow their clients are: what
    /// they have posted needs the rest.
    pub fn for_requests(&self) -> Duration {
        self.grace - Self::FOR_FLUSH_AND_DRAIN.min(self.grace / 4)
    }
}

impl Settings {
    /// Loads the settings from all layers, the last of which is `variables`.
    ///
    /// # Errors
    /// Every problem found, one a line.
    pub fn load(
        variables: impl IntoIterator<Item = (String, String)>,
    ) -> Result<Self, SettingsError> {
        Loaded::load(variables).map(|loaded| loaded.settings)
    }
}
