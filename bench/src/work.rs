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
        }
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
        match self.shape.batch {
            None => write!(f, "single")?,
            Some(events) => write!(f, "batches of {events}")?,
        }
        let bytes = self.shape.payload;
        write!(f, ", {bytes} B, {} conn.", self.connections)?;
        match self.redis {
            Redis::On => {}
            Redis::Off => write!(f, ", Redis off")?,
            Redis::Frozen => write!(f, ", Redis frozen")?,
        }
        if !self.shape.ids {
            write!(f, ", ids missing")?;
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
