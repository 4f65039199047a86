//! `dual-stream tail` and the example of an event processor, as they are used: programs of their
//! own in front of a real Kafka.

#![allow(clippy::expect_used, clippy::unwrap_used, reason = "a test fails by them")]
#![allow(unreachable_pub, reason = "a module of a test binary has no outside")]

mod command;
mod faults;
mod groups;
#[path = "../harness/mod.rs"]
mod harness;
mod log;
mod options;
mod processor;
mod readers;
mod records;
