//! The service as its users see it: over a real port, in front of a real Kafka and a real Redis.
//!
//! `make test` starts what these tests need. Faults that the others must not feel get a broker
//! or a Redis of their own.

#![allow(clippy::expect_used, clippy::unwrap_used, reason = "a test fails by them")]

mod batches;
mod cluster;
mod command_line;
mod contract;
#[path = "../harness/mod.rs"]
mod harness;
mod health;
mod http2;
mod ingest;
mod kafka_faults;
mod limits;
mod live;
mod notifications;
mod partitioning;
mod protocol;
mod reading;
mod redis_faults;
mod refusals;
mod shutdown;
mod slow_clients;
mod topic_limits;
