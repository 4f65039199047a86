//! What is broken, and how.

pub mod broker;
pub mod clients;
pub mod cluster;
pub mod errors;
pub mod limits;
pub mod network;
pub mod reading;
pub mod redis;
pub mod service;
pub mod soak;

use crate::harness::TestApp;
use crate::harness::app::Builder;

/// Kafka's time is longer than any fault, so that none has to cost an event.
pub fn patient() -> Builder {
    TestApp::builder()
        .set("kafka.message_timeout", "22s")
        .set("http.request_timeout", "25s")
        .set("shutdown.grace", "60s")
}

/// Kafka's time is shorter than by default, so that outages need not be long.
pub fn hasty() -> Builder {
    TestApp::builder().set("kafka.message_timeout", "3s").set("http.request_timeout", "6s")
}
