//! The limit of Kafka: librdkafka with the service's own settings, and no HTTP.
//!
//! It plays the clients, too: so many groups of records are in flight at one time as the load has
//! connections, each group as large as a batch, and the next group follows when one is complete.

pub mod record;
mod reports;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, anyhow};
use clap::Args;
use dual_stream::kafka::producer_config;
use dual_stream::settings::Settings;
use rdkafka::producer::{BaseProducer, Producer as _};

use crate::window::{Timing, Watched, Window};
use crate::work::Shape;
use record::Event;
use reports::{Group, Reporter, Reports};

const POLL: Duration = Duration::from_millis(100);
const FLUSH: Duration = Duration::from_secs(15);

#[derive(Args)]
pub struct Raw {
    #[arg(long)]
    brokers: String,
    #[arg(long)]
    topic: String,
    /// Groups of records in flight
    #[arg(long, default_value_t = 64)]
    groups: usize,
    #[command(flatten)]
    shape: Shape,
    #[command(flatten)]
    timing: Timing,
    #[command(flatten)]
    watched: Watched,
}

/// Writes records, and reports as the load generator does.
pub fn run(raw: Raw) -> Result<()> {
    let window = raw.timing.window();
    let reports = Arc::new(Reports::new(window));
    let producer = Arc::new(producer(&raw, Reporter(Arc::clone(&reports)))?);
    let stop = Arc::new(AtomicBool::new(false));
    let poller = thread::spawn({
        let (producer, stop, reports) =
            (Arc::clone(&producer), Arc::clone(&stop), Arc::clone(&reports));
        move || {
            while !stop.load(Ordering::Acquire) {
                producer.poll(POLL);
            }
            reports.take_latencies()
        }
    });
    let writer = thread::spawn({
        let (producer, reports) = (Arc::clone(&producer), Arc::clone(&reports));
        move || write(&raw.topic, raw.shape, raw.groups, &producer, &reports, window)
    });

    let cpu = window.watch(&raw.watched.and_this_one("contestant"))?;
    writer.join().map_err(|_| anyhow!("the writer panicked"))??;
    producer.flush(FLUSH).context("records are left")?;
    stop.store(true, Ordering::Release);
    let latencies = poller.join().map_err(|_| anyhow!("the poller panicked"))?;
    println!("{}", serde_json::to_string(&reports.outcome(&latencies, cpu))?);
    Ok(())
}

fn producer(raw: &Raw, reporter: Reporter) -> Result<BaseProducer<Reporter>> {
    let brokers = ("DUAL_STREAM__KAFKA__BROKERS".to_owned(), raw.brokers.clone());
    let settings = Settings::load([brokers]).map_err(|error| anyhow!("{error}"))?;
    Ok(producer_config(&settings.kafka, &settings.publisher).create_with_context(reporter)?)
}

fn write(
    topic: &str,
    shape: Shape,
    groups: usize,
    producer: &BaseProducer<Reporter>,
    reports: &Reports,
    window: Window,
) -> Result<()> {
    let mut event = Event::new(shape);
    while Instant::now() < window.end {
        reports.enter(groups);
        for share in Group::shares(shape.events()) {
            event.next();
            producer.send(event.record(topic, share)).map_err(|(error, _)| error)?;
        }
    }
    Ok(())
}
