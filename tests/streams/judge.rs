//! The judge: holds what a reader noted against the log.
//!
//! Every connection is judged by itself; each subscription of a WebSocket is one, every time that
//! it is asked for. What the reader follows and lies between the position of `ready` and one that
//! came later has come on this very connection by then, each event once, as it lies in the log.
//! What came with an `id:` came in the order of offsets; an event without one has come early, and
//! may be followed by what lies before it. Only behind a `reset` may something be missing, and only
//! what retention has removed; so it may before the first event of a partition for a reader that
//! began before everything. A reader that comes again begins where the connection before ended, and
//! at the end it is where the log ends. So all of it together misses nothing.

mod recent;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, HashSet};
use std::time::Instant;

use super::book::{Begins, Book, Connection, Ended, Note};
use super::log::{Log, Place, Position, Record};
use super::wanted::Wanted;

/// How many of the faults found are told.
const TOLD: usize = 8;

/// What came, and what was wrong with it.
#[derive(Debug, Default)]
pub struct Findings {
    pub delivered: usize,
    /// Of these, without an `id:`, before the log had confirmed them.
    pub early: usize,
    pub recent: usize,
    pub connections: usize,
    pub resumed: usize,
    pub closed_slow: usize,
    pub resets: usize,
    /// What retention removed before it came, as a reset told.
    pub removed: usize,
    /// In the log, and it did not come.
    pub lost: Vec<String>,
    /// Anything else that is not as it is promised.
    pub lies: Vec<String>,
}

impl Findings {
    pub fn add(&mut self, other: &Findings) {
        self.delivered += other.delivered;
        self.early += other.early;
        self.recent += other.recent;
        self.connections += other.connections;
        self.resumed += other.resumed;
        self.closed_slow += other.closed_slow;
        self.resets += other.resets;
        self.removed += other.removed;
        self.lost.extend_from_slice(&other.lost);
        self.lies.extend_from_slice(&other.lies);
    }

    pub fn is_truthful(&self) -> bool {
        self.lost.is_empty() && self.lies.is_empty()
    }

    /// Some of what was found.
    pub fn told(&self) -> String {
        let told = |faults: &[String]| faults[..faults.len().min(TOLD)].join("\n  ");
        let (lost, lies) = (self.lost.len(), self.lies.len());
        format!("{lost} lost, {lies} lies\n  {}\n  {}", told(&self.lost), told(&self.lies))
    }
}

/// Judges one reader, which is to have come to the end of the log.
pub fn judge(name: &str, wanted: &Wanted, book: &Book, log: &Log) -> Findings {
    let lies = book.lies.iter().map(|lie| format!("{name}: {lie}")).collect();
    let mut findings = Findings { lies, ..Findings::default() };
    let mut position = None;
    let mut resets = 0;
    for (index, connection) in book.connections.iter().enumerate() {
        let name = format!("{name}, connection {index} to instance {}", connection.instance);
        let mut course = Course::new(&name, wanted, connection, log);
        if let Begins::After(from) = &connection.begins {
            let is_where_it_was = position.as_ref().is_none_or(|at| begun(at) == begun(from));
            // After a lie the two of them may differ.
            let is_lost = findings.is_truthful() && !is_where_it_was;
            assert!(!is_lost, "{name}: the reader itself lost its place");
            course.check_ready(from);
            findings.resumed += usize::from(position.is_some());
        } else {
            resets = 0;
        }
        connection.notes.iter().for_each(|note| course.take(note));
        course.check_recent(&connection.begins);
        resets += course.findings.resets;
        if resets > log.removals() {
            let removals = log.removals();
            course.lie(format!("{resets} resets, and retention passed {removals} times"));
        }
        position = Some(course.upto);
        findings.add(&course.findings);
    }
    let at = position.unwrap_or_default();
    if log.end().iter().any(|(partition, end)| at.get(partition).is_none_or(|at| at < end)) {
        findings.lost.push(format!("{name}: at {at:?}, and the log ends at {:?}", log.end()));
    }
    findings
}

/// The partitions of which something is said to have come: one that is not named, and one that is
/// named as empty, are the same.
fn begun(position: &Position) -> Position {
    position
        .iter()
        .map(|(&partition, &offset)| (partition, offset))
        .filter(|at| at.1 >= 0)
        .collect()
}

/// The course of one connection.
struct Course<'a> {
    name: &'a str,
    wanted: &'a Wanted,
    log: &'a Log,
    ready: &'a Position,
    /// Whether it began before everything.
    is_fresh: bool,
    /// Everything up to here has come.
    upto: Position,
    /// What came beyond that.
    seen: HashSet<Place>,
    /// The last of each partition that came with an `id:`.
    last: BTreeMap<i32, i64>,
    /// What came before it, as asked for.
    recent: Vec<&'a Record>,
    findings: Findings,
}

