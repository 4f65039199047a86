//! The reader in front of a real Kafka, by the crate's own types: what HTTP answers stands on it.

#![allow(clippy::expect_used, clippy::unwrap_used, reason = "a test fails by them")]

mod bounds;
mod dev;
mod faults;
#[path = "../harness/mod.rs"]
mod harness;
mod log;
mod paging;
mod partitions;
mod points;
mod rig;
mod streams;
mod tail;
