//! An event processor: a member of a consumer group that does its work once for each event,
//! though it be killed at any moment and though events come twice.
//!
//! ```sh
//! KAFKA_BROKERS=localhost:9092 KAFKA_TOPIC=events KAFKA_GROUP=billing LEDGERS=/var/lib/billing \
//!   cargo run --release --example event_processor
//! ```
//!
//! The work here is a line in a ledger, one file for each partition. Three things make it safe:
//!
//! 1. **Work first, commit then.** An offset is committed when the ledger is on the disk. Killed in
//!    between, the processor is given the same events again: each comes *at least* once.
//! 2. **Repeats are dropped by id**, and the ids lie where the work lies: the line is the work, and
//!    has the id. There is no moment at which one is done and the other is not. With a database, put
//!    the id into a table with a unique key, in the transaction of the work.
//! 3. **The ids belong to the partition.** Events of a source have the same key, so that a repeat is
//!    in the same partition, and whoever is given the partition reads its ledger first.
//!
//! The memory is bounded: the last [`REMEMBERED`] ids of each partition. What comes again is what
//! was not committed, some thousands of events at the most, and what a client has posted again after
//! an answer that never came, seconds later. A client that repeats an event after more than so many
//! others of its partition is not noticed.
//!
//! Members on several machines need a place for ledgers that all of them reach. A member that was
//! stopped for longer than the session, and wakes, may write once more before it hears that its
//! partitions are gone: where that matters, the store has to refuse it, as a unique key does.

use std::collections::{BTreeMap, HashSet, VecDeque};
use std::error::Error;
use std::fs::{File, OpenOptions};
use std::io::{BufRead, BufReader, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer, ConsumerContext, Rebalance};
use rdkafka::message::{BorrowedMessage, Headers, Message};
use rdkafka::{ClientConfig, ClientContext, Offset, TopicPartitionList};
use tokio::signal::unix::{SignalKind, signal};

/// How many ids of each partition are remembered.
const REMEMBERED: usize = 100_000;
/// Events between two commits: what may come again after a kill, and what shares one `fsync`.
const BATCH: usize = 200;

/// The work that was done for one partition, and by that the ids for which it was.
struct Ledger {
    file: File,
    ids: HashSet<String>,
    /// The same ids, oldest first.
    order: VecDeque<String>,
}

impl Ledger {
    fn open(path: &Path) -> std::io::Result<Self> {
        let file = OpenOptions::new().read(true).append(true).create(true).open(path)?;
        let mut ledger = Ledger { file, ids: HashSet::new(), order: VecDeque::new() };
        let (mut whole, mut line) = (0, Vec::new());
        let mut reader = BufReader::new(ledger.file.try_clone()?);
        while reader.read_until(b'\n', &mut line)? > 0 && line.ends_with(b"\n") {
            whole += line.len() as u64;
            if let Some(id) = String::from_utf8_lossy(&line).split('\t').next() {
                ledger.remember(id);
            }
            line.clear();
        }
        // A line that a kill has torn was never work: its event comes again.
        ledger.file.set_len(whole)?;
        ledger.file.seek(SeekFrom::End(0))?;
        Ok(ledger)
    }

    fn remember(&mut self, id: &str) {
        self.ids.insert(id.to_owned());
        self.order.push_back(id.to_owned());
        if self.order.len() > REMEMBERED
            && let Some(oldest) = self.order.pop_front()
        {
            self.ids.remove(&oldest);
        }
    }

    /// Does the work, unless it was done before. Gives whether it was not.
    fn work(&mut self, event: &Event<'_>) -> std::io::Result<bool> {
        if self.ids.contains(event.id) {
            return Ok(false);
        }
        // In one write, so that a kill tears the last line at most.
        self.file
            .write_all(format!("{}\t{}\t{}\n", event.id, event.kind, event.source).as_bytes())?;
        self.remember(event.id);
        Ok(true)
    }
}

/// What the work needs of an event. What else there is lies in the message's payload, as JSON.
struct Event<'m> {
    id: &'m str,
    kind: &'m str,
    source: &'m str,
}

/// None of a record that dual-stream has not written: others may write to the topic, too.
fn event<'m>(message: &'m BorrowedMessage<'_>) -> Option<Event<'m>> {
    let headers = message.headers()?;
    let header = |name: &str| {
        let found = headers.iter().find(|header| header.key == name)?;
        std::str::from_utf8(found.value?).ok()
    };
    message.payload()?;
    let source = std::str::from_utf8(message.key()?).ok()?;
    Some(Event { id: header("id")?, kind: header("type")?, source })
}

/// What happens when partitions come and go, on the thread that polls.
struct Member {
    ledgers: Mutex<BTreeMap<i32, Ledger>>,
    directory: PathBuf,
}

