//! The oracle: holds every answer against the log as it lies in Kafka.
//!
//! Of an event, at least as many attempts are in the log as were answered as stored, and at most
//! those and the attempts whose outcome was left open. An attempt that was answered as not stored
//! adds nothing. Attempts are told apart by the time of their records, which is that of their
//! submission: two records with the same time are one attempt, which the service has written
//! twice. No answer is wrong then, but it is counted.

use std::collections::{HashMap, HashSet};

use dual_stream::cursor::Cursor;
use rdkafka::message::{BorrowedMessage, Headers, Message};

use super::journal::{self, Journal, Verdict};
use crate::harness::kafka;

/// How many of the faults found are told.
const TOLD: usize = 5;

/// A record, as far as the oracle needs it.
struct Record {
    cursor: Cursor,
    hash: u64,
    source_id: String,
    /// Of its submission, in milliseconds.
    time: i64,
}

/// A topic as it lies in Kafka.
#[derive(Default)]
pub struct Log {
    records: HashMap<String, Vec<Record>>,
    places: HashMap<Cursor, String>,
    /// What is no record of an event.
    faults: Vec<String>,
}

/// A notification as a subscriber heard it.
#[derive(Clone, Debug)]
pub struct Heard {
    pub id: String,
    pub source_id: String,
    pub cursor: Option<Cursor>,
}

/// What the answers were, and what was wrong with them.
#[derive(Debug, Default)]
pub struct Findings {
    pub issued: usize,
    pub stored: usize,
    pub not_stored: usize,
    pub unknown: usize,
    pub connection_lost: usize,
    /// Records beyond the first of an event that was sent again.
    pub repeats: usize,
    /// Records beyond the first of an attempt.
    pub doubled: usize,
    /// Answered as stored, without saying where.
    pub without_cursor: usize,
    /// How many partitions have records.
    pub partitions: usize,
    /// Stored, and not announced to the subscriber.
    pub unheard: usize,
    /// Answered as stored, and not there.
    pub lost: Vec<String>,
    /// Anything else that is not as it was answered.
    pub lies: Vec<String>,
}

impl Log {
    /// Reads the whole topic. Blocks.
    pub fn read(brokers: &str, topic: &str) -> Self {
        let mut log = Log::default();
        kafka::scan(brokers, topic, |message| log.add(message));
        log
    }

    fn partitions(&self) -> usize {
        let partitions: HashSet<i32> = self.places.keys().map(|place| place.partition()).collect();
        partitions.len()
    }

    fn add(&mut self, message: &BorrowedMessage<'_>) {
        let cursor = Cursor::new(message.partition(), message.offset()).expect("a place");
        let value = message.payload().unwrap_or_default();
        let Some(id) = id_of(message) else {
            self.faults.push(format!("{cursor}: a record without an id"));
            return;
        };
        let source_id = String::from_utf8_lossy(message.key().unwrap_or_default()).into_owned();
        self.places.insert(cursor, id.clone());
        let time = message.timestamp().to_millis().expect("a time");
        let record = Record { cursor, hash: journal::hash(value), source_id, time };
        self.records.entry(id).or_default().push(record);
    }
}

fn id_of(message: &BorrowedMessage<'_>) -> Option<String> {
    let header = message.headers()?.iter().find(|header| header.key == "id")?;
    String::from_utf8(header.value?.to_vec()).ok()
}

/// What each event of a journal may look like in the log.
#[derive(Clone, Copy, Default)]
struct Allowed {
    least: usize,
    most: usize,
}

/// Holds the journals and the notifications against the log.
pub fn judge(journals: &[Journal], log: &Log, heard: &[Heard]) -> Findings {
    let mut findings = Findings::default();
    findings.lies.extend(log.faults.iter().cloned());
    findings.partitions = log.partitions();
    let by_writer: HashMap<usize, &Journal> =
        journals.iter().map(|journal| (journal.writer, journal)).collect();
    for journal in journals {
        findings.lies.extend(journal.contradictions.iter().cloned());
        findings.count(journal);
        findings.check_presence(journal, log);
        findings.check_order(journal, log);
    }
    findings.check_content(&by_writer, log);
    findings.check_notifications(log, heard);
    findings
}

impl Findings {
    fn count(&mut self, journal: &Journal) {
        self.issued += journal.attempts.len();
        for attempt in &journal.attempts {
            self.without_cursor += usize::from(attempt.verdict == Verdict::Stored(None));
            match attempt.verdict {
                Verdict::Stored(_) | Verdict::Erased | Verdict::HungUp => self.stored += 1,
                Verdict::NotStored => self.not_stored += 1,
                Verdict::Unknown => self.unknown += 1,
                Verdict::ConnectionLost => self.connection_lost += 1,
            }
        }
    }

