//! Writers at full speed, each on a connection of its own, that keep a journal.

use std::ops::Range;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use fastrand::Rng;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::sleep;

use super::connection::Connection;
use super::journal::{self, Counts, Event, Journal, Verdict};
use super::verdicts;

/// How long a writer holds back that was refused or found nobody.
const PAUSE_AFTER_REFUSAL: Duration = Duration::from_millis(20);
/// Sources of one writer; the first of them is shared by all writers.
const SOURCES: usize = 5;
/// The source that is shared.
pub const SHARED: &str = "shared";
/// The types of events, by chance.
pub const KINDS: [&str; 2] = ["t", "u"];

/// Who writes what.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Connections that post one event after the other.
    pub singles: usize,
    /// Connections that post one batch after the other.
    pub batches: usize,
    pub batch_size: usize,
    /// The number of the first writer: ids have it in them.
    pub first: usize,
    /// Bytes of `data` in an event.
    pub data: Range<usize>,
    /// How long a writer rests after each event of a post.
    pub rest: Duration,
    /// For whatever chance decides.
    pub seed: u64,
}

/// Where the service listens: changes when it is started anew.
pub type Target = watch::Receiver<String>;

/// The writers at work.
pub struct Traffic {
    writers: JoinSet<Journal>,
    stop: watch::Sender<bool>,
    pub counts: Arc<Counts>,
}

impl Traffic {
    /// Starts the writers. Their events are of this source type.
    pub fn start(source_type: &str, plan: &Plan, target: &Target) -> Self {
        let (stop, stopped) = watch::channel(false);
        let counts = Arc::new(Counts::default());
        let mut writers = JoinSet::new();
        for index in 0..plan.singles + plan.batches {
            let (number, is_single) = (plan.first + index, index < plan.singles);
            let writer = Writer {
                source_type: source_type.to_owned(),
                group: if is_single { 1 } else { plan.batch_size },
                rest: plan.rest,
                data: plan.data.clone(),
                rng: Rng::with_seed(plan.seed.wrapping_add(number as u64)),
                target: target.clone(),
                stopped: stopped.clone(),
                counts: Arc::clone(&counts),
                journal: Journal::of(number),
                again: Vec::new(),
            };
            writers.spawn(writer.run());
        }
        Traffic { writers, stop, counts }
    }

    /// Lets each writer finish its request, and gives the journals.
    pub async fn stop(self) -> Vec<Journal> {
        self.stop.send_replace(true);
        self.writers.join_all().await
    }
}

struct Writer {
    source_type: String,
    /// Events in a request.
    group: usize,
    rest: Duration,
    data: Range<usize>,
    rng: Rng,
    target: Target,
    stopped: watch::Receiver<bool>,
    counts: Arc<Counts>,
    journal: Journal,
    /// Events to send once more, with what was sent.
    again: Vec<(usize, String)>,
}

impl Writer {
    async fn run(mut self) -> Journal {
        let mut connection = None;
        while !*self.stopped.borrow() {
            connection = match connection.take() {
                Some(open) => {
                    let open = self.post(open).await;
                    if !self.rest.is_zero() {
                        sleep(self.rest * self.group as u32).await;
                    }
                    open
                }
                None => self.connect().await,
            };
        }
        self.journal
    }

    async fn connect(&self) -> Option<Connection> {
        let address = self.target.borrow().clone();
        let connection = Connection::open(&address).await;
        if connection.is_none() {
            sleep(PAUSE_AFTER_REFUSAL).await;
        }
        connection
    }

    /// Posts once, and gives the connection back when it can be used again.
    async fn post(&mut self, mut connection: Connection) -> Option<Connection> {
        if !connection.is_open().await {
            return None;
        }
        let group = self.group();
        let started = Instant::now();
        let answer = if self.group == 1 {
            connection.post("/events", Bytes::from(group[0].1.clone())).await
        } else {
            connection.post("/events/batch", array(&group)).await
        };
        self.counts.waited(started.elapsed());
        if answer.is_none() {
            self.counts.unanswered();
        }
        let verdicts = match &answer {
            None => Ok(vec![Verdict::ConnectionLost; group.len()]),
            Some(answer) if self.group == 1 => verdicts::of_single(answer).map(|one| vec![one]),
            Some(answer) => verdicts::of_batch(answer, &self.ids(&group)),
        };
        match verdicts {
            Ok(verdicts) => self.note(group, started, &verdicts).await,
            Err(contradiction) => self.contradicted(&group, started, contradiction),
        }
        answer.map(|_| connection)
    }

    /// New events, after those that are to be sent again.
    fn group(&mut self) -> Vec<(usize, String)> {
        let mut group: Vec<_> = self.again.drain(..self.again.len().min(self.group)).collect();
        while group.len() < self.group {
            group.push(self.event());
        }
        group
    }

    fn event(&mut self) -> (usize, String) {
        let number = self.journal.events.len();
        let source_id = match self.rng.usize(..SOURCES) {
            0 => SHARED.to_owned(),
            other => format!("{}/{other}", self.journal.writer),
        };
        let id = journal::id(self.journal.writer, number);
        let data = text(&mut self.rng, self.data.clone());
        let source_type = &self.source_type;
        let kind = KINDS[self.rng.usize(..KINDS.len())];
        let json = format!(
            r#"{{"id":"{id}","type":"{kind}","source_type":"{source_type}","source_id":"{source_id}","data":"{data}"}}"#
        );
        self.journal.events.push(Event { source_id, hash: journal::hash(json.as_bytes()) });
        (number, json)
    }

    fn ids(&self, group: &[(usize, String)]) -> Vec<String> {
        group.iter().map(|(number, _)| journal::id(self.journal.writer, *number)).collect()
    }

    async fn note(&mut self, group: Vec<(usize, String)>, sent: Instant, verdicts: &[Verdict]) {
        let mut refused = false;
        for ((number, json), verdict) in group.into_iter().zip(verdicts) {
            self.counts.add(*verdict);
            self.journal.note(number, sent, *verdict);
            let chance = match verdict {
                Verdict::Unknown | Verdict::ConnectionLost => 0.5,
                Verdict::NotStored => 0.25,
                _ => 0.0,
            };
            refused |= *verdict == Verdict::NotStored;
            if self.rng.f64() < chance {
                self.again.push((number, json));
            }
        }
        if refused {
            sleep(PAUSE_AFTER_REFUSAL).await;
        }
    }

    /// Nothing can be said of these events but that they may be there.
    fn contradicted(&mut self, group: &[(usize, String)], sent: Instant, contradiction: String) {
        for (number, _) in group {
            self.journal.note(*number, sent, Verdict::Unknown);
        }
        self.journal.contradictions.push(contradiction);
    }
}

fn array(group: &[(usize, String)]) -> Bytes {
    let items: Vec<&str> = group.iter().map(|(_, json)| json.as_str()).collect();
    Bytes::from(format!("[{}]", items.join(",")))
}

/// So many letters, different each time.
fn text(rng: &mut Rng, length: Range<usize>) -> String {
    let length = rng.usize(length);
    let word = format!("{:016x}", rng.u64(..));
    word.chars().cycle().take(length).collect()
}
