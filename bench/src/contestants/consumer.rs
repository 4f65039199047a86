//! The limit of reading: a plain consumer of a whole topic, which looks at each record's key.

use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use clap::Args;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::{ClientConfig, Message, Offset, TopicPartitionList};

use crate::outcome::Outcome;
use crate::window::{MEASURING, Watched};

const TIMEOUT: Duration = Duration::from_secs(20);

#[derive(Args)]
pub struct Consume {
    #[arg(long)]
    brokers: String,
    #[arg(long)]
    topic: String,
    /// How many records there are
    #[arg(long)]
    records: u64,
    #[command(flatten)]
    watched: Watched,
}

/// Reads all records, and reports as the load generator does.
pub fn run(consume: Consume) -> Result<()> {
    let watched = consume.watched.and_this_one("contestant");
    let consumer: BaseConsumer = ClientConfig::new()
        .set("bootstrap.servers", &consume.brokers)
        .set("group.id", "bench")
        .set("enable.auto.commit", "false")
        .create()?;
    let mut assignment = TopicPartitionList::new();
    assignment.add_partition_offset(&consume.topic, 0, Offset::Beginning)?;
    consumer.assign(&assignment)?;
    // The service's consumers are connected; so time begins with the first record.
    consumer.poll(TIMEOUT).context("no record in time")??;
    println!("{MEASURING}");
    let (before, started) = (watched.cpu()?, Instant::now());
    let mut keys = 0;
    for _ in 1..consume.records {
        let record = consumer.poll(TIMEOUT).context("no record in time")??;
        keys += usize::from(record.key().is_some());
    }
    let seconds = started.elapsed().as_secs_f64();
    let cpu = watched.since(&before)?;
    let outcome = Outcome { seconds, events: keys as u64, cpu, ..Outcome::default() };
    println!("{}", serde_json::to_string(&outcome)?);
    Ok(())
}
