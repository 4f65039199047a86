//! Early news: what is announced of events before the tail has brought them.
//!
//! Whoever may publish on the channels can make news up, so they are believed as little as
//! possible: they are told to followers, and nothing else depends on them. What a follower has had
//! is decided by the log alone.

mod channels;
mod listener;
mod names;
mod notification;

use std::str;

pub(super) use channels::Channels;
pub use listener::{Announcements, listen};
pub use names::Names;
pub(super) use names::Scope;

use super::hub::{Hub, Shared, State};
use super::news::{News, Place};
use crate::cursor::Cursor;
use crate::event::Source;
use crate::metrics::Announced;
use notification::Notification;

/// How far ahead of the tail news may be. Beyond that they are made up, or the tail is so far behind
/// that nothing is to be remembered for it.
const AHEAD: i64 = 100_000;

/// What is told on a channel, and of which source.
struct Told<'a> {
    notification: Notification<'a>,
    scope: Scope,
    source: Source,
    cursor: Cursor,
}

impl Hub {
    /// Is told what was announced on a channel. Holds a lock for a moment.
    pub fn tell(&self, channel: &[u8], payload: &[u8]) {
        let outcome = match read(&self.0, channel, payload) {
            Some(told) => self.0.state.lock().tell(told, channel, &self.0),
            None => Announced::Refused,
        };
        self.0.metrics.live_announced(outcome);
    }

    /// Something may have been announced that was not told.
    pub fn missed(&self) {
        self.0.state.lock().epoch += 1;
    }
}

/// None: it is no notification that is announced on such a channel, or has no cursor.
fn read<'a>(shared: &Shared, channel: &'a [u8], payload: &'a [u8]) -> Option<Told<'a>> {
    let notification = Notification::read(payload)?;
    let channel = str::from_utf8(channel).ok()?;
    let (id, kind) = (&notification.source_id, &notification.kind);
    let (scope, source_type) = shared.names.read(channel, id, kind)?;
    let source = Source::new(source_type, &**id).ok()?;
    let cursor = notification.cursor()?;
    Some(Told { notification, scope, source, cursor })
}

impl State {
    fn tell(&mut self, told: Told<'_>, channel: &[u8], shared: &Shared) -> Announced {
        let Told { notification, scope, source, cursor } = told;
        let Some(ahead) = self.places.ahead(cursor) else { return Announced::Refused };
        if ahead < 0 {
            return Announced::Late;
        }
        if ahead > AHEAD {
            // If it was true after all, those who follow do not have it before the next.
            self.epoch += 1;
            return Announced::Refused;
        }
        let State { registry, epoch, .. } = self;
        let make = || {
            let names = [&notification.id, &notification.kind, source.kind(), source.id()];
            let (mark, channel) = (shared.marks.of(names), shared.marks.of_channel(channel));
            let place = Place { mark, channel, epoch: *epoch };
            News::new(cursor, names, place, &shared.metrics.live_held)
        };
        let is_tight = shared.is_tight();
        registry.announce(&source, scope, &notification.kind, is_tight, make)
    }
}
