//! A connection's place among those that are open.

use std::sync::Arc;

use hyper_util::server::graceful::Watcher;
use tokio::sync::OwnedSemaphorePermit;

use crate::metrics::Metrics;

/// The place, given back however the connection ends. Until then the end of the service waits.
pub(super) struct Open {
    _slot: OwnedSemaphorePermit,
    _watcher: Watcher,
    metrics: Arc<Metrics>,
}

impl Open {
    pub(super) fn count(
        slot: OwnedSemaphorePermit,
        watcher: Watcher,
        metrics: Arc<Metrics>,
    ) -> Self {
        metrics.connections.inc();
        Open { _slot: slot, _watcher: watcher, metrics }
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.metrics.connections.dec();
    }
}
