//! Single events from Kafka: whoever asks at the same time for neighbours shares a read.

mod ask;
mod lane;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TryRecvError, sync_channel};
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use tokio::sync::{Semaphore, oneshot};

use super::answer::Answer;
use super::room::Room;
use super::threads::Threads;
use super::{Found, ReadError};
use crate::cursor::Cursor;
use crate::kafka::{Feed, Fetch, From, Item, LogConsumer};
use crate::settings::Settings;
use ask::{Ask, Budget};
use lane::{Lane, OutOfRange};

/// How many questions may wait for an answer.
const WAITING: usize = 16 * 1024;
/// How many answers' worth of events may have been read and not been taken.
const UNTAKEN: usize = 4;
/// How often an idle thread lets its consumer speak.
const IDLE: Duration = Duration::from_secs(1);
/// How long the thread waits for Kafka before it looks for new questions.
const TURN: Duration = Duration::from_millis(1);
/// How long where a partition begins and ends may take to be told. It has just answered.
const BOUNDS: Duration = Duration::from_secs(1);
/// How old what is known of the number of partitions may be when it says that there is none.
const COUNT_AGE: Duration = Duration::from_millis(100);
/// How long that number may take to be told anew. Those that are there are not read meanwhile.
const COUNT: Duration = Duration::from_millis(500);
/// How soon it is asked for again when it was not told.
const COUNT_PAUSE: Duration = Duration::from_secs(2);

/// Answers what is at a cursor.
pub(super) struct Points {
    asks: Mutex<Option<SyncSender<Ask>>>,
    waiting: Arc<Semaphore>,
    threads: Threads,
}

impl Points {
    /// Starts the thread.
    ///
    /// # Errors
    /// The consumer or the thread cannot be made.
    pub(super) fn start(settings: &Settings) -> Result<Self, String> {
        let (asks, asked) = sync_channel(WAITING);
        let consumer = LogConsumer::new(settings, Fetch::Points)?;
        let timeout = settings.reader.timeout;
        let budget = Budget::new(settings.reader.page_bytes.saturating_mul(UNTAKEN));
        let mut threads = Threads::default();
        threads.spawn("reader-points", move || work(&consumer, &asked, budget, timeout))?;
        let waiting = Arc::new(Semaphore::new(WAITING));
        Ok(Points { asks: Mutex::new(Some(asks)), waiting, threads })
    }

    /// Asks for what is at a cursor, for an answer with this room, and comes back with where it
    /// will be.
    ///
    /// # Errors
    /// Too many wait, or the thread has ended.
    pub(super) fn ask(
        &self,
        cursor: Cursor,
        room: &Arc<Room>,
    ) -> Result<oneshot::Receiver<Answer>, ReadError> {
        let waiting = Arc::clone(&self.waiting).try_acquire_owned();
        let waiting = waiting.map_err(|_| ReadError::Busy)?;
        let (ask, answer) = Ask::new(cursor, Arc::clone(room), waiting);
        let asks = self.asks.lock();
        let asks = asks.as_ref().ok_or(ReadError::Unavailable)?;
        asks.try_send(ask).map_err(|_| ReadError::Busy)?;
        Ok(answer)
    }

    /// Takes no more questions, and ends the thread when the last one is answered.
    pub(super) fn stop(&self) {
        self.asks.lock().take();
    }

    pub(super) fn threads(&self) -> &Threads {
        &self.threads
    }
}

fn work(consumer: &LogConsumer, asked: &Receiver<Ask>, budget: Budget, timeout: Duration) {
    let feed = match consumer.feed() {
        Ok(feed) => feed,
        Err(error) => return tracing::error!("events cannot be read: {error}"),
    };
    let lanes = BTreeMap::new();
    let mut worker = Worker { consumer, feed, lanes, count: None, untold: None, budget, timeout };
    while worker.turn(asked) {}
}

struct Worker<'c> {
    consumer: &'c LogConsumer,
    feed: Feed<'c>,
    /// Of partitions of which something is asked.
    lanes: BTreeMap<i32, Lane>,
    /// How many partitions there are, and when that was said.
    count: Option<(i32, Instant)>,
    /// Since when nobody tells.
    untold: Option<Instant>,
    budget: Budget,
    timeout: Duration,
}

