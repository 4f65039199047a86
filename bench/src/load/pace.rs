//! When requests are due.
//!
//! In a closed loop a connection sends when it has its answer: a slow service is asked less, and
//! its pauses are hardly seen. In an open loop requests are due at a fixed rate, whether earlier
//! ones are answered or not, and their time counts from when they were due.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use tokio::sync::Semaphore;

/// tokio's timers are exact to a millisecond; a thread's sleep is to some 50 µs.
const TICK: Duration = Duration::from_micros(200);

#[derive(Clone)]
pub enum Pace {
    Closed,
    Open(Arc<Schedule>),
}

/// Requests at a fixed rate; all that fall into one tick are due together at its end.
pub struct Schedule {
    start: Instant,
    per_tick: f64,
    due: Semaphore,
    taken: AtomicU64,
}

impl Pace {
    /// With requests a second for the open loop.
    pub fn new(rate: Option<f64>, start: Instant) -> Self {
        let Some(rate) = rate else { return Pace::Closed };
        Pace::Open(Arc::new(Schedule {
            start,
            per_tick: rate * TICK.as_secs_f64(),
            due: Semaphore::new(0),
            taken: AtomicU64::new(0),
        }))
    }

    /// Lets requests become due until `end`. Blocks.
    pub fn run(&self, end: Instant) {
        if let Pace::Open(schedule) = self {
            schedule.run(end);
        }
        std::thread::sleep(end.saturating_duration_since(Instant::now()));
    }

    /// The moment from which the next request counts, when there is one more.
    pub async fn next(&self) -> Option<Instant> {
        match self {
            Pace::Closed => Some(Instant::now()),
            Pace::Open(schedule) => schedule.next().await,
        }
    }

    /// How many requests were due and not sent.
    pub fn unsent(&self) -> usize {
        match self {
            Pace::Closed => 0,
            Pace::Open(schedule) => schedule.due.available_permits(),
        }
    }
}

impl Schedule {
    fn run(&self, end: Instant) {
        let mut released = 0;
        let mut tick: u32 = 0;
        loop {
            tick += 1;
            let at = self.start + TICK * tick;
            if at >= end {
                break;
            }
            std::thread::sleep(at.saturating_duration_since(Instant::now()));
            let due = (self.per_tick * f64::from(tick)) as usize;
            if due > released {
                self.due.add_permits(due - released);
                released = due;
            }
        }
        std::thread::sleep(end.saturating_duration_since(Instant::now()));
        self.due.close();
    }

    async fn next(&self) -> Option<Instant> {
        self.due.acquire().await.ok()?.forget();
        let number = self.taken.fetch_add(1, Ordering::Relaxed);
        let tick = ((number + 1) as f64 / self.per_tick).ceil() as u32;
        Some(self.start + TICK * tick)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn requests_are_due_at_the_rate_and_count_from_then() {
        let start = Instant::now();
        let pace = Pace::new(Some(1000.0), start);
        let end = start + Duration::from_millis(200);
        let pacer = std::thread::spawn({
            let pace = pace.clone();
            move || pace.run(end)
        });
        let mut due = Vec::new();
        while let Some(moment) = pace.next().await {
            assert!(moment <= Instant::now());
            due.push(moment);
        }
        pacer.join().unwrap();
        assert!((190..=200).contains(&due.len()), "{}", due.len());
        assert!(due.windows(2).all(|pair| pair[0] <= pair[1]));
    }
}
