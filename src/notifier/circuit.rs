//! The circuit breaker in front of Redis.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use parking_lot::Mutex;

use crate::metrics::Metrics;

/// Open after some failures in a row: then Redis is not tried, except by a probe now and then,
/// and notifications are dropped at once instead of waiting for timeouts.
pub struct Circuit {
    threshold: u32,
    failures: AtomicU32,
    open: AtomicBool,
    last_error: Mutex<Option<String>>,
    metrics: Arc<Metrics>,
}

impl Circuit {
    pub(super) fn new(threshold: u32, metrics: Arc<Metrics>) -> Self {
        Circuit {
            threshold,
            failures: AtomicU32::new(0),
            open: AtomicBool::new(false),
            last_error: Mutex::new(None),
            metrics,
        }
    }

    /// Whether Redis is left alone for now.
    pub fn is_open(&self) -> bool {
        self.open.load(Ordering::Acquire)
    }

    /// What went wrong last, until something went right.
    pub fn last_error(&self) -> Option<String> {
        self.last_error.lock().clone()
    }

    pub(super) fn succeeded(&self) {
        if self.failures.swap(0, Ordering::AcqRel) > 0 {
            *self.last_error.lock() = None;
        }
        if self.open.swap(false, Ordering::AcqRel) {
            self.metrics.circuit_open.set(0);
            tracing::info!("redis is back; notifications are sent again");
        }
    }

    pub(super) fn failed(&self, error: &str) {
        *self.last_error.lock() = Some(error.to_owned());
        let failures = self.failures.fetch_add(1, Ordering::AcqRel).saturating_add(1);
        if failures >= self.threshold && !self.open.swap(true, Ordering::AcqRel) {
            self.metrics.circuit_open.set(1);
            tracing::warn!("redis fails; notifications are dropped until it is back: {error}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_opens_after_failures_in_a_row_and_closes_at_the_first_success() {
        let circuit = Circuit::new(3, Arc::new(Metrics::new()));
        circuit.failed("refused");
        circuit.failed("refused");
        circuit.succeeded();
        circuit.failed("refused");
        circuit.failed("refused");
        assert!(!circuit.is_open());
        circuit.failed("timed out");
        assert!(circuit.is_open());
        assert_eq!(circuit.last_error().as_deref(), Some("timed out"));
        assert_eq!(circuit.metrics.circuit_open.get(), 1);
        circuit.succeeded();
        assert!(!circuit.is_open());
        assert_eq!(circuit.last_error(), None);
    }
}
