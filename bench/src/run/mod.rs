//! The run: every contestant, one after the other, again and again.

mod archive;
pub mod contestant;
pub mod machine;
pub mod measure;
pub mod plan;
mod process;
pub mod ratios;
mod reading;
pub mod results;
mod services;
mod streaming;
mod topic;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use clap::Args;
use nix::sys::resource::{Resource, getrlimit, setrlimit};

use crate::report;
use crate::window::Timing;
use crate::work::{Loop, Work};
use archive::Archives;
use contestant::{Contestant, Programs};
use machine::Machine;
use measure::Bench;
use plan::Entry;
use ratios::Ratio;
use results::{Results, Settings};
use services::{Services, free_port};
use topic::{PARTITIONS, Topics};

/// How often `dual-stream dev` is started for its time to ready.
const DEV_STARTS: usize = 5;

/// How long a new broker is given either kind of work before anything counts. Less left the first
/// contestant with a tenth of the rate that it had later.
const BROKER_WARM_UP_SECONDS: f64 = 12.0;

#[derive(Args)]
pub struct Run {
    /// Only what the ratios need, in short windows
    #[arg(long)]
    quick: bool,
    /// How often everything is measured [default: 5, quick 3]
    #[arg(long)]
    repeats: Option<usize>,
    /// Seconds of a window [default: 6, quick 2]
    #[arg(long)]
    seconds: Option<f64>,
    /// Seconds before it [default: 2, quick 1]
    #[arg(long)]
    warm_up: Option<f64>,
    /// Only works whose name contains this
    #[arg(long)]
    only: Option<String>,
    /// Another build of the service: it and this one take turns at the works that are chosen
    #[arg(long, conflicts_with_all = ["docs", "save", "check"])]
    against: Option<PathBuf>,
    /// Minutes of a long load at the end, to see whether memory grows
    #[arg(long)]
    soak: Option<f64>,
    /// Write the tables and plots into the documentation
    #[arg(long)]
    docs: bool,
    /// Store the ratios for later checks
    #[arg(long)]
    save: bool,
    /// Fail when a ratio is worse than the stored one by more than the margin
    #[arg(long)]
    check: bool,
    /// The share of a ratio that is taken for noise
    #[arg(long, default_value_t = 0.25)]
    margin: f64,
    /// The repository
    #[arg(long, default_value = ".")]
    root: PathBuf,
    /// The command that the documentation names
    #[arg(long, default_value = "make bench")]
    command: String,
}

/// Runs everything that was asked for.
pub fn run(options: &Run) -> Result<()> {
    allow_many_connections()?;
    let target = options.root.join("target");
    let directory = target.join("bench");
    let logs = directory.join("logs");
    fs::create_dir_all(&logs)?;
    let timing = Timing {
        warm_up: options.warm_up.unwrap_or(if options.quick { 1.0 } else { 2.0 }),
        seconds: options.seconds.unwrap_or(if options.quick { 2.0 } else { 6.0 }),
    };
    let services = Services::of_environment()?;
    let topics = Topics::of(&services.brokers)?;
    let programs = Programs::below(&target, options.against.clone());
    let archives = Archives::new(&services.brokers);
    let bench = Bench { programs, services, topics, logs, timing, archives };

    let results = measure_all(options, &bench)?;
    let file = directory.join(if options.quick { "quick.json" } else { "results.json" });
    fs::write(&file, serde_json::to_string_pretty(&results)?)?;
    eprintln!("bench: written to {}", file.display());
    conclude(options, &results)
}

/// Shows what came out, and stores or checks it.
fn conclude(options: &Run, results: &Results) -> Result<()> {
    let ratios = ratios::ratios(results);
    println!("{}", report::text(results, &ratios));
    if options.docs {
        report::write_docs(&options.root.join("docs"), results, &ratios)?;
    }
    let stored = options.root.join("bench/ratios.json");
    if options.check {
        check(&ratios, &stored, options.margin)?;
    }
    if options.save {
        let values = ratios::values(&ratios);
        fs::write(&stored, serde_json::to_string_pretty(&values)? + "\n")?;
    }
    let lost: Vec<_> = results.samples.iter().filter(|sample| !sample.is_whole()).collect();
    ensure!(lost.is_empty(), "acknowledged events are not in Kafka: {lost:?}");
    Ok(())
}

fn check(ratios: &[Ratio], stored: &Path, margin: f64) -> Result<()> {
    let text = fs::read_to_string(stored).with_context(|| {
        format!("{}: no ratios are stored; SAVE=1 stores them", stored.display())
    })?;
    let stored: BTreeMap<String, f64> = serde_json::from_str(&text)?;
    let regressions = ratios::regressions(ratios, &stored, margin);
    ensure!(regressions.is_empty(), "worse than stored:\n  {}", regressions.join("\n  "));
    eprintln!("bench: no ratio is worse than stored by more than {:.0}%", margin * 100.0);
    Ok(())
}

