//! What carries the weight of the tests, shared by `tests/service`, `tests/reader`, `tests/tail`,
//! `tests/faults` and `tests/streams`: the service as a process of its own on random ports, a real
//! broker, a real Redis, writers, and clients, of which one holds every answer against
//! `openapi.yaml`.

#![allow(unreachable_pub, reason = "a module of a test binary has no outside")]
#![allow(dead_code, unused_imports, reason = "each of the binaries uses its part")]

pub mod app;
pub mod broker;
pub mod client;
pub mod kafka;
pub mod load;
pub mod openapi;
pub mod page;
pub mod process;
pub mod proxy;
pub mod raw;
pub mod reading;
pub mod redis;
pub mod socket;
pub mod stream;

use std::time::{Duration, Instant};

pub use app::TestApp;
pub use broker::{Broker, Cluster};
pub use client::{Answer, Client};
pub use redis::{RedisServer, Subscriber};

/// How long a condition may take to come true before a test fails.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// An environment variable that `scripts/with-services` sets.
pub fn required(variable: &str) -> String {
    std::env::var(variable).unwrap_or_else(|_| {
        panic!("{variable} is not set: run the tests by `make test`, which starts what they need")
    })
}

/// Waits until `check` gives a value.
pub async fn eventually<T>(what: &str, mut check: impl AsyncFnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(value) = check().await {
            return value;
        }
        assert!(Instant::now() < deadline, "waited {PATIENCE:?} in vain: {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// A name that no other test uses.
pub fn unique(prefix: &str) -> String {
    format!("{prefix}-{}", uuid::Uuid::now_v7().simple())
}

/// A port that is free now, below those that outgoing connections take: whoever is restarted on it
/// finds it free again.
pub fn free_port() -> u16 {
    loop {
        let port = fastrand::u16(20_000..32_000);
        if std::net::TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
}
