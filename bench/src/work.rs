//! The work that contestants are given.

use std::fmt;

use clap::Args;
use serde::{Deserialize, Serialize};

/// What one request carries.
#[derive(Args, Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Shape {
    /// Events in a batch; without it, each request is one event
    #[arg(long)]
    pub batch: Option<usize>,
    /// Bytes of one event
    #[arg(long, default_value_t = 500)]
    pub payload: usize,
    /// Whether events come with an id
    #[arg(long, default_value_t = true, action = clap::ArgAction::Set)]
    pub ids: bool,
}

impl Shape {
    pub fn events(self) -> usize {
        self.batch.unwrap_or(1)
    }
}

/// What Redis does meanwhile.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Redis {
    On,
    Off,
    /// Stopped in its tracks when the measurement begins.
    Frozen,
}

/// What is asked for, where it is not events that are posted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reading {
    /// One event by its cursor.
    Point { from: Place },
    /// A hundred at once.
    Fetch { from: Place },
    /// The newest 50 of one of a thousand sources.
    Recent { from: Place },
    /// All of one of so many sources, as lines.
    Replay { sources: u64 },
}

/// Where what is read is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Place {
    Memory,
    Kafka,
}

/// Streams that are open while events are posted.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Streaming {
    pub subscribers: u64,
    /// Subscribers follow one source each, in turn.
    pub sources: u64,
    /// Events posted a second.
    pub then: Then,
}

/// What comes after they are open.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Then {
    /// So many events are posted a second.
    Posts(f64),
    /// Nothing: they have resumed, each with what it missed.
    Resumed,
}

/// How requests follow each other.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Loop {
    /// The next one after the answer.
    Closed,
    /// So many events a second.
    Open(f64),
    /// At this share of what the same contestant reached in the closed loop of the same name.
    OpenAtShare(f64),
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Work {
    pub name: String,
    pub shape: Shape,
    pub connections: usize,
    pub redis: Redis,
    pub r#loop: Loop,
    /// What is read; none where events are posted.
    #[serde(default)]
    pub reading: Option<Reading>,
    /// The streams that are open; none where nobody follows.
    #[serde(default)]
    pub streaming: Option<Streaming>,
    /// Whether the service follows the topic into its memory.
    #[serde(default = "yes")]
    pub follows: bool,
}

fn yes() -> bool {
    true
}

impl Work {
    /// Single events of 500 B with ids, Redis on, in a closed loop.
    pub fn single(name: &str, connections: usize) -> Self {
        Work {
            name: name.to_owned(),
            shape: Shape { batch: None, payload: 500, ids: true },
            connections,
            redis: Redis::On,
            r#loop: Loop::Closed,
            reading: None,
            streaming: None,
            follows: true,
        }
    }

    /// Reading, in a closed loop.
    pub fn reading(name: &str, connections: usize, reading: Reading) -> Self {
        Work { reading: Some(reading), ..Work::single(name, connections) }
    }

    /// Streams that are brought events.
    pub fn streams(name: &str, subscribers: u64, sources: u64, rate: f64) -> Self {
        let streaming = Streaming { subscribers, sources, then: Then::Posts(rate) };
        Work { streaming: Some(streaming), ..Work::single(name, 16) }
    }

    /// Streams that come back.
    pub fn resumed(name: &str, subscribers: u64, sources: u64) -> Self {
        let streaming = Streaming { subscribers, sources, then: Then::Resumed };
        Work { streaming: Some(streaming), ..Work::single(name, 16) }
    }

    /// The same while the service keeps no events in memory.
    pub fn without_memory(mut self) -> Self {
        self.follows = false;
        self
    }

    /// The same in batches.
    pub fn batches(name: &str, events: usize) -> Self {
        // So many that both cores have something to do, and few enough that batches of 1,000
        // stay far below what the service admits at one time.
        let mut work = Work::single(name, 16);
        work.shape.batch = Some(events);
        work
    }

    pub fn payload(mut self, bytes: usize) -> Self {
        self.shape.payload = bytes;
        self
    }

    pub fn without_ids(mut self) -> Self {
        self.shape.ids = false;
        self
    }

    pub fn redis(mut self, redis: Redis) -> Self {
        self.redis = redis;
        self
    }

    pub fn paced(mut self, r#loop: Loop) -> Self {
        self.r#loop = r#loop;
        self
    }
}

impl fmt::Display for Work {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(reading) = self.reading {
            return write!(f, "{reading}, {} conn.", self.connections);
        }
        if let Some(streaming) = self.streaming {
            return write!(f, "{streaming}{}", self.redis);
        }
        match self.shape.batch {
            None => write!(f, "single")?,
            Some(events) => write!(f, "batches of {events}")?,
        }
        let bytes = self.shape.payload;
        write!(f, ", {bytes} B, {} conn.", self.connections)?;
        write!(f, "{}", self.redis)?;
        if !self.shape.ids {
            write!(f, ", ids missing")?;
        }
        if !self.follows {
            write!(f, ", nothing kept in memory")?;
        }
        match self.r#loop {
            Loop::Closed => Ok(()),
            Loop::Open(rate) => write!(f, ", open loop at {rate}/s"),
            Loop::OpenAtShare(share) => {
                write!(f, ", open loop at {:.0}% of its rate", share * 100.0)
            }
        }
    }
}

impl fmt::Display for Redis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Redis::On => "",
            Redis::Off => ", Redis off",
            Redis::Frozen => ", Redis frozen",
        })
    }
}

impl fmt::Display for Streaming {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Streaming { subscribers, sources, then } = self;
        match then {
            Then::Posts(rate) => write!(
                f,
                "deliveries to {subscribers} streams of {sources} sources, {rate} posts/s; \
                 latency from post to arrival"
            ),
            Then::Resumed => {
                write!(f, "{subscribers} streams of {sources} sources that resume, each a delivery")
            }
        }
    }
}

impl fmt::Display for Reading {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Reading::Point { from } => write!(f, "one event by its cursor, from {from}"),
            Reading::Fetch { from } => write!(f, "100 events at once, from {from}"),
            Reading::Recent { from } => {
                write!(f, "the newest 50 of one of 1,000 sources, from {from}")
            }
            Reading::Replay { sources: 1 } => write!(f, "replay, every record matches"),
            Reading::Replay { sources } => {
                write!(f, "replay of one of {sources} sources, records looked at")
            }
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Place::Memory => "memory",
            Place::Kafka => "Kafka",
        })
    }
}