fn measure_all(options: &Run, bench: &Bench) -> Result<Results> {
    let entries = chosen(options);
    ensure!(!entries.is_empty(), "no work has such a name");
    let repeats = options.repeats.unwrap_or(if options.quick { 3 } else { 5 });
    let mut results = Results {
        machine: Machine::this_one(),
        settings: Settings {
            command: options.command.clone(),
            repeats,
            warm_up_seconds: bench.timing.warm_up,
            seconds: bench.timing.seconds,
            partitions: PARTITIONS,
        },
        works: entries.iter().map(|entry| entry.work.clone()).collect(),
        samples: Vec::new(),
        skipped: skipped(bench, &entries),
        failures: Vec::new(),
        dev_ready_ms: Vec::new(),
        soak_kib: Vec::new(),
    };
    for (contestant, reason) in &results.skipped {
        eprintln!("bench: *** {contestant} is SKIPPED: {reason}");
    }
    warm_up(bench)?;
    for repeat in 1..=repeats {
        for entry in &entries {
            measure_entry(bench, entry, &format!("{repeat}/{repeats}"), &mut results);
        }
    }
    bench.archives.delete(&bench.topics)?;
    results.dev_ready_ms = (0..DEV_STARTS).map(|_| dev_start(bench)).collect::<Result<_>>()?;
    if let Some(minutes) = options.soak {
        results.soak_kib = soak(bench, minutes)?;
    }
    Ok(results)
}

/// A broker just started runs code that is not compiled yet: whoever came first would pay for it.
fn warm_up(bench: &Bench) -> Result<()> {
    eprintln!("bench: warming the broker up");
    let timing = Timing { warm_up: 0.0, seconds: BROKER_WARM_UP_SECONDS };
    for work in [Work::single("warm-up", 64), Work::batches("warm-up", 100)] {
        bench.measure_for(timing, Contestant::Raw, &work, None)?;
    }
    Ok(())
}

fn chosen(options: &Run) -> Vec<Entry> {
    let mut entries = if options.quick { plan::quick() } else { plan::full() };
    if let Some(part) = &options.only {
        entries.retain(|entry| entry.work.name.contains(part.as_str()));
    }
    if options.against.is_some() {
        let both = vec![Contestant::Service, Contestant::Other];
        entries.iter_mut().for_each(|entry| entry.contestants.clone_from(&both));
    }
    entries
}

fn skipped(bench: &Bench, entries: &[Entry]) -> Vec<(Contestant, String)> {
    let all: std::collections::BTreeSet<_> =
        entries.iter().flat_map(|entry| &entry.contestants).copied().collect();
    all.into_iter().filter_map(|one| Some((one, bench.programs.missing(one)?))).collect()
}

/// One work, by one contestant after the other: what is compared lies close together in time.
fn measure_entry(bench: &Bench, entry: &Entry, turn: &str, results: &mut Results) {
    for contestant in &entry.contestants {
        if results.skipped.iter().any(|(skipped, _)| skipped == contestant) {
            continue;
        }
        let work = &entry.work;
        let measured = rate(results, *contestant, work)
            .and_then(|rate| bench.measure(*contestant, work, rate));
        match measured {
            Ok(sample) => {
                eprintln!("bench: {turn} {}", report::progress(work, &sample));
                results.samples.push(sample);
            }
            Err(error) => {
                let failure = format!("{contestant}, {}: {error:#}", work.name);
                eprintln!("bench: {turn} *** {failure}");
                results.failures.push(failure);
            }
        }
    }
}

fn rate(results: &Results, contestant: Contestant, work: &Work) -> Result<Option<f64>> {
    let share = match work.r#loop {
        Loop::Closed => return Ok(None),
        Loop::Open(rate) => return Ok(Some(rate)),
        Loop::OpenAtShare(share) => share,
    };
    let twin = plan::closed_twin(work);
    let highest = results.median(contestant, twin, |summary| summary.events_per_second());
    let highest = highest.with_context(|| format!("{twin} was not measured before"))?;
    Ok(Some(highest * share))
}

fn dev_start(bench: &Bench) -> Result<f64> {
    let listen = format!("127.0.0.1:{}", free_port()?);
    let (process, ready) = bench.start(&mut bench.programs.dev(&listen), &listen, "dev")?;
    process.stop();
    Ok(ready.as_secs_f64() * 1000.0)
}

/// Full load with everything at its default, for long.
fn soak(bench: &Bench, minutes: f64) -> Result<Vec<u64>> {
    eprintln!("bench: a load of {minutes} minutes");
    let work = Work::batches("soak", 100);
    let timing = Timing { warm_up: 1.0, seconds: minutes * 60.0 };
    let sample = bench.measure_for(timing, Contestant::Service, &work, Some(SOAK_RATE))?;
    ensure!(sample.is_whole(), "acknowledged events are not in Kafka");
    Ok(sample.resident_kib)
}

/// Events a second of the long load: 10 MB/s, which fills no disk in ten minutes.
const SOAK_RATE: f64 = 20_000.0;

/// 1,000 connections need as many files here and in each contestant, which inherits the limit.
fn allow_many_connections() -> Result<()> {
    let (_, most) = getrlimit(Resource::RLIMIT_NOFILE)?;
    Ok(setrlimit(Resource::RLIMIT_NOFILE, most, most)?)
}

/// This program, to be started in another of its roles.
fn this_program() -> PathBuf {
    std::env::current_exe().unwrap_or_else(|_| PathBuf::from("dual-stream-bench"))
}
