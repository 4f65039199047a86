//! What the turns came to.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::audience::Found;
use super::faults::Fault;
use super::judge::Findings;

#[derive(Default)]
struct Row {
    turns: usize,
    written: u64,
    found: Found,
}

/// Of each fault, all of its turns together.
#[derive(Default)]
pub struct Report(BTreeMap<Fault, Row>);

const HEADINGS: &str = "| fault | times | written | delivered | of these early | recent | \
                        connections | resumed | closed as slow | resets | removed | lost | lies |\n\
                        | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | \
                        ---: | ---: | ---: |\n";

impl Report {
    pub fn add(&mut self, fault: Fault, written: u64, found: &Found) {
        let row = self.0.entry(fault).or_default();
        row.turns += 1;
        row.written += written;
        row.found.add(found);
    }

    /// How many faults there were.
    pub fn turns(&self) -> usize {
        self.0.values().map(|row| row.turns).sum()
    }

    /// Everything together.
    pub fn sum(&self) -> Found {
        let mut sum = Found::default();
        self.0.values().for_each(|row| sum.add(&row.found));
        sum
    }

    /// The table in Markdown.
    pub fn table(&self) -> String {
        let mut table = HEADINGS.to_owned();
        for (fault, Row { turns, written, found }) in &self.0 {
            let of = format!("{} | {turns} | {written}", fault.name());
            let _ = writeln!(table, "| {of} | {} |", cells(&found.all));
        }
        let _ = writeln!(table, "| of all, over WebSockets | | | {} |", cells(&self.sum().sockets));
        table
    }
}

fn cells(findings: &Findings) -> String {
    let Findings { delivered, early, recent, connections, resumed, .. } = findings;
    let Findings { closed_slow, resets, removed, lost, lies, .. } = findings;
    let (lost, lies) = (lost.len(), lies.len());
    format!(
        "{delivered} | {early} | {recent} | {connections} | {resumed} | {closed_slow} | {resets} | \
         {removed} | {lost} | {lies}"
    )
}
