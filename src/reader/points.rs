//! Single events from Kafka: whoever asks at the same time for neighbours shares a read.

mod lane;

use std::collections::BTreeMap;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TryRecvError, sync_channel};
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use tokio::sync::oneshot;

use super::threads::Threads;
use super::{Found, ReadError};
use crate::cursor::Cursor;
use crate::kafka::{Feed, Fetch, From, Item, LogConsumer};
use crate::settings::Settings;
use lane::{Lane, OutOfRange};

/// How many questions may wait for the thread.
const ROOM: usize = 4096;
/// How often an idle thread lets its consumer speak.
const IDLE: Duration = Duration::from_secs(1);
/// How long the thread waits for Kafka before it looks for new questions.
const TURN: Duration = Duration::from_millis(1);
/// How long where a partition begins and ends may take to be told. It has just answered.
const BOUNDS: Duration = Duration::from_secs(1);
/// How old what is known of the number of partitions may be when it says that there is none.
const COUNT_AGE: Duration = Duration::from_millis(100);

/// A question that is asked once, and answered once.
pub(super) struct Ask {
    cursor: Cursor,
    deadline: Instant,
    reply: oneshot::Sender<Answer>,
}

type Answer = Result<Found, ReadError>;

/// Answers what is at a cursor.
pub(super) struct Points {
    asks: Mutex<Option<SyncSender<Ask>>>,
    timeout: Duration,
    threads: Threads,
}

impl Points {
    /// Starts the thread.
    ///
    /// # Errors
    /// The consumer or the thread cannot be made.
    pub(super) fn start(settings: &Settings) -> Result<Self, String> {
        let (asks, asked) = sync_channel(ROOM);
        let consumer = LogConsumer::new(settings, Fetch::Points)?;
        let timeout = settings.reader.timeout;
        let mut threads = Threads::default();
        threads.spawn("reader-points", move || work(&consumer, &asked, timeout))?;
        Ok(Points { asks: Mutex::new(Some(asks)), timeout, threads })
    }

    /// Asks for what is at a cursor, and comes back with where the answer will be.
    ///
    /// # Errors
    /// Too many wait, or the thread has ended.
    pub(super) fn ask(&self, cursor: Cursor) -> Result<oneshot::Receiver<Answer>, ReadError> {
        let (reply, answer) = oneshot::channel();
        let ask = Ask { cursor, deadline: Instant::now() + self.timeout, reply };
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

fn work(consumer: &LogConsumer, asked: &Receiver<Ask>, timeout: Duration) {
    let feed = match consumer.feed() {
        Ok(feed) => feed,
        Err(error) => return tracing::error!("events cannot be read: {error}"),
    };
    let mut worker = Worker { consumer, feed, lanes: BTreeMap::new(), count: None, timeout };
    while worker.turn(asked) {}
}

struct Worker<'c> {
    consumer: &'c LogConsumer,
    feed: Feed<'c>,
    /// Of partitions of which something is asked.
    lanes: BTreeMap<i32, Lane>,
    /// How many partitions there are, and when that was said.
    count: Option<(i32, Instant)>,
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
        for _ in 0..ROOM {
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
        match self.has(ask.cursor.partition()) {
            Ok(true) => {
                self.lanes.entry(ask.cursor.partition()).or_default().add(ask);
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
        let count = self.consumer.partitions(self.timeout).map_err(ReadError::because)?;
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
        let lanes = &mut self.lanes;
        self.feed.take(TURN, |item| match item {
            Item::Record(record) => {
                if let Some(lane) = lanes.get_mut(&record.partition()) {
                    lane.see(record.offset(), || record.event());
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
        self.lanes.values_mut().for_each(|lane| lane.give_up(now));
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

impl Ask {
    fn answer(self, answer: Answer) {
        // Whoever asked may have gone.
        let _ = self.reply.send(answer);
    }
}
