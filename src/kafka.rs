//! Everything that talks to Kafka. The only module that imports `rdkafka`.

mod admin;
mod client;
mod clients;
mod cluster;
mod config;
mod consumer;
mod doubt;
mod errors;
mod feed;
mod heads;
mod limits;
mod log_record;
mod mock;
mod native;
mod outcome;
mod placement;
mod producer;
mod raw;
mod record;
mod state;
mod stored;
mod topic;

pub use client::DeliveryReport;
pub use cluster::Cluster;
pub use config::{Fetch, producer as producer_config};
pub use consumer::{LogConsumer, Unavailable};
pub use feed::{Feed, From, Item, LogItem};
pub use heads::Heads;
pub use mock::MockKafka;
pub use outcome::{Outcome, Reason};
pub use placement::partitions_of;
pub use producer::Producer;
pub use record::{Record, TraceContext, header};
pub use state::{ClusterState, Partitions};
pub use stored::StoredEvent;
