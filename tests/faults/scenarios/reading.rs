//! The one broker dies or freezes while events are read back from it.

use super::hasty;
use crate::harness::Broker;
use crate::harness::kafka::read_all;
use crate::readers::Readers;
use crate::report::Row;
use crate::run::Run;
use crate::traffic::Plan;

/// Next to nothing is in memory, so that Kafka has to be asked.
const MEMORY: &str = "64KiB";

async fn start(name: &'static str) -> (Broker, Run, Readers) {
    let mut broker = Broker::new();
    broker.start().await;
    let builder = hasty().brokers(&broker.address()).set("reader.memory", MEMORY);
    // Few writers: the readers are to come to the end of what these write.
    let plan = Plan { singles: 6, batches: 1, batch_size: 20, ..crate::plan() };
    let run = Run::start(name, builder, &plan).await;
    let readers = Readers::start(&run.app.client, run.source_type());
    readers.until("much is read", |counts| counts.read > 100 && counts.replays > 1).await;
    (broker, run, readers)
}

pub async fn broker_killed(name: &'static str) -> Row {
    let (mut broker, run, readers) = start(name).await;

    broker.kill().await;
    refused(&readers).await;
    broker.start().await;

    finish(name, run, readers).await
}

pub async fn broker_frozen(name: &'static str) -> Row {
    let (broker, run, readers) = start(name).await;

    broker.freeze();
    refused(&readers).await;
    broker.thaw();

    finish(name, run, readers).await
}

/// Some of each kind are refused.
async fn refused(readers: &Readers) {
    let before = readers.counts().unavailable;
    readers.until("reads are refused", |counts| counts.unavailable > before + 5).await;
}

async fn finish(name: &'static str, mut run: Run, readers: Readers) -> Row {
    run.recovers().await;
    let before = readers.counts();
    let is_read = |counts: crate::readers::Counts| {
        counts.read > before.read + 50 && counts.replays > before.replays
    };
    readers.until("much is read again", is_read).await;
    run.quiet().await;
    let log = read_all(&run.app.brokers, &run.app.topic).await;
    let counts = readers.finish(&log).await;
    eprintln!("    {name}: {counts:?}");
    run.finish().await.0
}
