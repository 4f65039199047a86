//! Everything that talks to Kafka. The only module that imports `rdkafka`.

mod client;
mod cluster;
mod config;
mod doubt;
mod errors;
mod mock;
mod outcome;
mod producer;
mod record;

pub use client::DeliveryReport;
pub use cluster::{Cluster, ClusterState};
pub use mock::MockKafka;
pub use outcome::{Outcome, Reason};
pub use producer::Producer;
pub use record::{Record, TraceContext, header};
