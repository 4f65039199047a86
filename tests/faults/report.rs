//! The table of what the scenarios found.

use std::fmt::Write as _;
use std::time::Duration;

use super::oracle::Findings;

/// One scenario.
#[derive(Clone, Debug)]
pub struct Row {
    scenario: String,
    issued: usize,
    stored: usize,
    not_stored: usize,
    unknown: usize,
    connection_lost: usize,
    repeats: usize,
    doubled: usize,
    lost: usize,
    lies: usize,
    unheard: usize,
    longest_stall: Duration,
    recovery: Option<Duration>,
    peak_kib: u64,
}

impl Row {
    pub fn new(scenario: &str, findings: &Findings) -> Self {
        Row {
            scenario: scenario.to_owned(),
            issued: findings.issued,
            stored: findings.stored,
            not_stored: findings.not_stored,
            unknown: findings.unknown,
            connection_lost: findings.connection_lost,
            repeats: findings.repeats,
            doubled: findings.doubled,
            lost: findings.lost.len(),
            lies: findings.lies.len(),
            unheard: findings.unheard,
            longest_stall: Duration::ZERO,
            recovery: None,
            peak_kib: 0,
        }
    }

    pub fn longest_stall(mut self, time: Duration) -> Self {
        self.longest_stall = time;
        self
    }

    pub fn recovery(mut self, time: Option<Duration>) -> Self {
        self.recovery = time;
        self
    }

    pub fn peak_memory(mut self, kib: u64) -> Self {
        self.peak_kib = kib;
        self
    }

    fn cells(&self) -> [String; 14] {
        let seconds = |time: Duration| format!("{:.1} s", time.as_secs_f64());
        [
            self.scenario.clone(),
            self.issued.to_string(),
            self.stored.to_string(),
            self.not_stored.to_string(),
            self.unknown.to_string(),
            self.connection_lost.to_string(),
            self.repeats.to_string(),
            self.doubled.to_string(),
            self.lost.to_string(),
            self.lies.to_string(),
            self.unheard.to_string(),
            seconds(self.longest_stall),
            self.recovery.map_or_else(|| "–".to_owned(), seconds),
            if self.peak_kib == 0 { "–".into() } else { format!("{} MiB", self.peak_kib / 1024) },
        ]
    }

    /// Everything in a line, for progress.
    pub fn line(&self) -> String {
        let cells = self.cells();
        HEADINGS.iter().zip(&cells).skip(1).fold(self.scenario.clone(), |mut line, (name, cell)| {
            let _ = write!(line, " · {name} {cell}");
            line
        })
    }
}

const HEADINGS: [&str; 14] = [
    "scenario",
    "issued",
    "stored",
    "not stored",
    "unknown",
    "no answer",
    "repeats",
    "doubled",
    "lost",
    "lies",
    "not heard",
    "longest stall",
    "recovery",
    "peak memory",
];

/// The table in Markdown.
pub fn table(rows: &[Row]) -> String {
    let line = |cells: &[String]| format!("| {} |\n", cells.join(" | "));
    let mut table = line(&HEADINGS.map(str::to_owned));
    let mut rule = HEADINGS.map(|_| "---:".to_owned());
    rule[0] = "---".to_owned();
    table.push_str(&line(&rule));
    for row in rows {
        table.push_str(&line(&row.cells()));
    }
    table
}
