//! Reading what was missed of the log.

use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;
use std::time::Duration;
use std::vec;

use tokio::sync::AcquireError;
use tokio::time::Instant;

use super::super::hub::Registration;
use super::super::item::{End, Item, Lost};
use super::super::merge::Merge;
use super::super::places::Places;
use super::super::queue::Torn;
use super::following::Following;
use super::{Phase, Subscription, Turn, closes};
use crate::event::Selection;
use crate::kafka::StoredEvent;
use crate::position::Position;
use crate::reader::{CatchUp, ReadError, Reader, Stretch};

/// How soon the log is looked at again after it could not be read.
const PAUSE: Duration = Duration::from_millis(500);

/// A place in the line of those who want to read.
pub(super) type Waiting = Pin<Box<dyn Future<Output = Result<Turn, AcquireError>> + Send>>;

/// What is missing, and what has come of it.
pub(super) struct Joining {
    registration: Registration,
    places: Places,
    stretches: Vec<Stretch>,
    log: Option<CatchUp>,
    /// Where the log of what is missing begins, when it begins later than that.
    begins: Option<Position>,
    part: vec::IntoIter<StoredEvent>,
}

impl Joining {
    pub(super) fn new(
        registration: Registration,
        places: Places,
        stretches: Vec<Stretch>,
    ) -> Box<Self> {
        registration.queue.set_behind();
        let part = Vec::new().into_iter();
        Box::new(Joining { registration, places, stretches, log: None, begins: None, part })
    }

    /// The next part.
    async fn read(
        &mut self,
        reader: &Reader,
        selection: &Selection,
        merge: &Merge,
    ) -> Option<Result<Vec<StoredEvent>, ReadError>> {
        if self.log.is_none() {
            let (stretches, fresh) = (self.stretches.clone(), merge.fresh(&self.stretches));
            match reader.catch_up(selection, stretches, &fresh).await {
                Ok(log) => self.log = Some(log),
                Err(error) => return Some(Err(error)),
            }
        }
        // Whoever stops waiting has lost nothing.
        if self.begins.is_none() {
            match self.log.as_mut()?.next().await {
                Some(Err(ReadError::Removed { earliest })) => self.begins = Some(earliest),
                part => return part,
            }
        }
        let earliest = begins_everywhere(self.begins.clone()?, reader, merge).await;
        Some(Err(ReadError::Removed { earliest }))
    }
}

/// Where the log begins, also of partitions of which nothing is missing so far: there the tail may
/// be overtaken, too, and a follower is to be told once.
async fn begins_everywhere(mut earliest: Position, reader: &Reader, merge: &Merge) -> Position {
    let mut nexts: BTreeMap<i32, i64> = merge.position().nexts().collect();
    nexts.extend(earliest.nexts());
    // A position may name some that are not known here yet, and nobody can say where they begin.
    let known = reader.partitions().unwrap_or(0);
    let partitions = nexts.keys().copied().filter(|partition| *partition < known).collect();
    for (partition, begin) in reader.beginnings(partitions).await.unwrap_or_default() {
        if nexts.get(&partition).is_some_and(|next| *next < begin) {
            earliest.set_next(partition, begin);
        }
    }
    earliest
}

impl Subscription {
    pub(super) async fn wait(&mut self, mut waiting: Waiting) -> Option<Item> {
        tokio::select! {
            turn = &mut waiting => {
                self.turn = turn.ok();
                self.goes_on(Phase::Join)
            }
            () = closes(&mut self.closed) => self.goes_on(Phase::End(End::Closing)),
            _ = self.beat.tick() => {
                self.phase = Phase::Wait(waiting);
                Some(self.beat())
            }
        }
    }

    pub(super) async fn catch_up(&mut self, mut joining: Box<Joining>) -> Option<Item> {
        if let Some(event) = joining.part.next() {
            self.phase = Phase::CatchUp(joining);
            return self.take_read(event);
        }
        let beat = tokio::select! {
            part = joining.read(&self.reader, &self.selection, &self.merge) => {
                return self.took(part, joining);
            }
            () = closes(&mut self.closed) => return self.goes_on(Phase::End(End::Closing)),
            _ = self.beat.tick() => self.beat(),
        };
        self.phase = Phase::CatchUp(joining);
        Some(beat)
    }

    /// Takes the next part of what was read of the log.
    fn took(
        &mut self,
        part: Option<Result<Vec<StoredEvent>, ReadError>>,
        mut joining: Box<Joining>,
    ) -> Option<Item> {
        match part {
            Some(Ok(events)) => {
                joining.part = events.into_iter();
                self.goes_on(Phase::CatchUp(joining))
            }
            None => {
                self.merge.joined(&joining.stretches, &joining.places);
                let (Joining { registration, .. }, turn) = (*joining, self.turn.take());
                self.goes_on(Phase::Follow(Following::new(registration, turn)))
            }
            Some(Err(ReadError::Removed { earliest })) => {
                self.merge.reset(&earliest);
                self.phase = Phase::Join;
                Some(self.reset(Lost::Removed))
            }
            Some(Err(_)) => {
                self.turn = None;
                self.goes_on(Phase::Pause(Instant::now() + PAUSE))
            }
        }
    }

    /// Takes what came while the log was read. When that was too much, the log has it.
    pub(super) fn level(&mut self, mut following: Box<Following>) -> Option<Item> {
        match following.registration.queue.try_recv() {
            Ok(Some(queued)) => {
                self.phase = Phase::Follow(following);
                self.take_queued(queued)
            }
            Ok(None) => {
                following.registration.queue.set_level();
                following.turn = None;
                self.goes_on(Phase::Follow(following))
            }
            Err(Torn::Full) => {
                self.turn = following.turn.take();
                self.goes_on(Phase::Join)
            }
            Err(torn) => self.torn(torn),
        }
    }
}