impl Worker<'_> {
    /// Takes what is asked, and reads on. False when there is nothing left to do, ever.
    fn turn(&mut self, asked: &Receiver<Ask>) -> bool {
        if self.lanes.is_empty() {
            self.consumer.serve();
            match asked.recv_timeout(IDLE) {
                Ok(ask) => self.accept(ask),
                Err(RecvTimeoutError::Timeout) => return true,
                Err(RecvTimeoutError::Disconnected) => return false,
            }
        }
        for _ in 0..WAITING {
            match asked.try_recv() {
                Ok(ask) => self.accept(ask),
                Err(TryRecvError::Empty | TryRecvError::Disconnected) => break,
            }
        }
        self.start_runs();
        self.read();
        self.give_up_late_ones();
        true
    }

    fn accept(&mut self, ask: Ask) {
        let partition = ask.cursor().partition();
        match self.has(partition) {
            Ok(true) => {
                self.lanes.entry(partition).or_default().add(ask);
            }
            Ok(false) => {
                let count = self.count.map_or(0, |(count, _)| count);
                ask.answer(Ok(Found::NoPartition { count }));
            }
            Err(error) => ask.answer(Err(error)),
        }
    }

    /// Whether there is such a partition. librdkafka is silent about one that is not there.
    fn has(&mut self, partition: i32) -> Result<bool, ReadError> {
        if let Some((count, said)) = self.count
            && (partition < count || said.elapsed() < COUNT_AGE)
        {
            return Ok(partition < count);
        }
        if self.untold.is_some_and(|since| since.elapsed() < COUNT_PAUSE) {
            return Err(ReadError::Unavailable);
        }
        let limit = if self.count.is_some() { COUNT.min(self.timeout) } else { self.timeout };
        let asked = self.consumer.partitions(limit);
        self.untold = asked.is_err().then(Instant::now);
        let count = asked.map_err(ReadError::because)?;
        self.count = Some((count, Instant::now()));
        Ok(partition < count)
    }

    fn start_runs(&mut self) {
        for (&partition, lane) in &mut self.lanes {
            if let Some(from) = lane.next_run()
                && let Err(error) = self.feed.start(partition, From::Offset(from))
            {
                let error = ReadError::because(error);
                lane.fail(&error);
            }
        }
        self.lanes.retain(|_, lane| !lane.is_idle());
    }

    fn read(&mut self) {
        let mut out_of_range = Vec::new();
        let (lanes, budget) = (&mut self.lanes, &self.budget);
        self.feed.take(TURN, |item| match item {
            Item::Record(record) => {
                if let Some(lane) = lanes.get_mut(&record.partition()) {
                    lane.see(record.offset(), budget, || record.event());
                }
            }
            Item::End { partition, offset } => {
                if let Some(lane) = lanes.get_mut(&partition) {
                    lane.end(offset);
                }
            }
            Item::OutOfRange { partition } => out_of_range.push(partition),
            Item::Failed { partition, why } => {
                if let Some(lane) = lanes.get_mut(&partition) {
                    lane.fail(&ReadError::because(why));
                }
            }
        });
        out_of_range.into_iter().for_each(|partition| self.look_at_bounds(partition));
        self.stop_finished();
    }

    /// The same answer comes for offsets that are not there any more and for those that are not
    /// there yet. It may also belong to a read before this one.
    fn look_at_bounds(&mut self, partition: i32) {
        let Some(lane) = self.lanes.get_mut(&partition).filter(|lane| lane.runs()) else { return };
        match self.consumer.bounds(partition, BOUNDS) {
            Err(error) => lane.fail(&ReadError::because(error)),
            Ok(bounds) => match lane.out_of_range(&bounds) {
                OutOfRange::Done => {}
                OutOfRange::From(offset) => {
                    if let Err(error) = self.feed.start(partition, From::Offset(offset)) {
                        lane.fail(&ReadError::because(error));
                    }
                }
            },
        }
    }

    fn give_up_late_ones(&mut self) {
        let now = Instant::now();
        self.lanes.values_mut().for_each(|lane| lane.give_up(now, self.timeout));
        self.stop_finished();
    }

    fn stop_finished(&mut self) {
        for (&partition, lane) in &mut self.lanes {
            if lane.has_finished() {
                self.feed.stop(partition);
            }
        }
        self.lanes.retain(|_, lane| !lane.is_idle());
    }
}
