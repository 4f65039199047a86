//! One scenario at work: the service, its traffic, and what is measured of both.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use nix::sys::signal::Signal;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::sleep;

use super::connection::Connection;
use super::ears::Ears;
use super::journal::{self, Counts, Event, Journal, Verdict};
use super::oracle::{Findings, Log, judge};
use super::report::Row;
use super::traffic::{Plan, Traffic};
use super::verdicts;
use crate::harness::app::Builder;
use crate::harness::{PATIENCE, TestApp, required, unique};

/// How soon after the end of a fault fresh events must pass, without a restart.
pub const RECOVERY: Duration = Duration::from_secs(15);
/// How often progress is told.
const PROGRESS: Duration = Duration::from_secs(5);
/// How soon the loss of Kafka must be told. Two probes of 2 s each are what it takes.
const NOTICED: Duration = Duration::from_secs(15);
/// The writer that asks whether events pass again, and of how many sources at a time: enough for
/// every partition to have one.
const ASKER: usize = 1_000_000;
const ASKED: usize = 40;

/// Where the parts of a run are.
pub struct Place {
    pub source_type: String,
    /// Where the log is read back from.
    pub brokers: String,
    pub redis: String,
}

pub struct Run {
    name: &'static str,
    pub app: TestApp,
    builder: Builder,
    place: Place,
    target: watch::Sender<String>,
    traffic: Option<Traffic>,
    pub counts: Arc<Counts>,
    ears: Ears,
    journals: Vec<Journal>,
    asker: Journal,
    recovery: Option<Duration>,
    peak_kib: u64,
    erased: Option<Instant>,
    progress: JoinHandle<()>,
}

impl Run {
    /// Starts the service with the Redis of the test run, and traffic, and waits until it flows.
    pub async fn start(name: &'static str, builder: Builder, plan: &Plan) -> Run {
        let brokers = builder.brokers.clone();
        let redis = required("REDIS_URL");
        let place = Place { source_type: unique("f"), brokers, redis };
        Self::at(place, name, builder, plan).await
    }

    /// The same with services of its own.
    pub async fn at(place: Place, name: &'static str, builder: Builder, plan: &Plan) -> Run {
        let app = builder.clone().start().await;
        let run = Self::of(place, name, builder, plan, app).await;
        run.flows().await;
        run
    }

    /// The same with a service that need not be ready yet.
    pub async fn of(
        place: Place,
        name: &'static str,
        builder: Builder,
        plan: &Plan,
        app: TestApp,
    ) -> Run {
        let ears = Ears::open(&place.redis, &place.source_type).await;
        let (target, address) = watch::channel(app.client.address.clone());
        let traffic = Traffic::start(&place.source_type, plan, &address);
        let counts = Arc::clone(&traffic.counts);
        let progress = tokio::spawn(tell_progress(name, Arc::clone(&counts)));
        Run {
            name,
            app,
            builder,
            place,
            target,
            traffic: Some(traffic),
            counts,
            ears,
            journals: Vec::new(),
            asker: Journal::of(ASKER),
            recovery: None,
            peak_kib: 0,
            erased: None,
            progress,
        }
    }

    /// The source type of this run's events.
    pub fn source_type(&self) -> &str {
        &self.place.source_type
    }

    /// Waits until some hundred more events are stored.
    pub async fn flows(&self) {
        let before = self.counts.stored();
        self.until("events are stored", |counts| counts.stored() > before + 300).await;
    }

    /// Waits until some more events are stored.
    pub async fn flows_slowly(&self) {
        let before = self.counts.stored();
        self.until("events are stored", |counts| counts.stored() > before + 10).await;
    }

    /// Waits until the counts are so.
    pub async fn until(&self, what: &str, so: impl Fn(&Counts) -> bool) {
        self.until_with(what, Duration::from_millis(10), so, || {}).await;
    }

    /// The same, while this is done in between.
    pub async fn until_with(
        &self,
        what: &str,
        pause: Duration,
        so: impl Fn(&Counts) -> bool,
        between: impl Fn(),
    ) {
        let deadline = Instant::now() + PATIENCE;
        while !so(&self.counts) {
            let (name, counts) = (self.name, &self.counts);
            assert!(Instant::now() < deadline, "{name}: waited in vain: {what}; {counts}");
            sleep(pause).await;
            between();
        }
    }

    /// The fault has ended: asks with fresh events, again and again, until events of many
    /// sources, and so of all partitions, are stored at once.
    pub async fn recovers(&mut self) {
        let ended = Instant::now();
        let address = self.target.borrow().clone();
        let mut connection = None;
        loop {
            if connection.is_none() {
                connection = Connection::open(&address).await;
            }
            if let Some(open) = &mut connection {
                match self.ask(open).await {
                    Some(true) => break,
                    Some(false) => {}
                    None => connection = None,
                }
            }
            let name = self.name;
            assert!(ended.elapsed() < RECOVERY, "{name}: not all is stored {RECOVERY:?} later");
            sleep(Duration::from_millis(20)).await;
        }
        self.recovery = self.recovery.max(Some(ended.elapsed()));
    }

