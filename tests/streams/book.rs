//! What a reader notes of its connections, for the judge.

use std::time::Instant;

use serde_json::Value;
use serde_json::value::RawValue;

use super::log::{Place, Position, told};
use crate::harness::load::journal::hash;
use crate::harness::stream::{BEAT, Message};

/// How a connection began.
#[derive(Clone, Debug, PartialEq)]
pub enum Begins {
    /// With what comes from now on, after so many recent events of each source.
    Now { recent: usize },
    /// Behind a position: where the reader was.
    After(Position),
}

/// How it ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// It has not.
    Open,
    /// By the reader.
    Cut,
    /// The service took the reader for slow.
    Slow,
    /// The service was shutting down.
    Closing,
    /// Without a word.
    Broken,
}

/// One thing that came, in order.
#[derive(Clone, Debug, PartialEq)]
pub enum Note {
    /// An event, with the hash of what came of it, and whether an `id:` came with it.
    Event { place: Place, hash: u64, has_id: bool },
    /// Everything of its partition up to here has come, said an `id:`.
    UpTo(Place),
    /// The partition is further back in an `id:` than it was; at -1 when it is there no more.
    Back(Place),
    /// Events may be missing up to a position.
    Reset { reason: String, at: Instant, position: Position },
}

/// One connection, from where it was ready.
#[derive(Clone, Debug)]
pub struct Connection {
    pub instance: usize,
    pub begins: Begins,
    pub ready: Position,
    pub notes: Vec<Note>,
    pub ended: Ended,
}

/// Everything of one reader since the judge looked last.
#[derive(Debug)]
pub struct Book {
    pub connections: Vec<Connection>,
    /// What the reader would send to go on. None: it begins anew.
    pub last_id: Option<String>,
    /// The same, taken apart.
    pub position: Position,
    /// What is wrong without looking at the log.
    pub lies: Vec<String>,
    /// Answers that there is no stream now.
    pub refused: usize,
    /// Heartbeats since everyone was told to stay: they come behind what is recent.
    pub settled: usize,
    /// Whether whole events are asked for.
    is_whole: bool,
}

impl Book {
    pub fn new(is_whole: bool) -> Self {
        Book {
            connections: Vec::new(),
            last_id: None,
            position: Position::new(),
            lies: Vec::new(),
            refused: 0,
            settled: 0,
            is_whole,
        }
    }

    /// Gives what was noted up to now, and goes on as if the reader had just begun behind it.
    pub fn turn_page(&mut self) -> Book {
        let mut next = Book::new(self.is_whole);
        next.last_id.clone_from(&self.last_id);
        next.position.clone_from(&self.position);
        let open = self.connections.last();
        next.connections.extend(open.map(|connection| Connection {
            instance: connection.instance,
            begins: Begins::After(self.position.clone()),
            ready: self.position.clone(),
            notes: Vec::new(),
            ended: connection.ended,
        }));
        std::mem::replace(self, next)
    }

    /// A connection has begun: its first message.
    pub fn begin(&mut self, instance: usize, begins: Begins, first: &Message) -> bool {
        if first.name != "ready" || first.data["position"] != *first.last_id {
            self.lies.push(format!("a stream begins with {first:?}"));
            return false;
        }
        self.position = position(&first.last_id);
        self.last_id = Some(first.last_id.clone());
        let (ready, notes) = (self.position.clone(), Vec::new());
        self.connections.push(Connection { instance, begins, ready, notes, ended: Ended::Open });
        true
    }

    /// The connection has ended, in another way than the service said, if it did.
    pub fn end(&mut self, how: Ended) {
        if let Some(connection) = self.connections.last_mut()
            && connection.ended == Ended::Open
        {
            connection.ended = how;
        }
    }

    /// Notes what came next.
    pub fn note(&mut self, message: &Message) {
        match message.name.as_str() {
            BEAT => {}
            "message" => self.event(message),
            "reset" => return self.reset(message),
            "closed" => match message.data["reason"].as_str() {
                Some("slow") => self.end(Ended::Slow),
                Some("shutting_down") => self.end(Ended::Closing),
                _ => self.lies.push(format!("closed by {message:?}")),
            },
            _ => self.lies.push(format!("what is {message:?}?")),
        }
        if message.has_id && self.last_id.as_ref() != Some(&message.last_id) {
            self.comes_to(&message.last_id);
        }
    }

    fn event(&mut self, message: &Message) {
        let hash = if self.is_whole { whole(&message.text) } else { notification(&message.data) };
        let place = message.data["cursor"].as_str().and_then(place);
        match (place, hash) {
            (Some(place), Some(hash)) => {
                self.push(Note::Event { place, hash, has_id: message.has_id });
            }
            _ => self.lies.push(format!("no event: {message:?}")),
        }
    }

    fn reset(&mut self, message: &Message) {
        if message.data["position"] != *message.last_id || !message.has_id {
            self.lies.push(format!("a reset with two positions: {message:?}"));
        }
        self.position = position(&message.last_id);
        self.last_id = Some(message.last_id.clone());
        let reason = message.data["reason"].as_str().unwrap_or_default().to_owned();
        self.push(Note::Reset { reason, at: Instant::now(), position: self.position.clone() });
    }

    fn comes_to(&mut self, id: &str) {
        let before = std::mem::replace(&mut self.position, position(id));
        self.last_id = Some(id.to_owned());
        let mut notes = Vec::new();
        for (&partition, &offset) in &self.position {
            match before.get(&partition) {
                Some(before) if *before == offset => {}
                Some(before) if *before > offset => notes.push(Note::Back((partition, offset))),
                _ => notes.push(Note::UpTo((partition, offset))),
            }
        }
        let is_gone = |partition: &&i32| !self.position.contains_key(partition);
        notes.extend(before.keys().filter(is_gone).map(|partition| Note::Back((*partition, -1))));
        notes.into_iter().for_each(|note| self.push(note));
    }

    fn push(&mut self, note: Note) {
        let connection = self.connections.last_mut().expect("a connection has begun");
        connection.notes.push(note);
    }
}

/// The hash of what a notification says.
fn notification(data: &Value) -> Option<u64> {
    let text = |name: &str| data[name].as_str();
    Some(told(text("id")?, text("type")?, text("source_type")?, text("source_id")?))
}

/// The hash of an event's bytes, as they came.
fn whole(text: &str) -> Option<u64> {
    #[derive(serde::Deserialize)]
    struct Whole<'a> {
        #[serde(borrow)]
        event: &'a RawValue,
    }
    let whole: Whole<'_> = serde_json::from_str(text).ok()?;
    Some(hash(whole.event.get().as_bytes()))
}

/// Reads `3-42`.
pub fn place(text: &str) -> Option<Place> {
    let (partition, offset) = text.split_once('-')?;
    Some((partition.parse().ok()?, offset.parse().ok()?))
}

/// Reads `0-12,1-none,3-42` or `beginning`. Before the first offset is -1.
pub fn position(text: &str) -> Position {
    if text == "beginning" {
        return Position::new();
    }
    text.split(',')
        .map(|part| match part.strip_suffix("-none") {
            Some(partition) => partition.parse().ok().map(|partition| (partition, -1)),
            None => place(part),
        })
        .map(|place| place.unwrap_or_else(|| panic!("no position: {text}")))
        .collect()
}
