//! What is claimed: ratios within one run, each with its bar.

use std::collections::BTreeMap;

use super::contestant::Contestant::{Bare, Consumer, GoTuned, Raw, Relay, Service};
use super::contestant::{Contestant, GLUE};
use super::plan::name::{
    BATCH_100, BATCH_100_FOLLOWED, BATCH_100_FORGETFUL, BATCH_100_FROZEN, BATCH_100_OFF,
    READ_RECENT, READ_REPLAY, SINGLE_1, SINGLE_64, SINGLE_64_FOLLOWED, SINGLE_64_FORGETFUL,
    SINGLE_64_FROZEN, SINGLE_64_HALF, SINGLE_1000, STREAMS_1, STREAMS_1000, STREAMS_10000,
    STREAMS_RESUMED,
};
use super::results::{Results, Summary, median};

/// What a value must be.
#[derive(Clone, Copy)]
pub enum Bar {
    AtMost(f64),
    AtLeast(f64),
}

pub struct Ratio {
    /// In the stored ratios.
    pub key: &'static str,
    pub what: &'static str,
    pub bar: Bar,
    /// None where a part of it was not measured.
    pub value: Option<f64>,
    /// How many digits behind the point are shown.
    digits: usize,
}

impl Bar {
    pub fn holds(self, value: f64) -> bool {
        match self {
            Bar::AtMost(most) => value <= most,
            Bar::AtLeast(least) => value >= least,
        }
    }

    /// Whether a value is worse than an earlier one by more than a share of it.
    pub fn is_worse(self, value: f64, earlier: f64, margin: f64) -> bool {
        match self {
            Bar::AtMost(_) => value > earlier * (1.0 + margin),
            Bar::AtLeast(_) => value < earlier * (1.0 - margin),
        }
    }
}

impl std::fmt::Display for Bar {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Bar::AtMost(most) => write!(f, "≤ {most}"),
            Bar::AtLeast(least) => write!(f, "≥ {least}"),
        }
    }
}

impl Ratio {
    fn new(key: &'static str, what: &'static str, bar: Bar, value: Option<f64>) -> Self {
        let digits = 2;
        Ratio { key, what, bar, value: value.filter(|value| value.is_finite()), digits }
    }

    /// An amount with a unit of its own.
    fn amount(self) -> Self {
        Ratio { digits: 0, ..self }
    }

    pub fn shown(&self) -> String {
        self.value.map_or("not measured".to_owned(), |value| format!("{value:.*}", self.digits))
    }

    pub fn verdict(&self) -> &'static str {
        match self.value {
            None => "",
            Some(value) if self.bar.holds(value) => "holds",
            Some(_) => "missed",
        }
    }
}