impl<'a> Course<'a> {
    fn new(name: &'a str, wanted: &'a Wanted, connection: &'a Connection, log: &'a Log) -> Self {
        let closed_slow = usize::from(connection.ended == Ended::Slow);
        Course {
            name,
            wanted,
            log,
            ready: &connection.ready,
            is_fresh: connection.begins == Begins::After(Position::new()),
            upto: connection.ready.clone(),
            seen: HashSet::new(),
            last: BTreeMap::new(),
            recent: Vec::new(),
            findings: Findings { connections: 1, closed_slow, ..Findings::default() },
        }
    }

    fn lie(&mut self, lie: String) {
        self.findings.lies.push(format!("{}: {lie}", self.name));
    }

    fn check_ready(&mut self, from: &Position) {
        if from != self.ready {
            self.lie(format!("ready at {:?} for one who was at {from:?}", self.ready));
        }
    }

    fn take(&mut self, note: &Note) {
        match note {
            Note::Event { place, hash, has_id } => self.event(*place, *hash, *has_id),
            Note::UpTo((partition, offset)) => {
                self.confirm(*partition, *offset, None);
            }
            Note::Back(place) => self.take_back(*place),
            Note::Reset { reason, at, position } => self.reset(reason, *at, position),
        }
    }

    fn event(&mut self, place: Place, hash: u64, has_id: bool) {
        let (partition, offset) = place;
        let log: &'a Log = self.log;
        let Some(record) = log.get(place) else {
            return self.lie(format!("{place:?} came, and is not in the log"));
        };
        let is_it = hash == if self.wanted.is_whole { record.whole } else { record.told };
        if !is_it {
            self.lie(format!("{place:?} is not what lies in the log"));
        }
        if !self.wanted.takes(record) {
            self.lie(format!("{place:?} came, and is not followed"));
        }
        let is_old = self.ready.get(&partition).is_some_and(|ready| offset <= *ready);
        if is_old && !has_id && self.findings.delivered == 0 {
            return self.recent.push(record);
        }
        self.findings.delivered += 1;
        self.findings.early += usize::from(!has_id);
        let is_known = self.upto.get(&partition).is_some_and(|upto| offset <= *upto);
        if is_known || !self.seen.insert(place) {
            self.lie(format!("{place:?} came again, or after an id that promised it"));
        }
        if has_id {
            let before = self.last.insert(partition, offset);
            if before.is_some_and(|before| before > offset) {
                self.lie(format!("{place:?} came after {before:?}"));
            }
        }
    }

    /// Everything up to there must have come, but for what a reset says that retention removed.
    fn confirm(&mut self, partition: i32, offset: i64, reset: Option<Instant>) {
        let log: &'a Log = self.log;
        let before = self.upto.insert(partition, offset);
        // What lies before everything, for who began there, may be gone without a word.
        let is_first = self.is_fresh && before.is_none();
        let excused = reset.or_else(|| is_first.then(Instant::now));
        let low = excused.map_or(0, |at| log.low_at(partition, at));
        for record in log.between(partition, before.unwrap_or(-1), offset) {
            if !self.wanted.takes(record) || self.seen.remove(&record.place) {
                continue;
            }
            if record.place.1 < low {
                self.findings.removed += 1;
            } else {
                let lost = format!("{}: {:?} did not come before an id", self.name, record.place);
                self.findings.lost.push(lost);
            }
        }
    }

    /// An id may promise less than one before it, as long as nothing would come again by that.
    fn take_back(&mut self, (partition, offset): Place) {
        let upto = self.upto.get(&partition).copied().unwrap_or(-1);
        let between = self.log.between(partition, offset, upto);
        if let Some(again) = between.iter().find(|record| self.wanted.takes(record)) {
            return self.lie(format!("an id takes back {:?}, which came", again.place));
        }
        self.upto.insert(partition, offset);
        if offset < 0 {
            self.upto.remove(&partition);
        }
    }

    fn reset(&mut self, reason: &str, at: Instant, position: &Position) {
        self.findings.resets += 1;
        let upto = self.upto.clone();
        let is_passed = |(partition, to): (&i32, &i64)| {
            let next = upto.get(partition).map_or(0, |upto| upto + 1);
            next < self.log.low_at(*partition, at) && next <= *to
        };
        if reason != "removed" || !position.iter().any(is_passed) {
            self.lie(format!("a reset for nothing: {reason:?} to {position:?} at {upto:?}"));
        }
        for (&partition, &offset) in position {
            match upto.get(&partition) {
                Some(upto) if *upto > offset => self.take_back((partition, offset)),
                Some(upto) if *upto == offset => {}
                _ => self.confirm(partition, offset, Some(at)),
            }
        }
        for partition in upto.keys().filter(|partition| !position.contains_key(partition)) {
            self.take_back((*partition, -1));
        }
    }
}
