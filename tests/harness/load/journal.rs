//! What was sent and what was answered, as the oracle's first half: the other is the log itself.

use std::hash::{DefaultHasher, Hasher};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use dual_stream::cursor::Cursor;

/// What the client was told of an event, or could tell from how its connection ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Answered as stored, mostly with its place.
    Stored(Option<Cursor>),
    /// Answered as stored, before the log itself was thrown away.
    Erased,
    /// Answered as not stored.
    NotStored,
    /// Answered as unknown.
    Unknown,
    /// Sent, and the connection ended without an answer.
    ConnectionLost,
    /// Accepted, and then the client hung up, while everything else was well: it must be stored.
    HungUp,
}

/// One event of a writer, known by its number.
#[derive(Clone, Debug)]
pub struct Event {
    /// Which of the writer's sources it belongs to.
    pub source_id: String,
    /// Of the bytes as they were posted.
    pub hash: u64,
}

/// One time that an event was sent. A retry is a second attempt at the same event.
#[derive(Clone, Copy, Debug)]
pub struct Attempt {
    pub event: usize,
    pub verdict: Verdict,
    /// When it was sent.
    sent: Instant,
}

/// Everything that one connection sent, in order.
#[derive(Debug, Default)]
pub struct Journal {
    pub writer: usize,
    pub events: Vec<Event>,
    pub attempts: Vec<Attempt>,
    /// Answers that contradict themselves or the contract.
    pub contradictions: Vec<String>,
}

impl Journal {
    pub fn of(writer: usize) -> Self {
        Journal { writer, ..Journal::default() }
    }

    pub fn note(&mut self, event: usize, sent: Instant, verdict: Verdict) {
        self.attempts.push(Attempt { event, verdict, sent });
    }

    /// The log was thrown away at this time, with everything that was sent before.
    pub fn erase_before(&mut self, time: Instant) {
        for attempt in self.attempts.iter_mut().filter(|attempt| attempt.sent < time) {
            if matches!(attempt.verdict, Verdict::Stored(_)) {
                attempt.verdict = Verdict::Erased;
            }
        }
    }
}

/// The id of an event names its writer and its number.
pub fn id(writer: usize, event: usize) -> String {
    format!("{writer}-{event}")
}

/// The writer and the number behind an id, unless it is none of ours.
pub fn parse_id(id: &str) -> Option<(usize, usize)> {
    let (writer, event) = id.split_once('-')?;
    Some((writer.parse().ok()?, event.parse().ok()?))
}

/// A hash of bytes, the same in every process.
pub fn hash(bytes: &[u8]) -> u64 {
    let mut hasher = DefaultHasher::new();
    hasher.write(bytes);
    hasher.finish()
}

/// Attempts by verdict while they happen, for progress and for conditions.
#[derive(Debug, Default)]
pub struct Counts {
    pub stored: AtomicU64,
    pub not_stored: AtomicU64,
    pub unknown: AtomicU64,
    pub connection_lost: AtomicU64,
    /// Requests, of one event or many, that had no answer.
    unanswered: AtomicU64,
    longest_stall: AtomicU64,
}

impl Counts {
    pub fn add(&self, verdict: Verdict) {
        let counter = match verdict {
            Verdict::Stored(_) | Verdict::Erased | Verdict::HungUp => &self.stored,
            Verdict::NotStored => &self.not_stored,
            Verdict::Unknown => &self.unknown,
            Verdict::ConnectionLost => &self.connection_lost,
        };
        counter.fetch_add(1, Ordering::Relaxed);
    }

    /// A request had no answer.
    pub fn unanswered(&self) {
        self.unanswered.fetch_add(1, Ordering::Relaxed);
    }

    pub fn requests_unanswered(&self) -> u64 {
        self.unanswered.load(Ordering::Relaxed)
    }

    /// From now on only later waits count.
    pub fn forget_stalls(&self) {
        self.longest_stall.store(0, Ordering::Relaxed);
    }

    /// How long a client waited for the end of a request.
    pub fn waited(&self, time: Duration) {
        self.longest_stall.fetch_max(time.as_micros() as u64, Ordering::Relaxed);
    }

    pub fn longest_stall(&self) -> Duration {
        Duration::from_micros(self.longest_stall.load(Ordering::Relaxed))
    }

    pub fn stored(&self) -> u64 {
        self.stored.load(Ordering::Relaxed)
    }

    pub fn not_stored(&self) -> u64 {
        self.not_stored.load(Ordering::Relaxed)
    }

    pub fn unknown(&self) -> u64 {
        self.unknown.load(Ordering::Relaxed)
    }

    pub fn connection_lost(&self) -> u64 {
        self.connection_lost.load(Ordering::Relaxed)
    }
}

impl std::fmt::Display for Counts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (stored, not_stored) = (self.stored(), self.not_stored());
        let (unknown, lost) = (self.unknown(), self.connection_lost());
        write!(
            f,
            "{stored} stored, {not_stored} not stored, {unknown} unknown, {lost} connections lost"
        )
    }
}
