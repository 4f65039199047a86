//! The circuit breaker in front of Redis.

use std::sync::Arc;

use parking_lot::Mutex;

use crate::metrics::Metrics;

/// Open after some failures in a row: then Redis is not tried, except by a probe now and then,
/// and notifications are dropped at once instead of waiting for timeouts.
pub struct Circuit {
    threshold: u32,
    state: Mutex<State>,
    metrics: Arc<Metrics>,
}

#[derive(Default)]
struct State {
    failures: u32,
    is_open: bool,
    /// What went wrong last, until something went right.
    error: Option<Failure>,
    /// Whether the log has said that Redis fails, and not yet that it is back.
    is_told: bool,
}

/// Why a notification could not be sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Failure {
    /// No connection, or no answer.
    Unreachable(String),
    /// Redis answers, and takes no notification: rights, memory, a replica.
    Refused(String),
}

impl Circuit {
    pub(super) fn new(threshold: u32, metrics: Arc<Metrics>) -> Self {
        Circuit { threshold, state: Mutex::default(), metrics }
    }

    /// Whether Redis is left alone for now.
    pub fn is_open(&self) -> bool {
        self.state.lock().is_open
    }

    /// What went wrong last, until something went right.
    pub fn last_error(&self) -> Option<String> {
        self.state.lock().error.as_ref().map(|failure| failure.text().to_owned())
    }

    /// Notifications went through.
    pub(super) fn sent(&self) {
        let mut state = self.state.lock();
        if state.is_told {
            tracing::info!("redis is back; notifications are sent again");
        }
        *state = State::default();
        self.metrics.circuit_open.set(0);
    }

    /// Redis answers a probe. That mends an unreachable one; one that refused notifications has
    /// to take some first, and until then the next failure opens the circuit again.
    pub(super) fn answered(&self) {
        let mut state = self.state.lock();
        if matches!(state.error, Some(Failure::Refused(_))) {
            state.is_open = false;
            state.failures = self.threshold - 1;
            self.metrics.circuit_open.set(0);
            return;
        }
        drop(state);
        self.sent();
    }

    pub(super) fn failed(&self, failure: Failure) {
        let mut state = self.state.lock();
        state.failures = state.failures.saturating_add(1);
        if state.failures >= self.threshold {
            state.is_open = true;
            self.metrics.circuit_open.set(1);
            if !std::mem::replace(&mut state.is_told, true) {
                let error = failure.text();
                tracing::warn!("redis fails; notifications are dropped until it is back: {error}");
            }
        }
        state.error = Some(failure);
    }
}

impl Failure {
    fn text(&self) -> &str {
        match self {
            Failure::Unreachable(text) | Failure::Refused(text) => text,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unreachable(text: &str) -> Failure {
        Failure::Unreachable(text.into())
    }

    #[test]
    fn it_opens_after_failures_in_a_row_and_closes_at_the_first_success() {
        let circuit = Circuit::new(3, Arc::new(Metrics::new()));
        circuit.failed(unreachable("refused"));
        circuit.failed(unreachable("refused"));
        circuit.sent();
        circuit.failed(unreachable("refused"));
        circuit.failed(unreachable("refused"));
        assert!(!circuit.is_open());
        circuit.failed(unreachable("timed out"));
        assert!(circuit.is_open());
        assert_eq!(circuit.last_error().as_deref(), Some("timed out"));
        assert_eq!(circuit.metrics.circuit_open.get(), 1);
        circuit.answered();
        assert!(!circuit.is_open());
        assert_eq!(circuit.last_error(), None);
    }

    #[test]
    fn a_redis_that_refuses_is_not_back_because_it_answers() {
        let circuit = Circuit::new(3, Arc::new(Metrics::new()));
        (0..3).for_each(|_| circuit.failed(Failure::Refused("NOPERM".into())));
        circuit.answered();
        assert!(!circuit.is_open());
        assert_eq!(circuit.last_error().as_deref(), Some("NOPERM"));
        circuit.failed(Failure::Refused("NOPERM".into()));
        assert!(circuit.is_open());
        circuit.answered();
        circuit.sent();
        assert_eq!(circuit.last_error(), None);
    }
}
