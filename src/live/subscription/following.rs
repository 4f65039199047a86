//! Taking what the hub hands on.

use super::super::hub::Registration;
use super::super::item::{End, Item, Lost};
use super::super::places::Places;
use super::super::queue::Torn;
use super::{Phase, Subscription, Turn};

pub(super) struct Following {
    pub(super) registration: Registration,
    /// The turn in which the log was read, until what came meanwhile is taken, too.
    pub(super) turn: Option<Turn>,
    /// Where the tail was at the last beat: all of it is in the queue, or was taken.
    confirming: Option<Places>,
}

impl Following {
    pub(super) fn new(registration: Registration, turn: Option<Turn>) -> Box<Self> {
        Box::new(Following { registration, turn, confirming: None })
    }
}

impl Subscription {
    pub(super) async fn follow(&mut self, mut following: Box<Following>) -> Option<Item> {
        if following.turn.is_some() {
            return self.level(following);
        }
        let queue = &mut following.registration.queue;
        match queue.try_recv() {
            Ok(Some(queued)) => {
                self.phase = Phase::Follow(following);
                return self.take_queued(queued);
            }
            Ok(None) => {}
            Err(torn) => return self.torn(torn),
        }
        if let Some(places) = following.confirming.take() {
            return self.confirmed(places, following).await;
        }
        if self.is_confirmed {
            self.phase = Phase::Follow(following);
            return Some(self.beat());
        }
        let received = tokio::select! {
            biased;
            received = queue.recv() => received,
            _ = self.beat.tick() => {
                following.confirming = Some(self.seat.hub.places());
                return self.goes_on(Phase::Follow(following));
            }
        };
        match received {
            Ok(queued) => {
                self.phase = Phase::Follow(following);
                self.take_queued(queued)
            }
            Err(torn) => self.torn(torn),
        }
    }

    /// Everything up to these places was taken.
    async fn confirmed(&mut self, places: Places, following: Box<Following>) -> Option<Item> {
        self.merge.confirm(&places);
        self.seat.hub.metrics().live_unconfirmed.inc_by(self.merge.unconfirmed());
        let ahead = self.merge.ahead(&places);
        // The tail of another instance may have been further than ours, but not for so long.
        if self.was_ahead && !ahead.is_empty() {
            for (partition, next) in ahead {
                if self.reader.end(partition).await.is_ok_and(|end| end < next) {
                    self.merge.forget(partition);
                    self.phase = Phase::Join;
                }
            }
            if matches!(self.phase, Phase::Join) {
                return Some(self.reset(Lost::Shortened));
            }
        }
        self.was_ahead = !self.merge.ahead(&places).is_empty();
        self.phase = Phase::Follow(following);
        Some(self.beat())
    }

    pub(super) fn torn(&mut self, torn: Torn) -> Option<Item> {
        self.goes_on(match torn {
            Torn::Gap => Phase::Join,
            Torn::Full | Torn::Gone => Phase::End(End::Slow),
            Torn::Closing => Phase::End(End::Closing),
        })
    }
}
