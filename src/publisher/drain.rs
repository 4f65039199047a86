//! How fast Kafka takes the bytes in flight.

use std::time::{Duration, Instant};

/// Over how long the rate is measured, at the least.
const WINDOW: Duration = Duration::from_secs(1);

/// Bytes that Kafka took, for the rate at which it does.
pub(super) struct Drain {
    since: Instant,
    bytes: usize,
    /// Bytes a second in the window before.
    rate: f64,
}

impl Drain {
    pub(super) fn starting(since: Instant) -> Self {
        Drain { since, bytes: 0, rate: 0.0 }
    }

    pub(super) fn left(&mut self, bytes: usize, now: Instant) {
        self.roll(now);
        self.bytes += bytes;
    }

    /// Bytes a second of late.
    pub(super) fn rate(&mut self, now: Instant) -> f64 {
        self.roll(now);
        self.rate
    }

    #[cfg(test)]
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    fn roll(&mut self, now: Instant) {
        let window = now.duration_since(self.since);
        if window >= WINDOW {
            self.rate = self.bytes as f64 / window.as_secs_f64();
            self.bytes = 0;
            self.since = now;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rate_is_that_of_the_window_before() {
        let start = Instant::now();
        let second = Duration::from_secs(1);
        let mut drain = Drain::starting(start);
        assert_eq!(drain.rate(start), 0.0);
        drain.left(500, start);
        assert_eq!(drain.rate(start + second), 500.0);
        assert_eq!(drain.rate(start + second * 3), 0.0);
    }
}
