//! A topic of its own for each measurement, so that what lies in it can be counted.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, ensure};
use rdkafka::ClientConfig;
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::consumer::{BaseConsumer, Consumer};

/// As many as the service makes by default.
pub const PARTITIONS: i32 = 6;
const TIMEOUT: Duration = Duration::from_secs(20);
const CHECK: Duration = Duration::from_millis(20);

/// Makes, counts and deletes topics.
pub struct Topics {
    runtime: tokio::runtime::Runtime,
    admin: AdminClient<DefaultClientContext>,
    consumer: BaseConsumer,
}

impl Topics {
    pub fn of(brokers: &str) -> Result<Self> {
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", brokers);
        Ok(Topics {
            runtime: tokio::runtime::Builder::new_current_thread().enable_all().build()?,
            admin: config.create()?,
            consumer: config.create()?,
        })
    }

    pub fn create(&self, name: &str) -> Result<()> {
        self.create_with(name, PARTITIONS)
    }

    /// The same with another number of partitions.
    pub fn create_with(&self, name: &str, partitions: i32) -> Result<()> {
        let topic = NewTopic::new(name, partitions, TopicReplication::Fixed(1))
            // What was measured need not lie on the disk for the default of a minute.
            .set("file.delete.delay.ms", "500");
        let options = AdminOptions::new().operation_timeout(Some(TIMEOUT));
        let results = self.runtime.block_on(self.admin.create_topics([&topic], &options))?;
        for result in results {
            result.map_err(|(name, code)| anyhow!("cannot create the topic {name}: {code}"))?;
        }
        self.await_leaders(name, partitions as usize)
    }

    /// The broker learns of a new topic a moment after its controller made it. A client that asks
    /// in between may remember for seconds that there is none.
    fn await_leaders(&self, name: &str, partitions: usize) -> Result<()> {
        let deadline = Instant::now() + TIMEOUT;
        while self.leaders(name)? < partitions {
            ensure!(Instant::now() < deadline, "the topic {name} has no leaders");
            std::thread::sleep(CHECK);
        }
        Ok(())
    }

    fn leaders(&self, name: &str) -> Result<usize> {
        let metadata = self.consumer.fetch_metadata(Some(name), TIMEOUT)?;
        let partitions = metadata.topics().iter().flat_map(|topic| topic.partitions());
        Ok(partitions.filter(|partition| partition.leader() >= 0).count())
    }

    pub fn delete(&self, name: &str) -> Result<()> {
        self.runtime.block_on(self.admin.delete_topics(&[name], &AdminOptions::new()))?;
        Ok(())
    }

    /// How many records were ever written to the topic.
    pub fn records(&self, name: &str) -> Result<u64> {
        let mut sum = 0;
        for partition in 0..PARTITIONS {
            let watermarks = self.consumer.fetch_watermarks(name, partition, TIMEOUT);
            sum += watermarks.context("cannot count the topic's records")?.1;
        }
        Ok(u64::try_from(sum)?)
    }
}
