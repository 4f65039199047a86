//! What all reads share, and what they have in common.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::{Semaphore, oneshot, watch};

use super::answer::Answer;
use super::memory::Memory;
use super::points::Points;
use super::pool::Pool;
use super::ring::Hit;
use super::room::Room;
use super::scan::Scanner;
use super::tail::Tail;
use super::threads::Threads;
use super::{Follow, Found, ReadError};
use crate::cursor::Cursor;
use crate::event::Source;
use crate::kafka::{self, ClusterState, Heads};
use crate::metrics::{Metrics, ScanOutcome};
use crate::position::Position;
use crate::settings::{self, Settings};

/// How many reads may wait for each thread of scans.
const WAITING: usize = 32;
/// How often it is looked whether the threads have ended.
const STOP_CHECK: Duration = Duration::from_millis(5);

/// What all reads share.
pub(super) struct Shared {
    pub(super) memory: Arc<Memory>,
    pub(super) heads: Arc<Heads>,
    tail: Tail,
    points: Points,
    pub(super) pool: Pool,
    pub(super) streams: Arc<Semaphore>,
    /// Counts what followers have missed and is being read; they wait for each other.
    pub(super) catch_ups: Arc<Semaphore>,
    cluster: watch::Receiver<ClusterState>,
    past_counts: Vec<i32>,
    pub(super) settings: settings::Reader,
    pub(super) metrics: Arc<Metrics>,
}

impl Shared {
    pub(super) fn start(
        settings: &Settings,
        cluster: watch::Receiver<ClusterState>,
        (heads, follow): (Arc<Heads>, Follow),
        metrics: &Arc<Metrics>,
    ) -> Result<Self, String> {
        let memory = Arc::new(Memory::new(settings.reader.memory, metrics));
        Ok(Shared {
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
        })
    }

    /// Ends the threads, and waits for them until the deadline.
    pub(super) async fn end(&self, deadline: Instant) {
        self.stop();
        while !self.has_ended() && Instant::now() < deadline {
            tokio::time::sleep(STOP_CHECK).await;
        }
        self.threads().iter().for_each(|threads| threads.join());
    }

    /// What memory says of a cursor. None when it does not know.
    pub(super) fn in_memory(&self, cursor: Cursor) -> Option<Found> {
        let found = match self.memory.get(cursor) {
            Hit::Event(event) => Some(Found::Event(event)),
            Hit::NoEvent => Some(Found::NoEvent),
            Hit::Miss => None,
        };
        self.metrics.reader_looked_up("event", found.is_some());
        found
    }

    /// What is at each of the cursors, in their order. What is in memory has room in the answer
    /// before what has to be read.
    pub(super) async fn events(&self, cursors: &[Cursor]) -> Vec<Answer> {
        let room = Arc::new(Room::new(self.settings.page_bytes));
        let known = cursors.iter().map(|cursor| match self.in_memory(*cursor)? {
            Found::Event(event) if !room.take(event.len()) => Some(Err(ReadError::AnswerFull)),
            found => Some(Ok(found)),
        });
        let known: Vec<_> = known.collect();
        let unknown = cursors.iter().zip(&known).filter(|(_, known)| known.is_none());
        let unknown: Vec<_> = unknown.map(|(cursor, _)| *cursor).collect();
        let mut read = self.ask_kafka(&unknown, room).await.into_iter();
        let answer = |known: Option<Answer>| {
            known.or_else(|| read.next()).unwrap_or(Err(ReadError::Unavailable))
        };
        known.into_iter().map(answer).collect()
    }

    /// What Kafka has at a cursor.
    pub(super) async fn event_from_kafka(&self, cursor: Cursor) -> Answer {
        let mut answers = self.ask_kafka(&[cursor], Arc::new(Room::new(usize::MAX))).await;
        answers.pop().unwrap_or(Err(ReadError::Unavailable))
    }

    /// Asks for all before it waits for one, so that neighbours are read together, whatever their
    /// order, and so that all wait at the same time for a Kafka that does not answer.
    async fn ask_kafka(&self, cursors: &[Cursor], room: Arc<Room>) -> Vec<Answer> {
        if let Err(error) = self.reachable() {
            return vec![Err(error); cursors.len()];
        }
        let _under_way = UnderWay::new(&self.metrics, cursors.len());
        let asked: Vec<_> = cursors.iter().map(|cursor| self.points.ask(*cursor, &room)).collect();
        let mut answers = Vec::with_capacity(asked.len());
        for answer in asked {
            let answer = match answer {
                Ok(answer) => answer.await.unwrap_or(Err(ReadError::Unavailable)),
                Err(error) => Err(error),
            };
            answers.push(match answer {
                Err(ReadError::Busy) => Err(self.refuse()),
                answer => answer,
            });
        }
        answers
    }

    /// Whether it makes sense to ask Kafka. Who is told so at once can try again at once.
    pub(super) fn reachable(&self) -> Result<(), ReadError> {
        let is_reachable = self.cluster.borrow().is_reachable();
        if is_reachable { Ok(()) } else { Err(ReadError::Unavailable) }
    }

    /// Whoever reads the newest events sees what was acknowledged here before: the tail is some ms
    /// behind.
    pub(super) async fn wait_for_the_tail(&self, partitions: &[i32], before: Option<&Position>) {
        let is_from_end =
            |partition: &i32| before.is_none_or(|position| position.offset(*partition).is_none());
        let from_end = partitions.iter().copied().filter(is_from_end);
        let head = |partition| Some((partition, self.heads.of(partition)?));
        let heads: Vec<_> = from_end.filter_map(head).collect();
        self.memory.reaches(&heads).await;
    }

    /// In which partitions events of a source may be.
    pub(super) fn partitions_of(&self, source: &Source) -> Result<Vec<i32>, ReadError> {
        let count = self.partitions()?;
        Ok(kafka::partitions_of(source.id().as_bytes(), count, &self.past_counts))
    }

    /// How many partitions there are, or were when that was last known.
    pub(super) fn partitions(&self) -> Result<i32, ReadError> {
        let known = self.cluster.borrow().partitions().map(|partitions| partitions.total);
        // Without Kafka, what is in memory is still there.
        let known = known.and_then(|count| i32::try_from(count).ok()).or(self.memory.partitions());
        known.ok_or(ReadError::Unavailable)
    }

    /// Has something read by one of the threads of scans.
    pub(super) async fn scan<T: Send + 'static>(
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

    pub(super) fn refuse(&self) -> ReadError {
        self.metrics.reader_scanned(ScanOutcome::Busy, 0);
        ReadError::Busy
    }

    /// Counts a scan that went well, to the end or not, or did not.
    pub(super) fn count_scan(&self, scanner: &Scanner<'_>, result: Result<bool, &ReadError>) {
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