    /// Posts fresh events beside the traffic, and says whether all are stored; none: no answer.
    async fn ask(&mut self, connection: &mut Connection) -> Option<bool> {
        let first = self.asker.events.len();
        let events: Vec<_> = (0..ASKED).map(|source| self.asker_event(source)).collect();
        let ids: Vec<_> = (first..first + ASKED).map(|event| journal::id(ASKER, event)).collect();
        let json = format!("[{}]", events.join(","));
        let sent = Instant::now();
        let answer = connection.post("/events/batch", Bytes::from(json)).await;
        let verdicts = match &answer {
            None => vec![Verdict::ConnectionLost; ASKED],
            Some(answer) => verdicts::of_batch(answer, &ids).expect("an answer of one piece"),
        };
        for (event, verdict) in verdicts.iter().enumerate() {
            self.asker.note(first + event, sent, *verdict);
        }
        answer.map(|_| verdicts.iter().all(|verdict| matches!(verdict, Verdict::Stored(_))))
    }

    fn asker_event(&mut self, source: usize) -> String {
        let id = journal::id(ASKER, self.asker.events.len());
        let source_type = &self.place.source_type;
        let source_id = format!("ask/{source}");
        let json = format!(
            r#"{{"id":"{id}","type":"ask","source_type":"{source_type}","source_id":"{source_id}"}}"#
        );
        let hash = journal::hash(json.as_bytes());
        self.asker.events.push(Event { source_id, hash });
        json
    }

    /// Waits until the service says that it is not ready, which it has to within seconds.
    pub async fn turns_unready(&self) -> serde_json::Value {
        let lost = Instant::now();
        let said = self.app.unready().await;
        let (name, took) = (self.name, lost.elapsed());
        assert!(took < NOTICED, "{name}: not ready only after {took:?}");
        said
    }

    /// Adds what was sent beside the traffic.
    pub fn add(&mut self, journal: Journal) {
        for attempt in &journal.attempts {
            self.counts.add(attempt.verdict);
        }
        self.journals.push(journal);
    }

    /// The log is gone, with everything that was stored up to now.
    pub fn erased_now(&mut self) {
        self.erased = Some(Instant::now());
        self.ears.forget();
    }

    /// Ends the service in order, and gives the last line of its log.
    pub async fn terminate(&mut self) -> serde_json::Value {
        self.measure();
        self.app.signal(Signal::SIGTERM);
        let status = self.app.wait(Duration::from_secs(40)).await;
        assert_eq!(status.code(), Some(0), "{}", self.name);
        self.app.logged("stopped").await
    }

    /// Ends the service at once.
    pub async fn kill(&mut self) {
        self.measure();
        self.app.signal(Signal::SIGKILL);
        self.app.wait(Duration::from_secs(10)).await;
    }

    /// Starts the service anew; the writers follow.
    pub async fn restart(&mut self) {
        self.app = self.builder.clone().start().await;
        self.target.send_replace(self.app.client.address.clone());
    }

    fn measure(&mut self) {
        self.peak_kib = self.peak_kib.max(self.app.peak_resident_kib());
    }

    /// Lets the writers finish; traffic is over.
    pub async fn quiet(&mut self) {
        if let Some(traffic) = self.traffic.take() {
            self.journals.extend(traffic.stop().await);
        }
    }

    /// Ends the traffic, reads everything back, and fails unless every answer was true.
    pub async fn finish(mut self) -> (Row, Findings) {
        self.quiet().await;
        self.progress.abort();
        if self.app.exited().is_none() {
            self.measure();
        }
        let heard = self.ears.close().await;
        self.journals.push(self.asker);
        if let Some(time) = self.erased {
            self.journals.iter_mut().for_each(|journal| journal.erase_before(time));
        }
        let (brokers, topic) = (self.place.brokers, self.app.topic.clone());
        let log = tokio::task::spawn_blocking(move || Log::read(&brokers, &topic));
        let log = log.await.expect("the log is read");
        let findings = judge(&self.journals, &log, &heard);
        let row = Row::new(self.name, &findings)
            .longest_stall(self.counts.longest_stall())
            .recovery(self.recovery)
            .peak_memory(self.peak_kib);
        eprintln!("    {}", row.line());
        if !(findings.lost.is_empty() && findings.lies.is_empty()) {
            eprintln!("{}", self.app.log().join("\n"));
        }
        findings.assert_truthful(self.name);
        (row, findings)
    }
}

async fn tell_progress(name: &'static str, counts: Arc<Counts>) {
    let started = Instant::now();
    loop {
        sleep(PROGRESS).await;
        eprintln!("    {name}, {} s: {counts}", started.elapsed().as_secs());
    }
}