type Measure = fn(&Summary<'_>) -> Option<f64>;

const CPU: Measure = |summary| summary.cpu_micros("contestant");
const RATE: Measure = |summary| summary.events_per_second();
const P50: Measure = |summary| summary.latency(|latency| latency.p50);
const P99: Measure = |summary| summary.latency(|latency| latency.p99);

/// All ratios of the run.
pub fn ratios(results: &Results) -> Vec<Ratio> {
    use Bar::{AtLeast, AtMost};
    let over = |measure: Measure, work: &str, other: Contestant| {
        divide(results.median(Service, work, measure), results.median(other, work, measure))
    };
    let between = |measure: Measure, work: &str, other: &str| {
        divide(results.median(Service, work, measure), results.median(Service, other, measure))
    };
    vec![
        Ratio::new(
            "single-cpu-to-bare-axum",
            "single, 64 connections: CPU an event ÷ bare axum's",
            AtMost(2.2),
            over(CPU, SINGLE_64, Bare),
        ),
        Ratio::new(
            "single-cpu-to-go",
            "single, 64 connections: CPU an event ÷ tuned Go's",
            AtMost(0.25),
            over(CPU, SINGLE_64, GoTuned),
        ),
        Ratio::new(
            "single-rate-to-best-peer",
            "single, 64 connections: events/s ÷ the best peer's",
            AtLeast(2.5),
            divide(results.median(Service, SINGLE_64, RATE), best_peer_rate(results)),
        ),
        Ratio::new(
            "batch-cpu-to-raw",
            "batches of 100: CPU an event ÷ raw producer's",
            AtMost(2.0),
            over(CPU, BATCH_100, Raw),
        ),
        Ratio::new(
            "batch-rate-to-raw",
            "batches of 100: events/s ÷ raw producer's",
            AtLeast(0.8),
            over(RATE, BATCH_100, Raw),
        ),
        Ratio::new(
            "one-connection-p50-to-raw",
            "one connection: p50 ÷ raw producer's send-to-ack p50",
            AtMost(1.4),
            over(P50, SINGLE_1, Raw),
        ),
        Ratio::new(
            "half-rate-p99-to-p50",
            "single, open loop at half of the highest rate: p99 ÷ p50",
            AtMost(5.0),
            divide(
                results.median(Service, SINGLE_64_HALF, P99),
                results.median(Service, SINGLE_64_HALF, P50),
            ),
        ),
        Ratio::new(
            "redis-on-to-off-cpu",
            "batches of 100: CPU an event, Redis on ÷ off",
            AtMost(1.3),
            between(CPU, BATCH_100, BATCH_100_OFF),
        ),
        Ratio::new(
            "redis-frozen-to-on-p50",
            "single, 64 connections: p50, Redis frozen ÷ on",
            AtMost(1.05),
            between(P50, SINGLE_64_FROZEN, SINGLE_64),
        ),
        Ratio::new(
            "redis-frozen-to-on-rate",
            "single, 64 connections: events/s, Redis frozen ÷ on",
            AtLeast(0.95),
            between(RATE, SINGLE_64_FROZEN, SINGLE_64),
        ),
        Ratio::new(
            "redis-frozen-to-on-batch-p50",
            "batches of 100: p50, Redis frozen ÷ on",
            AtMost(1.05),
            between(P50, BATCH_100_FROZEN, BATCH_100),
        ),
        Ratio::new(
            "redis-frozen-to-on-batch-rate",
            "batches of 100: events/s, Redis frozen ÷ on",
            AtLeast(0.95),
            between(RATE, BATCH_100_FROZEN, BATCH_100),
        ),
        Ratio::new(
            "resident-memory-mib",
            "resident memory, the most in any measurement, MiB",
            AtMost(96.0),
            peak_mib(results),
        )
        .amount(),
        Ratio::new(
            "soak-memory-growth",
            "resident memory under a long load: last tenth ÷ second tenth",
            AtMost(1.05),
            soak_growth(&results.soak_kib),
        ),
        Ratio::new(
            "1000-to-64-connections-cpu",
            "single: CPU an event, 1,000 connections ÷ 64",
            AtMost(1.3),
            between(CPU, SINGLE_1000, SINGLE_64),
        ),
        Ratio::new(
            "start-to-ready-ms",
            "start to ready, Kafka up, ms",
            AtMost(300.0),
            start_to_ready(results),
        )
        .amount(),
        Ratio::new(
            "dev-start-to-ready-ms",
            "start to ready, `dual-stream dev`, ms",
            AtMost(500.0),
            median(results.dev_ready_ms.clone()),
        )
        .amount(),
    ]
    .into_iter()
    .chain(reading(results))
    .chain(streaming(results))
    .collect()
}

/// Those of reading back. What following the topic may cost has no bar of its own: these say only
/// when it becomes more.
fn reading(results: &Results) -> [Ratio; 4] {
    use Bar::{AtLeast, AtMost};
    let of = |measure: Measure, contestant, work: &str| results.median(contestant, work, measure);
    let tail = |on: &str, off: &str| divide(of(CPU, Service, on), of(CPU, Service, off));
    [
        Ratio::new(
            "replay-rate-to-consumer",
            "replay of one of 1,000 sources: records/s ÷ a plain consumer's",
            AtLeast(0.8),
            divide(of(RATE, Service, READ_REPLAY), of(RATE, Consumer, READ_REPLAY)),
        ),
        Ratio::new(
            "recent-cpu-micros",
            "the newest 50 of a source from memory: CPU, µs",
            AtMost(500.0),
            of(CPU, Service, READ_RECENT),
        )
        .amount(),
        Ratio::new(
            "tail-batch-cpu",
            "batches of 100: CPU an event, the newest kept in memory ÷ nothing kept",
            AtMost(1.6),
            tail(BATCH_100_FOLLOWED, BATCH_100_FORGETFUL),
        ),
        Ratio::new(
            "tail-single-cpu",
            "single, 64 connections: the same",
            AtMost(1.6),
            tail(SINGLE_64_FOLLOWED, SINGLE_64_FORGETFUL),
        ),
    ]
}

/// Those of streams.
fn streaming(results: &Results) -> [Ratio; 5] {
    use Bar::AtMost;
    let of = |measure: Measure, contestant, work: &str| results.median(contestant, work, measure);
    let over =
        |measure: Measure, work: &str| divide(of(measure, Service, work), of(measure, Relay, work));
    [
        Ratio::new(
            "streams-1000-cpu-to-relay",
            "1,000 streams of a source: CPU a delivery ÷ a plain relay's",
            AtMost(1.5),
            over(CPU, STREAMS_1000),
        ),
        Ratio::new(
            "streams-1-p50",
            "one stream: p50 from post to arrival, ms",
            AtMost(2.0),
            of(P50, Service, STREAMS_1),
        ),
        Ratio::new(
            "streams-memory-kib",
            "10,000 idle streams: memory of each, KiB",
            AtMost(20.0),
            of(|summary| summary.opened(|opened| opened.kib_each), Service, STREAMS_10000),
        ),
        Ratio::new(
            "streams-memory-to-relay",
            "the same ÷ a plain relay's",
            AtMost(2.0),
            over(|summary| summary.opened(|opened| opened.kib_each), STREAMS_10000),
        ),
        Ratio::new(
            "streams-resumed-seconds",
            "10,000 streams resume, each with an event that it missed, s",
            AtMost(5.0),
            of(|summary| summary.opened(|opened| opened.seconds), Service, STREAMS_RESUMED),
        ),
    ]
}

fn divide(value: Option<f64>, by: Option<f64>) -> Option<f64> {
    Some(value? / by?)
}

fn best_peer_rate(results: &Results) -> Option<f64> {
    let rates = GLUE.iter().filter_map(|peer| results.median(*peer, SINGLE_64, RATE));
    rates.reduce(f64::max)
}

fn peak_mib(results: &Results) -> Option<f64> {
    // At defaults, which some of the works that read or follow have not.
    let at_defaults =
        |work: &&crate::work::Work| work.reading.is_none() && work.streaming.is_none();
    let works = results.works.iter().filter(at_defaults);
    works
        .filter_map(|work| results.median(Service, &work.name, |summary| summary.peak_mib()))
        .reduce(f64::max)
}

/// The first tenth is left out: there, pools and queues take their size.
fn soak_growth(kib: &[u64]) -> Option<f64> {
    let tenth = kib.len() / 10;
    let mean = |part: &[u64]| part.iter().sum::<u64>() as f64 / part.len() as f64;
    (tenth > 0).then(|| mean(&kib[kib.len() - tenth..]) / mean(&kib[tenth..2 * tenth]))
}

fn start_to_ready(results: &Results) -> Option<f64> {
    let starts = results.samples.iter().filter(|sample| sample.contestant == Service);
    median(starts.filter_map(|sample| sample.ready_ms).collect())
}

/// Those measured, by their keys.
pub fn values(ratios: &[Ratio]) -> BTreeMap<&str, f64> {
    let rounded = |value: f64| (value * 1000.0).round() / 1000.0;
    ratios.iter().filter_map(|ratio| Some((ratio.key, rounded(ratio.value?)))).collect()
}

/// What is worse than in the stored ratios by more than the margin, in words.
pub fn regressions(ratios: &[Ratio], stored: &BTreeMap<String, f64>, margin: f64) -> Vec<String> {
    let worse = ratios.iter().filter_map(|ratio| {
        let (value, earlier) = (ratio.value?, *stored.get(ratio.key)?);
        let is_worse = ratio.bar.is_worse(value, earlier, margin);
        is_worse.then(|| format!("{}: {} now, {earlier} stored", ratio.what, ratio.shown()))
    });
    worse.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn worse_means_worse_in_the_direction_of_the_bar() {
        assert!(Bar::AtMost(2.0).is_worse(1.3, 1.0, 0.2));
        assert!(!Bar::AtMost(2.0).is_worse(0.5, 1.0, 0.2));
        assert!(Bar::AtLeast(2.0).is_worse(2.3, 3.0, 0.2));
        assert!(!Bar::AtLeast(2.0).is_worse(9.0, 3.0, 0.2));
    }

    #[test]
    fn memory_that_grows_is_seen() {
        let flat = vec![100; 60];
        let growing: Vec<u64> = (100..160).collect();
        assert_eq!(soak_growth(&flat), Some(1.0));
        assert!(soak_growth(&growing).unwrap() > 1.3);
        assert_eq!(soak_growth(&[]), None);
    }
}
