//! The reader in front of a real Kafka, by the crate's own types: what HTTP answers stands on it.

#![allow(clippy::expect_used, clippy::unwrap_used, reason = "a test fails by them")]

#[path = "../harness/mod.rs"]
mod harness;
mod paging;
mod points;
mod rig;
