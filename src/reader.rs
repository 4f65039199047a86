//! Reading back: by cursor, the recent events of a source, and replay.

mod catch_up;
mod memory;
mod points;
mod pool;
mod recent;
mod replay;
mod ring;
mod scan;
mod stream;
mod tail;
mod threads;

use std::fmt::Display;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::{Semaphore, oneshot, watch};

use crate::cursor::Cursor;
use crate::event::Source;
pub use crate::kafka::StoredEvent;
use crate::kafka::{self, ClusterState, Heads};
use crate::metrics::{Metrics, ScanOutcome};
use crate::position::Position;
use crate::settings::{self, Settings};
use crate::telemetry;
pub use catch_up::CatchUp;
use memory::Memory;
pub use memory::Step;
use points::Points;
use pool::Pool;
use recent::Recent;
use replay::Replay;
use ring::Hit;
use scan::Scanner;
pub use scan::Stretch;
pub use stream::ReplayStream;
use tail::Tail;
use threads::Threads;

/// How many reads may wait for each thread of scans.
const WAITING: usize = 32;
/// How many bytes of events are asked for at once by [`Reader::events`], as far as can be told.
const FIRST_WAVE: usize = 32;
const MOST_OF_A_WAVE: usize = 128;
/// How often it is looked whether the threads have ended.
const STOP_CHECK: Duration = Duration::from_millis(5);

/// Is shown what the tail has read, in its order, on the tail's thread: it must not wait. What it is
/// shown is in memory already.
pub type Follow = Box<dyn Fn(&[Step]) + Send>;

/// Reads events back, from memory where they are recent, else from Kafka.
#[derive(Clone)]
pub struct Reader {
    shared: Arc<Shared>,
}

/// What all reads share.
pub(crate) struct Shared {
    memory: Arc<Memory>,
    heads: Arc<Heads>,
    tail: Tail,
    points: Points,
    pool: Pool,
    streams: Arc<Semaphore>,
    /// Counts what followers have missed and is being read; they wait for each other.
    catch_ups: Arc<Semaphore>,
    cluster: watch::Receiver<ClusterState>,
    past_counts: Vec<i32>,
    settings: settings::Reader,
    metrics: Arc<Metrics>,
}

/// What is at a cursor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Found {
    /// An event.
    Event(StoredEvent),
    /// Nothing yet: the partition has not come so far.
    NotYet,
    /// Nothing any more: the log begins at this offset now.
    Removed {
        /// The first offset that the partition still has.
        earliest: i64,
    },
    /// The topic has no such partition.
    NoPartition {
        /// How many it has.
        count: i32,
    },
    /// The partition is past it, and no event is there: another record, a transaction's marker, or
    /// one that was compacted away.
    NoEvent,
}

/// Why a read has no answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ReadError {
    /// Kafka did not answer, or not in time.
    Unavailable,
    /// As many reads are under way as are allowed, or it has waited too long for its turn.
    Busy,
    /// The next event alone is larger than an answer may be.
    AnswerFull,
    /// The log no longer holds what comes after the position.
    Removed {
        /// What it holds begins after this position, as far as the reader's partitions go.
        earliest: Position,
    },
}

/// Where a replay begins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Start {
    /// Behind a position.
    After(Position),
    /// At a time, in milliseconds since 1970.
    Time(i64),
}

/// Some events of a source, and where to go on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page {
    /// The events.
    pub events: Vec<StoredEvent>,
    /// Where to go on; none when there is nothing before (newest first), always there otherwise.
    pub next: Option<Position>,
    /// Whether the scan came to an end: the limit was reached, or there is no more.
    pub complete: bool,
}

impl ReadError {
    /// Kafka did not answer: said in the log, as the answer cannot say why.
    fn because(why: impl Display) -> Self {
        telemetry::warn_limited!("events cannot be read: {why}");
        ReadError::Unavailable
    }
}

