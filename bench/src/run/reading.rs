//! One measurement of reading.

use std::fmt::Write as _;
use std::process::Command;
use std::time::Duration;

use anyhow::Result;

use super::archive::Archive;
use super::contestant::Contestant;
use super::measure::{Bench, LoadProcess, Sample};
use super::services::free_port;
use crate::window::Timing;
use crate::work::{Place, Reading, Work};

/// How many different questions are asked.
const QUESTIONS: u64 = 5000;
/// The cursors of one question for many.
const FETCHED: u64 = 100;
/// How far apart they are at the most: notifications of a burst are near each other.
const BURST: u64 = 5000;
/// The newest events that are surely in memory.
const NEWEST: u64 = 1000;
/// Memory for 50 events of each source, with room to spare.
const MEMORY: &str = "96MiB";
/// How long the service is given to read the newest events.
const WARM_UP: Duration = Duration::from_secs(4);

/// A prime: what it is multiplied with comes in no order that a cache could know.
const PRIME: u64 = 7_368_787;

impl Bench {
    pub(super) fn measure_reading(
        &self,
        timing: Timing,
        contestant: Contestant,
        work: &Work,
        reading: Reading,
    ) -> Result<Sample> {
        let sources = if let Reading::Replay { sources } = reading { sources } else { 1000 };
        let archive = self.archives.of_sources(&self.topics, sources)?;
        if contestant == Contestant::Consumer {
            return self.consume(work, &archive);
        }
        let listen = format!("127.0.0.1:{}", free_port()?);
        let services = &self.services;
        let mut command =
            self.programs.command(contestant, &listen, &archive.topic, work.redis, services);
        memory(&mut command, reading);
        let log = format!("{contestant}-{}", work.name);
        let (process, ready) = self.start(&mut command, &listen, &log)?;
        std::thread::sleep(WARM_UP);
        let mut command = Command::new(super::this_program());
        match reading {
            Reading::Replay { .. } => replay(&mut command, &archive),
            _ => self.ask(&mut command, timing, work, reading, &archive)?,
        }
        command.args(["--target", &listen]);
        command.arg(format!("--watch=contestant={}", process.id()));
        self.watch(&mut command);
        let load = LoadProcess::start(&mut command)?;
        let (outcome, memory) = load.finish(Some(process.id()), || Ok(()))?;
        process.stop();
        let ready = Some(ready.as_secs_f64() * 1000.0);
        Ok(Sample::new(contestant, work, outcome, memory, None, ready))
    }

    pub(super) fn watch(&self, command: &mut Command) {
        let processes = self.services.processes.iter();
        command.args(processes.map(|(name, pid)| format!("--watch={name}={pid}")));
    }

    fn consume(&self, work: &Work, archive: &Archive) -> Result<Sample> {
        let mut command = Command::new(super::this_program());
        command.args(["consume", "--brokers", &self.services.brokers]);
        command.args(["--topic", &archive.topic, "--records", &archive.records.to_string()]);
        self.watch(&mut command);
        let (outcome, memory) = LoadProcess::start(&mut command)?.finish(None, || Ok(()))?;
        Ok(Sample::new(Contestant::Consumer, work, outcome, memory, None, None))
    }

    fn ask(
        &self,
        command: &mut Command,
        timing: Timing,
        work: &Work,
        reading: Reading,
        archive: &Archive,
    ) -> Result<()> {
        let file = self.logs.join(format!("{}.questions", work.name));
        std::fs::write(&file, questions(reading, archive))?;
        command.args(["load", "--connections", &work.connections.to_string()]);
        command.arg("--questions").arg(file);
        command.arg(format!("--warm-up={}", timing.warm_up));
        command.arg(format!("--seconds={}", timing.seconds));
        Ok(())
    }
}

/// What has to be in memory is, and what has to come from Kafka is not.
fn memory(command: &mut Command, reading: Reading) {
    let (memory, warm) = match reading {
        Reading::Recent { from: Place::Memory } => (MEMORY, MEMORY),
        Reading::Point { from: Place::Memory } | Reading::Fetch { from: Place::Memory } => {
            ("16MiB", "8MiB")
        }
        _ => ("16MiB", "0B"),
    };
    command.env("DUAL_STREAM__READER__MEMORY", memory);
    command.env("DUAL_STREAM__READER__WARM", warm);
}

fn replay(command: &mut Command, archive: &Archive) {
    let lines = archive.records / archive.sources;
    command.args(["replay", "--path"]);
    command.arg(format!("{}&after=beginning", recent(&archive.source(7))));
    command.args(["--lines", &lines.to_string(), "--records", &archive.records.to_string()]);
}

fn recent(source: &str) -> String {
    format!("/events?source_type=user&source_id={source}")
}

/// A line a question.
fn questions(reading: Reading, archive: &Archive) -> String {
    let mut text = String::new();
    for number in 0..QUESTIONS {
        let chance = number * PRIME;
        let line = match reading {
            Reading::Point { from } => format!("/events/0-{}", offset(from, chance, archive)),
            Reading::Fetch { from } => fetch(from, chance, archive),
            _ => recent(&archive.source(chance)),
        };
        let _ = writeln!(text, "{line}");
    }
    text
}

fn offset(from: Place, chance: u64, archive: &Archive) -> u64 {
    match from {
        Place::Memory => archive.records - 1 - chance % NEWEST,
        Place::Kafka => chance % (archive.records - BURST),
    }
}

fn fetch(from: Place, chance: u64, archive: &Archive) -> String {
    let begin = offset(from, chance, archive);
    let cursor = |index: u64| {
        let offset = match from {
            Place::Memory => offset(from, chance + index * 17, archive),
            Place::Kafka => begin + index * PRIME % BURST,
        };
        format!("\"0-{offset}\"")
    };
    let cursors: Vec<_> = (0..FETCHED).map(cursor).collect();
    format!("/events/fetch {{\"cursors\":[{}]}}", cursors.join(","))
}
