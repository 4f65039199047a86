//! The tail: every partition is followed into memory, from the last of what it has.

mod place;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use tokio::sync::watch;

use super::Follow;
use super::memory::{Memory, Step};
use super::threads::Threads;
use crate::kafka::{ClusterState, Feed, Fetch, From, Item, LogConsumer};
use crate::metrics::Metrics;
use crate::settings::{self, Settings};
use crate::telemetry;
use place::Place;

/// How long the thread waits for something new before it looks whether it should end.
const TURN: Duration = Duration::from_millis(100);
/// How often it is looked where partitions begin and end, and how many there are.
const LOOK: Duration = Duration::from_millis(250);
/// How soon a partition that could not be read is tried again.
const PAUSE: Duration = Duration::from_secs(1);
/// How long the number of partitions may take to be told. Those that are there are not read
/// meanwhile.
const COUNT: Duration = Duration::from_millis(500);

/// The thread that follows.
pub(super) struct Tail {
    stop: Arc<AtomicBool>,
    threads: Threads,
}

impl Tail {
    /// Starts it, unless there is no memory for what it would read, nor are there any streams.
    ///
    /// # Errors
    /// The consumer or the thread cannot be made.
    pub(super) fn start(
        settings: &Settings,
        memory: &Arc<Memory>,
        cluster: watch::Receiver<ClusterState>,
        follow: Follow,
        metrics: &Arc<Metrics>,
    ) -> Result<Self, String> {
        let (stop, mut threads) = (Arc::new(AtomicBool::new(false)), Threads::default());
        if settings.reader.memory == 0 && settings.live.streams == 0 {
            return Ok(Tail { stop, threads });
        }
        let fetch = Fetch::Tail { wait: settings.reader.tail_wait };
        let consumer = LogConsumer::new(settings, fetch)?;
        let (reader, memory, metrics) =
            (settings.reader.clone(), Arc::clone(memory), Arc::clone(metrics));
        let stopped = Arc::clone(&stop);
        threads.spawn("reader-tail", move || {
            let feed = match consumer.feed() {
                Ok(feed) => feed,
                Err(error) => return tracing::error!("the log is not followed: {error}"),
            };
            let mut follower = Follower {
                consumer: &consumer,
                feed,
                settings: &reader,
                memory: &memory,
                cluster,
                follow,
                metrics: &metrics,
                places: BTreeMap::new(),
                steps: Vec::new(),
                looked: None,
            };
            while !stopped.load(Ordering::Acquire) {
                follower.turn();
            }
        })?;
        Ok(Tail { stop, threads })
    }

    /// Ends the thread soon.
    pub(super) fn stop(&self) {
        self.stop.store(true, Ordering::Release);
    }

    pub(super) fn threads(&self) -> &Threads {
        &self.threads
    }
}

struct Follower<'c> {
    consumer: &'c LogConsumer,
    feed: Feed<'c>,
    settings: &'c settings::Reader,
    memory: &'c Memory,
    cluster: watch::Receiver<ClusterState>,
    follow: Follow,
    metrics: &'c Metrics,
    places: BTreeMap<i32, Place>,
    /// What has been read and is not in memory yet.
    steps: Vec<Step>,
    looked: Option<Instant>,
}

impl Follower<'_> {
    fn turn(&mut self) {
        if self.looked.is_none_or(|looked| looked.elapsed() >= LOOK) {
            self.looked = Some(Instant::now());
            self.find_partitions();
            self.open();
            self.measure();
            self.consumer.serve();
        }
        let mut starts = self.read();
        starts.extend(self.arrivals());
        self.memory.take(&self.steps);
        (self.follow)(&self.steps);
        self.steps.clear();
        starts.into_iter().for_each(|(partition, from)| self.start(partition, from));
    }

    fn find_partitions(&mut self) {
        let Some(partitions) = self.cluster.borrow().partitions() else { return };
        let count = i32::try_from(partitions.total).unwrap_or(i32::MAX);
        self.memory.has_partitions(count);
        if self.places.len() >= partitions.total {
            return;
        }
        // librdkafka does not read a partition that it has not heard of, and asks seldom.
        if self.consumer.partitions(COUNT).is_ok_and(|heard| heard >= count) {
            for partition in 0..count {
                self.places.entry(partition).or_default();
            }
        }
    }

    fn open(&mut self) {
        let now = Instant::now();
        let due = self.places.iter().filter(|(_, place)| place.is_due(now));
        let due: Vec<_> = due.map(|(partition, _)| *partition).collect();
        due.into_iter().for_each(|partition| self.start(partition, Place::FIRST));
    }

    fn start(&mut self, partition: i32, from: From) {
        let Some(place) = self.places.get_mut(&partition) else { return };
        place.start(from);
        if let Err(error) = self.feed.start(partition, from) {
            telemetry::warn_limited!("partition {partition} is not followed: {error}");
            place.close(Instant::now() + PAUSE);
        }
    }

    /// Reads on, and says which partitions have to be started anew, and from where.
    fn read(&mut self) -> Vec<(i32, From)> {
        let mut starts = Vec::new();
        let warm = self.warm();
        let (places, steps) = (&mut self.places, &mut self.steps);
        let wait = if places.is_empty() { Duration::from_millis(20) } else { TURN };
        self.feed.take(wait, |item| match item {
            Item::Record(record) => {
                if let Some(place) = places.get_mut(&record.partition()) {
                    place.take(&record, steps);
                }
            }
            Item::End { partition, offset } => {
                if let Some(place) = places.get_mut(&partition)
                    && let Some(from) = place.end(partition, offset, warm, steps)
                {
                    starts.push((partition, from));
                }
            }
            Item::OutOfRange { partition } => {
                if let Some(place) = places.get_mut(&partition) {
                    steps.push(Step::Lost { partition });
                    starts.push((partition, place.out_of_range()));
                }
            }
            Item::Failed { partition, why } => {
                telemetry::warn_limited!("partition {partition} is not followed: {why}");
                if let Some(place) = places.get_mut(&partition) {
                    steps.push(Step::Lost { partition });
                    place.close(Instant::now() + PAUSE);
                }
            }
        });
        starts
    }

    /// Notices ends that were reached by what the last answer said of them. Kafka itself says so
    /// only after it has waited for something new.
    fn arrivals(&mut self) -> Vec<(i32, From)> {
        let warm = self.warm();
        let (places, steps, consumer) = (&mut self.places, &mut self.steps, self.consumer);
        let arrived = places.iter_mut().filter_map(|(&partition, place)| {
            let next = place.next().filter(|_| place.is_catching_up())?;
            let is_there = consumer.last_bounds(partition).is_some_and(|b| b.end <= next);
            let from = if is_there { place.end(partition, next, warm, steps) } else { None };
            from.map(|from| (partition, from))
        });
        arrived.collect()
    }

    /// How much of each partition is read at the start.
    fn warm(&self) -> usize {
        self.settings.warm.min(self.settings.memory / self.places.len().max(1))
    }

    /// Where the log begins, which readers have to know, and how far there is to go.
    fn measure(&mut self) {
        let mut lag = 0;
        for (&partition, place) in &self.places {
            if let Some(bounds) = self.consumer.last_bounds(partition) {
                self.memory.begins(partition, bounds.start);
                let next = place.next().unwrap_or(bounds.start);
                lag += (bounds.end - next.max(bounds.start)).max(0);
            }
        }
        self.metrics.reader_tail_lag.set(lag);
    }
}
