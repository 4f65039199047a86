//! Everyone who reads.

use std::fmt::Write as _;

use tokio::sync::watch;

use super::book::Ended;
use super::instances::Instance;
use super::judge::{Findings, judge};
use super::log::{Log, Position};
use super::reader::{Manner, Over, Reader, Told};
use super::roster;
use super::subscription::Followed;

pub struct Audience {
    readers: Vec<Reader>,
    settles: watch::Sender<bool>,
    away: watch::Sender<bool>,
}

/// What came of a turn: to everyone, and of that over WebSockets.
#[derive(Default)]
pub struct Found {
    pub all: Findings,
    pub sockets: Findings,
}

impl Found {
    pub fn add(&mut self, other: &Found) {
        self.all.add(&other.all);
        self.sockets.add(&other.sockets);
    }
}

impl Audience {
    pub fn start(instances: &[Instance], source_types: &[String; 2], seed: u64) -> Self {
        let (settles, away) = (watch::Sender::new(false), watch::Sender::new(false));
        let told = Told {
            instances: instances.iter().map(|instance| instance.client.subscribe()).collect(),
            settles: settles.subscribe(),
            away: away.subscribe(),
        };
        let plans = roster::plans(source_types).into_iter().zip(seed..);
        let readers = plans.map(|(plan, seed)| Reader::start(plan, &told, seed)).collect();
        Audience { readers, settles, away }
    }

    fn followed(&self) -> impl Iterator<Item = &Followed> {
        self.readers.iter().flat_map(|reader| reader.follows()).map(AsRef::as_ref)
    }

    fn of_those_away(&self) -> impl Iterator<Item = &Followed> {
        let goes_away = |reader: &&Reader| reader.manner == Manner::GoesAway;
        self.readers.iter().filter(goes_away).flat_map(|reader| reader.follows()).map(AsRef::as_ref)
    }

    /// Has everyone stay, and read to the end, or do as they like again.
    pub fn settles(&self, settles: bool) {
        self.settles.send_replace(settles);
    }

    /// Whether all have come to the end of the log.
    pub fn is_at(&self, end: &Position) -> bool {
        self.followed().all(|followed| {
            let at = &followed.book().position;
            end.iter().all(|(partition, end)| at.get(partition).is_some_and(|at| at >= end))
        })
    }

    /// Whether anyone has heard of this partition.
    pub fn knows(&self, partition: i32) -> bool {
        self.followed().any(|followed| followed.book().position.contains_key(&partition))
    }

    /// Counts anew what comes to those who stay.
    pub fn listens(&self) {
        self.followed().for_each(|followed| followed.book().settled = 0);
    }

    /// Whether something has come to all of them since.
    pub fn has_heard(&self) -> bool {
        self.followed().all(|followed| followed.book().settled > 0)
    }

    /// Has those who go away be away, or come again.
    pub fn goes_away(&self, away: bool) {
        self.away.send_replace(away);
    }

    /// Whether those who go away are there.
    pub fn is_complete(&self) -> bool {
        self.of_those_away().all(|followed| {
            followed.book().connections.last().is_some_and(|last| last.ended == Ended::Open)
        })
    }

    /// How far those who are away had come, if they are: of each partition, the furthest.
    pub fn away_at(&self) -> Option<Position> {
        let mut furthest = Position::new();
        for followed in self.of_those_away() {
            let book = followed.book();
            if book.connections.last()?.ended == Ended::Open {
                return None;
            }
            for (&partition, &offset) in &book.position {
                let at = furthest.entry(partition).or_insert(offset);
                *at = offset.max(*at);
            }
        }
        Some(furthest)
    }

    /// Holds what was read against the log, and forgets it.
    pub fn judge(&self, log: &Log) -> Found {
        let mut found = Found::default();
        for reader in &self.readers {
            for followed in reader.follows() {
                let book = followed.book().turn_page();
                let findings = judge(&followed.name, &followed.wanted, &book, log);
                found.all.add(&findings);
                if reader.over == Over::Socket {
                    found.sockets.add(&findings);
                }
            }
        }
        found
    }

    /// Where everyone is.
    pub fn state(&self) -> String {
        let mut state = String::new();
        for followed in self.followed() {
            let book = followed.book();
            let _ = writeln!(state, "{}: {:?} {:?}", followed.name, book.position, book.lies);
        }
        state
    }
}
