//! Tables, in Markdown, which can be read in a terminal, too.

use std::fmt::Write as _;

use crate::run::contestant::Contestant;
use crate::run::measure::Sample;
use crate::run::ratios::Ratio;
use crate::run::results::{Results, Summary};
use crate::work::Work;

const HEADER: [&str; 10] = [
    "contestant",
    "events/s",
    "CPU µs an event",
    "p50 ms",
    "p99 ms",
    "p99.9 ms",
    "peak MiB",
    "broker CPU µs",
    "in Kafka",
    "troubles",
];
type Measure = fn(&Summary<'_>) -> Option<f64>;

const ALL: [Contestant; 10] = [
    Contestant::Service,
    Contestant::Other,
    Contestant::Bare,
    Contestant::Raw,
    Contestant::Consumer,
    Contestant::Relay,
    Contestant::Go,
    Contestant::GoTuned,
    Contestant::Node,
    Contestant::Naive,
];

/// One line about one measurement.
pub fn progress(work: &Work, sample: &Sample) -> String {
    let samples = [sample];
    let [_, rate, cpu, p50, p99, _, peak, _, whole, troubles] =
        cells(sample.contestant, &Summary::of(&samples));
    format!(
        "{:<24} {:<13} {rate:>9} events/s  {cpu:>7} µs  p50 {p50:>8} ms  p99 {p99:>8} ms  {peak:>4} MiB  {whole} {troubles}",
        work.name, sample.contestant,
    )
}

/// Everything, for a terminal.
pub fn text(results: &Results, ratios: &[Ratio]) -> String {
    let builds = builds(results);
    format!("{}\n{}\n{builds}{}", rows(results), self::ratios(ratios), skipped(results))
}

/// This build beside another one, where there is another.
fn builds(results: &Results) -> String {
    let measures: [(&str, Measure); 3] = [
        ("CPU an event", |summary| summary.cpu_micros("contestant")),
        ("events/s", |summary| summary.events_per_second()),
        ("p50", |summary| summary.latency(|latency| latency.p50)),
    ];
    let lines = results.works.iter().flat_map(|work| {
        measures.iter().filter_map(|(name, measure)| {
            let of = |build| results.median(build, &work.name, measure);
            let (this, other) = (of(Contestant::Service)?, of(Contestant::Other)?);
            Some(format!("{}, {name}: ×{:.3} of the other build's\n", work.name, this / other))
        })
    });
    lines.collect()
}

/// A table for each work.
pub fn rows(results: &Results) -> String {
    let mut text = String::new();
    for work in &results.works {
        let _ = writeln!(text, "**{work}** (`{}`)\n", work.name);
        let measured = ALL.into_iter().filter_map(|contestant| {
            let samples = results.samples(contestant, &work.name);
            (!samples.is_empty()).then(|| cells(contestant, &Summary::of(&samples)))
        });
        text.push_str(&table(&HEADER, measured.map(|row| row.to_vec())));
        text.push('\n');
    }
    text
}

pub fn ratios(ratios: &[Ratio]) -> String {
    let rows = ratios.iter().map(|ratio| {
        vec![
            ratio.what.to_owned(),
            ratio.shown(),
            ratio.bar.to_string(),
            ratio.verdict().to_owned(),
        ]
    });
    table(&["ratio", "value", "bar", "verdict"], rows)
}

pub fn machine(results: &Results) -> String {
    let settings = &results.settings;
    let measured = [
        ("command", format!("`{}`", settings.command)),
        ("repeats, in alternation", settings.repeats.to_string()),
        ("window", format!("{} s after {} s", settings.seconds, settings.warm_up_seconds)),
        ("partitions", settings.partitions.to_string()),
    ];
    let settings = measured.into_iter().map(|(name, value)| vec![name.to_owned(), value]);
    let facts = results.machine.facts.iter().map(|(name, value)| vec![name.clone(), value.clone()]);
    table(&["what", "which"], facts.chain(settings))
}

/// Who did not take part, and what failed.
pub fn skipped(results: &Results) -> String {
    let skipped = results.skipped.iter();
    let skipped =
        skipped.map(|(contestant, reason)| format!("- {contestant} did not take part: {reason}\n"));
    let failures = results.failures.iter().map(|failure| format!("- failed: {failure}\n"));
    let lines: String = skipped.chain(failures).collect();
    if lines.is_empty() { "Everyone took part, and nothing failed.\n".to_owned() } else { lines }
}

fn cells(contestant: Contestant, summary: &Summary<'_>) -> [String; 10] {
    let number = |value: Option<f64>| value.map_or("–".to_owned(), significant);
    let whole = match (summary.stores(), summary.is_whole()) {
        (false, _) => "–",
        (true, true) => "all",
        (true, false) => "**NOT ALL**",
    };
    let broker = if matches!(contestant, Contestant::Bare | Contestant::Relay) {
        None
    } else {
        summary.cpu_micros("kafka")
    };
    [
        contestant.to_string(),
        number(summary.events_per_second()),
        number(summary.cpu_micros("contestant")),
        number(summary.latency(|latency| latency.p50)),
        number(summary.latency(|latency| latency.p99)),
        number(summary.latency(|latency| latency.p999)),
        summary.peak_mib().map_or("–".to_owned(), |mib| format!("{mib:.0}")),
        number(broker),
        whole.to_owned(),
        troubles(summary.troubles()),
    ]
}

fn troubles([failed, unanswered, unsent]: [u64; 3]) -> String {
    let named = [(failed, "failed"), (unanswered, "unanswered"), (unsent, "not sent in time")];
    let told = named.into_iter().filter(|(count, _)| *count > 0);
    told.map(|(count, name)| format!("{count} {name}")).collect::<Vec<_>>().join(", ")
}

/// Three significant digits, with commas in thousands.
fn significant(value: f64) -> String {
    if value < 100.0 {
        let digits = if value < 1.0 {
            3
        } else if value < 10.0 {
            2
        } else {
            1
        };
        return format!("{value:.digits$}");
    }
    let unit = 10_f64.powi(value.log10() as i32 - 2);
    grouped(((value / unit).round() * unit).round() as u64)
}

fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

fn table(header: &[&str], rows: impl Iterator<Item = Vec<String>>) -> String {
    let line = |cells: &[String]| format!("| {} |\n", cells.join(" | "));
    let header: Vec<_> = header.iter().map(ToString::to_string).collect();
    // The first column is text, the rest are mostly numbers.
    let marks: Vec<_> = (0..header.len())
        .map(|column| if column == 0 { "---" } else { "---:" }.to_owned())
        .collect();
    let head = line(&header) + &line(&marks);
    rows.fold(head, |text, row| text + &line(&row))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_three_digits_that_say_something() {
        let shown = [0.2134, 3.456, 24.68, 161.2, 48_765.4, 1_234_567.0].map(significant);
        assert_eq!(shown, ["0.213", "3.46", "24.7", "161", "48,800", "1,230,000"]);
    }

    #[test]
    fn troubles_are_told_only_where_there_are_any() {
        assert_eq!(troubles([0, 0, 0]), "");
        assert_eq!(troubles([1, 0, 3]), "1 failed, 3 not sent in time");
    }
}
