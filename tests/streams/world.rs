//! Everything at work: a broker, a Redis, two instances of the service, writers, and readers.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use fastrand::Rng;
use tokio::task::JoinHandle;
use tokio::time::sleep;

use super::audience::{Audience, Found};
use super::faults::Fault;
use super::instances::{Instance, WAYS};
use super::log::Log;
use super::report::Report;
use crate::harness::app::Builder;
use crate::harness::load::traffic::{Plan, Traffic};
use crate::harness::{Broker, PATIENCE, RedisServer, TestApp, unique};

/// How often progress is told.
const PROGRESS: Duration = Duration::from_secs(10);
/// Between two looks at a condition.
const LOOK: Duration = Duration::from_millis(20);

pub struct World {
    seed: u64,
    rng: Rng,
    pub broker: Broker,
    pub redis: RedisServer,
    pub topic: String,
    pub partitions: usize,
    pub instances: Vec<Instance>,
    pub audience: Audience,
    pub log: Log,
    source_types: [String; 2],
    traffic: Vec<Traffic>,
    delivered: BTreeMap<&'static str, u64>,
    pub report: Report,
    progress: Arc<Mutex<String>>,
}

impl World {
    pub async fn start(seed: u64) -> Self {
        eprintln!("    streams: SEED={seed} repeats what is drawn by chance");
        let (mut broker, mut redis) = (Broker::new(), RedisServer::new());
        tokio::join!(broker.start(), redis.start());
        let topic = unique("streams");
        let builder = builder(&broker.address(), &redis.url(), &topic);
        // One has next to nothing in memory, so that it has to ask Kafka for what was missed.
        let forgetful = builder.clone().set("reader.memory", "64KiB");
        // The topic is made by the first.
        let instances = vec![Instance::start(builder).await, Instance::start(forgetful).await];
        let source_types = ["a", "b"].map(unique);
        let audience = Audience::start(&instances, &source_types, seed);
        World {
            seed,
            rng: Rng::with_seed(seed),
            broker,
            redis,
            topic,
            partitions: PARTITIONS,
            instances,
            audience,
            log: Log::default(),
            source_types,
            traffic: Vec::new(),
            delivered: BTreeMap::new(),
            report: Report::default(),
            progress: Arc::default(),
        }
    }

    pub fn brokers(&self) -> String {
        self.broker.address()
    }

    /// Tells now and then how far it has come, so that nobody takes it for stuck.
    pub fn tell(&self) -> JoinHandle<()> {
        let (started, progress) = (Instant::now(), Arc::clone(&self.progress));
        tokio::spawn(async move {
            loop {
                sleep(PROGRESS).await;
                let progress = progress.lock().expect("no panic").clone();
                eprintln!("    {} s: {progress}", started.elapsed().as_secs());
            }
        })
    }

    /// One turn: writers at full speed, a fault, and then everything is judged.
    pub async fn turn(&mut self, fault: Fault, lasts: Duration) {
        let started = Instant::now();
        *self.progress.lock().expect("no panic") = format!("{}; {}", fault.name(), self.line());
        self.write();
        self.flows().await;
        let mut rng = self.rng.fork();
        fault.strike(self, lasts, &mut rng).await;
        self.flows().await;
        let written = self.quiet().await;
        self.settle().await;
        let found = self.judge();
        self.sample().await;
        eprintln!(
            "    {}, {:.1} s: {}",
            fault.name(),
            started.elapsed().as_secs_f64(),
            self.line()
        );
        if !found.all.is_truthful() {
            for instance in &self.instances {
                let log = instance.app.log();
                eprintln!("{}", log[log.len().saturating_sub(40)..].join("\n"));
            }
        }
        let (seed, told) = (self.seed, found.all.told());
        assert!(found.all.is_truthful(), "{} (SEED={seed}): {told}", fault.name());
        if fault == Fault::RetentionPassesAReader {
            assert!(found.all.resets > 0, "nobody noted a reset");
        }
        self.report.add(fault, written, &found);
    }

    /// The next fault, by chance, and for how long.
    pub fn draw(&mut self, faults: &[Fault], longest: u64) -> (Fault, Duration) {
        let lasts = Duration::from_millis(self.rng.u64(100..longest));
        (faults[self.rng.usize(..faults.len())], lasts)
    }

    /// Writers of one type of source at both instances, and of another one at the second.
    fn write(&mut self) {
        let writers = [(0, 0), (1, 0), (1, 1)];
        for (index, (instance, source_type)) in writers.into_iter().enumerate() {
            let (first, seed) = (10 * index, self.rng.u64(..));
            let data = 20..DATA;
            let plan = Plan {
                singles: 4,
                batches: 1,
                batch_size: 20,
                first,
                data,
                rest: Duration::ZERO,
                seed,
            };
            let target = self.instances[instance].address.subscribe();
            self.traffic.push(Traffic::start(&self.source_types[source_type], &plan, &target));
        }
    }