impl Reader {
    /// Starts the threads that read. They connect by themselves: a cluster that is not there is no
    /// error here.
    ///
    /// # Errors
    /// A setting that librdkafka does not take, or a thread that cannot be started.
    pub fn start(
        settings: &Settings,
        cluster: watch::Receiver<ClusterState>,
        heads: Arc<Heads>,
        follow: Follow,
        metrics: &Arc<Metrics>,
    ) -> Result<Self, String> {
        let memory = Arc::new(Memory::new(settings.reader.memory, metrics));
        let shared = Shared {
            tail: Tail::start(settings, &memory, cluster.clone(), follow, metrics)?,
            memory,
            heads,
            points: Points::start(settings)?,
            pool: Pool::start(settings, settings.reader.scans * WAITING)?,
            streams: Arc::new(Semaphore::new(settings.reader.streams)),
            catch_ups: Arc::new(Semaphore::new(settings.reader.streams)),
            cluster,
            past_counts: settings.kafka.partition_counts.clone(),
            settings: settings.reader.clone(),
            metrics: Arc::clone(metrics),
        };
        Ok(Reader { shared: Arc::new(shared) })
    }

    /// What is at a cursor.
    ///
    /// # Errors
    /// No answer from Kafka in time.
    pub async fn event(&self, cursor: Cursor) -> Result<Found, ReadError> {
        match self.shared.in_memory(cursor) {
            Some(found) => Ok(found),
            None => self.shared.from_kafka(&[cursor]).await.remove(0),
        }
    }

    /// What is at each of the cursors, in their order, in as few reads as possible. Those that no
    /// answer has room for ([`settings::Reader::page_bytes`]) have [`ReadError::AnswerFull`].
    pub async fn events(&self, cursors: &[Cursor]) -> Vec<Result<Found, ReadError>> {
        let mut answers = Vec::with_capacity(cursors.len());
        let mut room = Room::new(self.shared.settings.page_bytes);
        while answers.len() < cursors.len() {
            let rest = &cursors[answers.len()..];
            let wave = &rest[..rest.len().min(room.wave())];
            if wave.is_empty() {
                answers.extend(rest.iter().map(|_| Err(ReadError::AnswerFull)));
                break;
            }
            let found = self.shared.events(wave).await;
            answers.extend(found.into_iter().map(|answer| room.fit(answer)));
        }
        answers
    }

    /// The newest events of a source before a position, newest first.
    ///
    /// # Errors
    /// As in [`ReadError`].
    pub async fn recent(
        &self,
        source: &Source,
        before: Option<&Position>,
        limit: usize,
    ) -> Result<Page, ReadError> {
        let shared = &self.shared;
        let partitions = shared.partitions_of(source)?;
        let bounds = (limit, shared.settings.page_bytes);
        shared.wait_for_the_tail(&partitions, before).await;
        let known = (&*shared.memory, &*shared.heads);
        let recent = Recent::begin(known, source, &partitions, before, bounds);
        let recent = match recent.from_memory() {
            Ok(page) => {
                shared.metrics.reader_looked_up("recent", true);
                return Ok(page);
            }
            Err(recent) => recent,
        };
        shared.metrics.reader_looked_up("recent", false);
        shared.scan(move |scanner, _| recent.page(scanner)).await
    }

    /// The events of a source from a start on, oldest first.
    ///
    /// # Errors
    /// As in [`ReadError`].
    pub async fn replay(
        &self,
        source: &Source,
        start: &Start,
        limit: usize,
    ) -> Result<Page, ReadError> {
        let partitions = self.shared.partitions_of(source)?;
        let (source, start) = (source.clone(), start.clone());
        let page = move |scanner: &mut Scanner<'_>, settings: &settings::Reader| {
            let replay = Replay::begin(scanner, &source, &partitions, &start)?;
            replay.page(scanner, limit, settings.page_bytes)
        };
        self.shared.scan(page).await
    }

    /// The same as a stream without a limit.
    ///
    /// # Errors
    /// As in [`ReadError`], before the first event.
    pub async fn replay_stream(
        &self,
        source: Source,
        start: Start,
    ) -> Result<ReplayStream, ReadError> {
        let shared = &self.shared;
        let permit = Arc::clone(&shared.streams).try_acquire_owned();
        let permit = permit.map_err(|_| shared.refuse())?;
        let partitions = shared.partitions_of(&source)?;
        let begin = move |scanner: &mut Scanner<'_>, _: &settings::Reader| {
            Replay::begin(scanner, &source, &partitions, &start)
        };
        let replay = shared.scan(begin).await?;
        Ok(ReplayStream::new(Arc::clone(shared), replay, permit))
    }

    /// Ends the threads, and waits for them until the deadline. Reads that come later, or wait, are
    /// told that Kafka is not available.
    pub async fn stop(&self, deadline: Instant) {
        self.shared.stop();
        while !self.shared.has_ended() && Instant::now() < deadline {
            tokio::time::sleep(STOP_CHECK).await;
        }
        self.shared.join();
    }
}