impl ClientContext for Member {}

impl ConsumerContext for Member {
    fn pre_rebalance(&self, _: &BaseConsumer<Self>, rebalance: &Rebalance<'_>) {
        match rebalance {
            Rebalance::Assign(partitions) => {
                for element in partitions.elements() {
                    let path = self.directory.join(format!("{}.ledger", element.partition()));
                    match Ledger::open(&path) {
                        Ok(ledger) => self.ledgers().insert(element.partition(), ledger),
                        // Without its ids no work may be done for a partition.
                        Err(error) => panic!("cannot open {}: {error}", path.display()),
                    };
                }
            }
            // Events that were read and not committed come again, to whoever is next.
            Rebalance::Revoke(partitions) => {
                for element in partitions.elements() {
                    self.ledgers().remove(&element.partition());
                }
            }
            Rebalance::Error(error) => eprintln!("rebalance: {error}"),
        }
    }
}

impl Member {
    fn ledgers(&self) -> MutexGuard<'_, BTreeMap<i32, Ledger>> {
        self.ledgers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

struct Processor {
    consumer: BaseConsumer<Member>,
    topic: String,
    /// Behind the last event of each partition that was worked on and is not committed.
    done: BTreeMap<i32, i64>,
    count: usize,
    repeats: u64,
}

impl Processor {
    fn run(&mut self, stop: &AtomicBool) -> Result<(), Box<dyn Error>> {
        while !stop.load(Ordering::Relaxed) {
            match self.consumer.poll(Duration::from_millis(100)) {
                // Nothing more for now: what was done is committed.
                None => self.commit()?,
                // librdkafka connects again by itself.
                Some(Err(error)) => eprintln!("{error}"),
                Some(Ok(message)) => {
                    let worked = work(self.consumer.context(), &message)?;
                    self.repeats += u64::from(!worked);
                    self.done.insert(message.partition(), message.offset() + 1);
                    self.count += 1;
                }
            }
            if self.count >= BATCH {
                self.commit()?;
            }
        }
        self.commit()
    }

    /// First the disk, then the group.
    fn commit(&mut self) -> Result<(), Box<dyn Error>> {
        let mut offsets = TopicPartitionList::new();
        for (partition, next) in std::mem::take(&mut self.done) {
            // One that was given away meanwhile is another member's.
            if let Some(ledger) = self.consumer.context().ledgers().get(&partition) {
                ledger.file.sync_data()?;
                offsets.add_partition_offset(&self.topic, partition, Offset::Offset(next))?;
            }
        }
        self.count = 0;
        if offsets.count() > 0
            && let Err(error) = self.consumer.commit(&offsets, CommitMode::Sync)
        {
            // They come again, and are dropped by their ids.
            eprintln!("cannot commit: {error}");
        }
        Ok(())
    }
}

/// Whether there was anything to be done.
fn work(member: &Member, message: &BorrowedMessage<'_>) -> Result<bool, Box<dyn Error>> {
    let mut ledgers = member.ledgers();
    match (event(message), ledgers.get_mut(&message.partition())) {
        (Some(event), Some(ledger)) => Ok(ledger.work(&event)?),
        _ => Ok(true),
    }
}

fn variable(name: &str) -> Result<String, String> {
    std::env::var(name).map_err(|_| format!("{name} is not set"))
}

/// Set at the first SIGTERM or SIGINT.
async fn stops(stop: Arc<AtomicBool>) -> std::io::Result<()> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    tokio::select! { _ = terminate.recv() => {}, _ = interrupt.recv() => {} }
    stop.store(true, Ordering::Relaxed);
    Ok(())
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let (topic, directory) = (variable("KAFKA_TOPIC")?, PathBuf::from(variable("LEDGERS")?));
    std::fs::create_dir_all(&directory)?;
    let consumer: BaseConsumer<Member> = ClientConfig::new()
        .set("bootstrap.servers", variable("KAFKA_BROKERS")?)
        .set("group.id", variable("KAFKA_GROUP")?)
        .set("enable.auto.commit", "false")
        // A new group begins with the first event that there is.
        .set("auto.offset.reset", "earliest")
        .set("partition.assignment.strategy", "cooperative-sticky")
        // For so long nobody works on the partitions of a member that was killed.
        .set("session.timeout.ms", "6000")
        .create_with_context(Member { ledgers: Mutex::default(), directory })?;
    consumer.subscribe(&[&topic])?;
    let stop = Arc::new(AtomicBool::new(false));
    tokio::spawn(stops(Arc::clone(&stop)));
    let mut processor = Processor { consumer, topic, done: BTreeMap::new(), count: 0, repeats: 0 };
    tokio::task::block_in_place(|| processor.run(&stop))?;
    eprintln!("{} repeats dropped", processor.repeats);
    Ok(())
}