    /// Waits until all writers have had a hundred more events stored.
    pub async fn flows(&self) {
        let before: Vec<_> = self.traffic.iter().map(|traffic| traffic.counts.stored()).collect();
        self.until("events are stored", || {
            let now = self.traffic.iter().map(|traffic| traffic.counts.stored());
            now.zip(&before).all(|(now, before)| now > before + 100)
        })
        .await;
    }

    /// Lets the writers finish, and gives how many events they had stored.
    async fn quiet(&mut self) -> u64 {
        let mut written = 0;
        for traffic in self.traffic.drain(..) {
            let counts = traffic.counts.clone();
            traffic.stop().await;
            written += counts.stored();
        }
        written
    }

    /// Reads the log on to its end.
    pub async fn read_on(&mut self) -> usize {
        let (brokers, topic) = (self.brokers(), self.topic.clone());
        let mut log = std::mem::take(&mut self.log);
        let reading = tokio::task::spawn_blocking(move || (log.read_on(&brokers, &topic), log));
        let (count, log) = reading.await.expect("the log is read");
        self.log = log;
        count
    }

    /// Waits until all readers have come to the end of the log, and something after that.
    async fn settle(&mut self) {
        self.audience.settles(true);
        self.read_on().await;
        loop {
            let end = self.log.end();
            let what = "all readers have come to the end of the log";
            self.until(what, || self.audience.is_at(&end)).await;
            self.audience.listens();
            self.until("a heartbeat has come", || self.audience.has_heard()).await;
            if self.read_on().await == 0 {
                return;
            }
        }
    }

    /// Holds what was read against the log, and forgets both.
    fn judge(&mut self) -> Found {
        let found = self.audience.judge(&self.log);
        self.log.forget();
        self.audience.settles(false);
        found
    }

    /// Asks the instances what they have delivered, before they end or at the end of a turn.
    pub async fn sample(&mut self) {
        for instance in &mut self.instances {
            for (way, count) in instance.delivered().await {
                *self.delivered.entry(way).or_default() += count;
            }
        }
    }

    /// How many events only Kafka delivered.
    pub fn by_kafka(&self) -> u64 {
        ["tail", "log"].iter().filter_map(|way| self.delivered.get(way)).sum()
    }

    /// How many Redis delivered before that.
    pub fn by_redis(&self) -> u64 {
        self.delivered.get("early").copied().unwrap_or(0)
    }

    /// The most memory that any instance had.
    pub fn peak_kib(&self) -> u64 {
        self.instances.iter().map(|instance| instance.peak_kib).max().unwrap_or(0)
    }

    async fn until(&self, what: &str, so: impl Fn() -> bool) {
        let deadline = Instant::now() + PATIENCE;
        while !so() {
            if Instant::now() > deadline {
                let (seed, state) = (self.seed, self.state());
                panic!("waited in vain: {what} (SEED={seed})\n{state}");
            }
            sleep(LOOK).await;
        }
    }

    /// Where everyone is, for when nothing goes on.
    fn state(&self) -> String {
        let mut state = format!("the log ends at {:?}\n{}", self.log.end(), self.audience.state());
        for traffic in &self.traffic {
            let _ = writeln!(state, "written: {}", traffic.counts);
        }
        for instance in &self.instances {
            let log = instance.app.log();
            state += &log[log.len().saturating_sub(20)..].join("\n");
        }
        state
    }

    /// What came so far, in a line.
    pub fn line(&self) -> String {
        let turns = self.report.turns();
        let ways = WAYS.map(|way| format!("{way} {}", self.delivered.get(way).unwrap_or(&0)));
        let memory = self.instances.iter().map(|i| format!("{}", i.peak_kib / 1024));
        let memory = memory.collect::<Vec<_>>().join(" and ");
        let ways = ways.join(", ");
        format!("{turns} faults; delivered by {ways}; {memory} MiB at the most")
    }
}

const PARTITIONS: usize = 6;
/// Bytes of an event at the most: enough for who is slow to be closed for it.
const DATA: usize = 4000;

/// Time limits that let faults be short, little room, and hearts that beat often.
fn builder(brokers: &str, redis: &str, topic: &str) -> Builder {
    TestApp::builder()
        .brokers(brokers)
        .topic(topic)
        .set("kafka.partitions", PARTITIONS)
        .set("kafka.message_timeout", "3s")
        .set("http.request_timeout", "6s")
        .set("redis.url", redis)
        .set("redis.connect_timeout", "300ms")
        .set("notify.breaker_cooldown", "200ms")
        .set("notify.queue", "4KiB")
        .set("live.heartbeat", "200ms")
        // On a busy machine a look back for recent events would end before it has found them all.
        .set("reader.scan_time", "30s")
        .set("live.queue", "256")
}
