//! Everything that talks to Kafka. The only module that imports `rdkafka`.

mod cluster;
mod config;
mod mock;
mod outcome;
mod producer;
mod record;

pub use cluster::{Cluster, ClusterState};
pub use config::producer as producer_config;
pub use mock::MockKafka;
pub use outcome::{Outcome, Reason};
pub use producer::{DeliveryReport, Producer};
pub use record::{Record, TraceContext, header};