    fn check_presence(&mut self, journal: &Journal, log: &Log) {
        let mut allowed = vec![Allowed::default(); journal.events.len()];
        for attempt in &journal.attempts {
            let allowed = &mut allowed[attempt.event];
            match attempt.verdict {
                Verdict::Stored(cursor) => {
                    allowed.least += 1;
                    allowed.most += 1;
                    self.check_place(journal.writer, attempt.event, cursor, log);
                }
                Verdict::HungUp => {
                    allowed.least += 1;
                    allowed.most += 1;
                }
                Verdict::NotStored => {}
                Verdict::Unknown | Verdict::ConnectionLost | Verdict::Erased => allowed.most += 1,
            }
        }
        for (event, allowed) in allowed.iter().enumerate() {
            let id = journal::id(journal.writer, event);
            let records = log.records.get(&id).map_or(&[][..], Vec::as_slice);
            let times: HashSet<i64> = records.iter().map(|record| record.time).collect();
            let there = times.len();
            if there < allowed.least {
                self.lost.push(format!("{id}: stored {} times, there {there}", allowed.least));
            }
            self.repeats += there.saturating_sub(1);
            self.doubled += records.len() - there;
            if there > allowed.most {
                let most = allowed.most;
                self.lies
                    .push(format!("{id}: there from {there} attempts, of which {most} may be"));
            }
        }
    }

    fn check_place(&mut self, writer: usize, event: usize, cursor: Option<Cursor>, log: &Log) {
        let Some(cursor) = cursor else { return };
        let id = journal::id(writer, event);
        match log.places.get(&cursor) {
            Some(there) if *there == id => {}
            Some(there) => self.lies.push(format!("{id}: stored at {cursor}, where {there} is")),
            None => self.lost.push(format!("{id}: stored at {cursor}, where nothing is")),
        }
    }

    /// What one connection was told is stored, one after the other, is in this order in its
    /// partition.
    fn check_order(&mut self, journal: &Journal, log: &Log) {
        let mut last: HashMap<(&str, i32), i64> = HashMap::new();
        for attempt in &journal.attempts {
            let Verdict::Stored(told) = attempt.verdict else { continue };
            let id = journal::id(journal.writer, attempt.event);
            let found = || match log.records.get(&id).map(Vec::as_slice) {
                Some([only]) => Some(only.cursor),
                _ => None,
            };
            let Some(cursor) = told.or_else(found) else { continue };
            let source = journal.events[attempt.event].source_id.as_str();
            let before = last.insert((source, cursor.partition()), cursor.offset());
            if before.is_some_and(|before| before >= cursor.offset()) {
                self.lies.push(format!("{id}: at {cursor}, behind what was stored before it"));
            }
        }
    }

    fn check_content(&mut self, journals: &HashMap<usize, &Journal>, log: &Log) {
        for (id, records) in &log.records {
            let event = journal::parse_id(id)
                .and_then(|(writer, event)| journals.get(&writer)?.events.get(event));
            let Some(event) = event else {
                self.lies.push(format!("{id}: in the log, and never sent"));
                continue;
            };
            for record in records {
                if record.hash != event.hash || record.source_id != event.source_id {
                    self.lies.push(format!("{id} at {}: not what was sent", record.cursor));
                }
            }
        }
    }

    fn check_notifications(&mut self, log: &Log, heard: &[Heard]) {
        let mut last: HashMap<(&str, i32), i64> = HashMap::new();
        for Heard { id, source_id, cursor } in heard {
            let Some(cursor) = cursor else {
                if !log.records.contains_key(id) {
                    self.lies.push(format!("{id}: announced, and not there"));
                }
                continue;
            };
            if log.places.get(cursor) != Some(id) {
                self.lies.push(format!("{id} at {cursor}: announced, and not there"));
            }
            let before = last.insert((source_id, cursor.partition()), cursor.offset());
            if before.is_some_and(|before| before >= cursor.offset()) {
                self.lies
                    .push(format!("{id} at {cursor}: announced again, or late on its channel"));
            }
        }
        let heard: HashSet<&str> = heard.iter().map(|heard| heard.id.as_str()).collect();
        self.unheard += log.records.keys().filter(|id| !heard.contains(id.as_str())).count();
    }

    /// Fails with some of what was found, if anything was.
    pub fn assert_truthful(&self, scenario: &str) {
        let told = |faults: &[String]| faults[..faults.len().min(TOLD)].join("\n  ");
        assert!(
            self.lost.is_empty() && self.lies.is_empty(),
            "{scenario}: {} lost, {} lies\n  {}\n  {}",
            self.lost.len(),
            self.lies.len(),
            told(&self.lost),
            told(&self.lies)
        );
    }
}