impl Shared {
    /// What memory says of a cursor. None when it does not know.
    fn in_memory(&self, cursor: Cursor) -> Option<Found> {
        let found = match self.memory.get(cursor) {
            Hit::Event(event) => Some(Found::Event(event)),
            Hit::NoEvent => Some(Found::NoEvent),
            Hit::Miss => None,
        };
        self.metrics.reader_looked_up("event", found.is_some());
        found
    }

    async fn events(&self, cursors: &[Cursor]) -> Vec<Result<Found, ReadError>> {
        let known: Vec<_> = cursors.iter().map(|cursor| self.in_memory(*cursor)).collect();
        let unknown = cursors.iter().zip(&known).filter(|(_, known)| known.is_none());
        let unknown: Vec<_> = unknown.map(|(cursor, _)| *cursor).collect();
        let mut read = self.from_kafka(&unknown).await.into_iter();
        let answer = |known: Option<Found>| match known {
            Some(found) => Ok(found),
            None => read.next().unwrap_or(Err(ReadError::Unavailable)),
        };
        known.into_iter().map(answer).collect()
    }

    /// Asks for all before it waits for one, so that neighbours are read together.
    async fn from_kafka(&self, cursors: &[Cursor]) -> Vec<Result<Found, ReadError>> {
        if let Err(error) = self.reachable() {
            return vec![Err(error); cursors.len()];
        }
        let _under_way = UnderWay::new(&self.metrics, cursors.len());
        let asked: Vec<_> = cursors.iter().map(|cursor| self.points.ask(*cursor)).collect();
        let mut answers = Vec::with_capacity(asked.len());
        for answer in asked {
            answers.push(match answer {
                Ok(answer) => answer.await.unwrap_or(Err(ReadError::Unavailable)),
                Err(ReadError::Busy) => Err(self.refuse()),
                Err(error) => Err(error),
            });
        }
        answers
    }

    /// Whether it makes sense to ask Kafka. Who is told so at once can try again at once.
    fn reachable(&self) -> Result<(), ReadError> {
        let is_reachable = self.cluster.borrow().is_reachable();
        if is_reachable { Ok(()) } else { Err(ReadError::Unavailable) }
    }

    /// Whoever reads the newest events sees what was acknowledged here before: the tail is some ms
    /// behind.
    async fn wait_for_the_tail(&self, partitions: &[i32], before: Option<&Position>) {
        let from_end =
            |partition: &&i32| before.is_none_or(|position| position.offset(**partition).is_none());
        for &partition in partitions.iter().filter(from_end) {
            if let Some(head) = self.heads.of(partition) {
                self.memory.reaches(partition, head).await;
            }
        }
    }

    /// In which partitions events of a source may be.
    fn partitions_of(&self, source: &Source) -> Result<Vec<i32>, ReadError> {
        let count = self.partitions()?;
        Ok(kafka::partitions_of(source.id().as_bytes(), count, &self.past_counts))
    }

    /// How many partitions there are, or were when that was last known.
    fn partitions(&self) -> Result<i32, ReadError> {
        let known = self.cluster.borrow().partitions().map(|partitions| partitions.total);
        // Without Kafka, what is in memory is still there.
        let known = known.and_then(|count| i32::try_from(count).ok()).or(self.memory.partitions());
        known.ok_or(ReadError::Unavailable)
    }

