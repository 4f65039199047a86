//! What the load generator and the raw producer report, as one line of JSON.

use std::collections::BTreeMap;

use hdrhistogram::Histogram;
use serde::{Deserialize, Serialize};

/// One measured window.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Outcome {
    /// Length of the window.
    pub seconds: f64,
    /// Events acknowledged in the window.
    pub events: u64,
    /// Events acknowledged in all, with those before and after the window.
    pub acknowledged: u64,
    /// Answers other than 201, by status, and broken connections as 0.
    pub failed: BTreeMap<u16, u64>,
    /// Requests that had no answer long after the window.
    pub unanswered: u64,
    /// Requests of an open loop that were due and never sent: it could not keep up.
    pub unsent: u64,
    pub latency: Latency,
    /// CPU in the window, in seconds, by the names of the watched processes.
    pub cpu: BTreeMap<String, f64>,
    /// What it took to open streams; none where there are none.
    #[serde(default)]
    pub opened: Option<Opened>,
}

/// Streams that were opened.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct Opened {
    /// Until all were open and had what they missed.
    pub seconds: f64,
    /// Resident memory of the contestant that each took, in KiB, while nothing was posted.
    pub kib_each: f64,
}

/// Milliseconds.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Latency {
    pub p50: f64,
    pub p90: f64,
    pub p99: f64,
    pub p999: f64,
    pub max: f64,
    /// Pairs of a quantile and its latency, dense towards 1.
    pub curve: Vec<(f64, f64)>,
}

/// A histogram of microseconds, to a tenth of a percent and up to a minute.
pub fn histogram() -> Histogram<u64> {
    Histogram::new_with_bounds(1, 60_000_000, 3).unwrap_or_else(|_| unreachable!("valid bounds"))
}

impl Latency {
    pub fn of(histogram: &Histogram<u64>) -> Self {
        let at = |quantile| histogram.value_at_quantile(quantile) as f64 / 1000.0;
        // Five points for each halving of what is left.
        let curve = (0..=66).map(|step| 1.0 - 0.5_f64.powf(f64::from(step) / 5.0));
        Latency {
            p50: at(0.5),
            p90: at(0.9),
            p99: at(0.99),
            p999: at(0.999),
            max: at(1.0),
            curve: curve.map(|quantile| (quantile, at(quantile))).collect(),
        }
    }
}
