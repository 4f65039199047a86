//! All that a run gave, and the medians of it.

use serde::{Deserialize, Serialize};

use super::contestant::Contestant;
use super::machine::Machine;
use super::measure::Sample;
use crate::work::Work;

#[derive(Serialize, Deserialize)]
pub struct Results {
    pub machine: Machine,
    pub settings: Settings,
    pub works: Vec<Work>,
    pub samples: Vec<Sample>,
    /// Who did not take part, and why.
    pub skipped: Vec<(Contestant, String)>,
    /// Measurements that failed.
    pub failures: Vec<String>,
    /// From the start of `dual-stream dev` to ready, in milliseconds.
    pub dev_ready_ms: Vec<f64>,
    /// The service's resident memory in KiB, second by second, under a long load.
    pub soak_kib: Vec<u64>,
}

/// How it was measured.
#[derive(Clone, Serialize, Deserialize)]
pub struct Settings {
    pub command: String,
    pub repeats: usize,
    pub warm_up_seconds: f64,
    pub seconds: f64,
    pub partitions: i32,
}

/// The medians of a contestant's samples at a work.
#[derive(Clone, Copy, Debug)]
pub struct Summary<'a> {
    samples: &'a [&'a Sample],
}

impl Results {
    pub fn samples(&self, contestant: Contestant, work: &str) -> Vec<&Sample> {
        let wanted = |sample: &&Sample| sample.contestant == contestant && sample.work == work;
        self.samples.iter().filter(wanted).collect()
    }

    /// Applies a measure to the samples of a contestant at a work, and takes the median.
    pub fn median(
        &self,
        contestant: Contestant,
        work: &str,
        measure: impl Fn(&Summary<'_>) -> Option<f64>,
    ) -> Option<f64> {
        measure(&Summary { samples: &self.samples(contestant, work) })
    }
}

impl<'a> Summary<'a> {
    pub fn of(samples: &'a [&'a Sample]) -> Self {
        Summary { samples }
    }

    pub fn events_per_second(&self) -> Option<f64> {
        self.median(|sample| Some(sample.events_per_second()))
    }

    pub fn cpu_micros(&self, process: &str) -> Option<f64> {
        self.median(|sample| sample.cpu_micros(process))
    }

    /// A latency in milliseconds, of those measured at all.
    pub fn latency(&self, which: impl Fn(&crate::outcome::Latency) -> f64) -> Option<f64> {
        self.median(|sample| {
            let latency = &sample.outcome.latency;
            (latency.max > 0.0).then(|| which(latency))
        })
    }

    /// Of those that opened streams.
    pub fn opened(&self, which: impl Fn(&crate::outcome::Opened) -> f64) -> Option<f64> {
        self.median(|sample| sample.outcome.opened.as_ref().map(&which))
    }

    /// The highest of all, in MiB.
    pub fn peak_mib(&self) -> Option<f64> {
        self.samples.iter().map(|sample| sample.peak_kib as f64 / 1024.0).reduce(f64::max)
    }

    pub fn is_whole(&self) -> bool {
        self.samples.iter().all(|sample| sample.is_whole())
    }

    pub fn stores(&self) -> bool {
        self.samples.iter().any(|sample| sample.stored.is_some())
    }

    /// Answers other than 201, requests without any answer, and those that were never sent.
    pub fn troubles(&self) -> [u64; 3] {
        self.samples.iter().fold([0; 3], |[failed, unanswered, unsent], sample| {
            let outcome = &sample.outcome;
            [
                failed + outcome.failed.values().sum::<u64>(),
                unanswered + outcome.unanswered,
                unsent + outcome.unsent,
            ]
        })
    }

    fn median(&self, measure: impl Fn(&Sample) -> Option<f64>) -> Option<f64> {
        median(self.samples.iter().filter_map(|sample| measure(sample)).collect())
    }
}

/// The middle value; of an even number, the mean of the middle two.
pub fn median(mut values: Vec<f64>) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    let upper = *values.get(values.len() / 2)?;
    let lower = values[(values.len() - 1) / 2];
    Some(f64::midpoint(lower, upper))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_in_the_middle() {
        assert_eq!(median(vec![]), None);
        assert_eq!(median(vec![3.0, 1.0, 2.0]), Some(2.0));
        assert_eq!(median(vec![4.0, 1.0, 2.0, 3.0]), Some(2.5));
    }
}
