//! What was done between two moments, for the line that says how a shutdown went.

use crate::http::App;
use crate::metrics::Metrics;

/// Counts since the start.
pub(super) struct Tally {
    records: u64,
    sent: u64,
    dropped: u64,
}

/// What happened since a [`Tally`] was taken.
pub(super) struct Since {
    /// Records whose fate was reported.
    pub(super) records: u64,
    /// Notifications that Redis took.
    pub(super) sent: u64,
    /// Notifications that were not sent, for whatever reason, or whose fate is not known.
    pub(super) dropped: u64,
}

impl Tally {
    pub(super) fn of(app: &App) -> Self {
        let metrics: &Metrics = &app.metrics;
        Tally {
            records: app.publisher.reported(),
            sent: metrics.notifications_published.get(),
            dropped: metrics.dropped_total(),
        }
    }

    pub(super) fn since(&self, before: &Tally) -> Since {
        Since {
            records: self.records - before.records,
            sent: self.sent - before.sent,
            dropped: self.dropped - before.dropped,
        }
    }
}