    /// Has something read by one of the threads of scans.
    async fn scan<T: Send + 'static>(
        self: &Arc<Self>,
        read: impl FnOnce(&mut Scanner<'_>, &settings::Reader) -> Result<T, ReadError> + Send + 'static,
    ) -> Result<T, ReadError> {
        self.reachable()?;
        let _under_way = UnderWay::new(&self.metrics, 1);
        let (reply, answer) = oneshot::channel();
        let (shared, asked) = (Arc::clone(self), Instant::now());
        let job = move |consumer: &kafka::LogConsumer| {
            let is_gone = || reply.is_closed() || shared.pool.is_stopped();
            if is_gone() {
                return;
            }
            // What waited behind reads of a Kafka that does not answer would only wait once more.
            if asked.elapsed() >= shared.settings.timeout {
                let _ = reply.send(Err(shared.refuse()));
                return;
            }
            let mut scanner = Scanner::new(consumer, &shared.settings, &is_gone);
            let result = read(&mut scanner, &shared.settings);
            shared.count_scan(&scanner, result.as_ref().map(|_| !scanner.is_exhausted()));
            drop(scanner);
            let _ = reply.send(result);
        };
        self.pool.page(Box::new(job)).map_err(|_| self.refuse())?;
        answer.await.unwrap_or(Err(ReadError::Unavailable))
    }

    fn refuse(&self) -> ReadError {
        self.metrics.reader_scanned(ScanOutcome::Busy, 0);
        ReadError::Busy
    }

    /// Counts a scan that went well, to the end or not, or did not.
    fn count_scan(&self, scanner: &Scanner<'_>, result: Result<bool, &ReadError>) {
        let outcome = match result {
            _ if scanner.is_gone() => ScanOutcome::Abandoned,
            Ok(true) => ScanOutcome::Complete,
            Ok(false) => ScanOutcome::Unfinished,
            Err(ReadError::Removed { .. }) => ScanOutcome::Removed,
            Err(_) => ScanOutcome::Unavailable,
        };
        self.metrics.reader_scanned(outcome, scanner.spent.records);
    }

    fn stop(&self) {
        self.catch_ups.close();
        self.tail.stop();
        self.points.stop();
        self.pool.stop();
    }

    fn has_ended(&self) -> bool {
        self.threads().iter().all(|threads| threads.have_ended())
    }

    fn join(&self) {
        self.threads().iter().for_each(|threads| threads.join());
    }

    fn threads(&self) -> [&Threads; 3] {
        [self.tail.threads(), self.points.threads(), self.pool.threads()]
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        self.stop();
    }
}

/// Counts reads while they are under way.
struct UnderWay<'a> {
    metrics: &'a Metrics,
    count: i64,
}

impl<'a> UnderWay<'a> {
    fn new(metrics: &'a Metrics, count: usize) -> Self {
        let count = count as i64;
        metrics.reader_under_way.inc_by(count);
        UnderWay { metrics, count }
    }
}

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        self.metrics.reader_under_way.dec_by(self.count);
    }
}

/// The room of one answer with several events. What is asked for at once depends on how large the
/// events were so far, so that not much more is read than has room.
struct Room {
    left: usize,
    found: usize,
    bytes: usize,
}

impl Room {
    fn new(bytes: usize) -> Self {
        Room { left: bytes, found: 0, bytes: 0 }
    }

    fn wave(&self) -> usize {
        if self.left == 0 {
            return 0;
        }
        if self.found == 0 {
            return FIRST_WAVE;
        }
        (self.left / (self.bytes / self.found).max(1)).clamp(1, MOST_OF_A_WAVE)
    }

    /// The answer, if there is room for it. The first event always has.
    fn fit(&mut self, answer: Result<Found, ReadError>) -> Result<Found, ReadError> {
        let Ok(Found::Event(event)) = &answer else { return answer };
        if event.len() > self.left && self.found > 0 {
            self.left = 0;
            return Err(ReadError::AnswerFull);
        }
        self.left = self.left.saturating_sub(event.len());
        self.found += 1;
        self.bytes += event.len();
        answer
    }
}
