//! One measurement: one contestant, one work, one window.

use std::fs::File;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use nix::sys::signal::Signal;
use serde::{Deserialize, Serialize};

use super::archive::Archives;
use super::contestant::{Contestant, Programs};
use super::process::Process;
use super::services::{OwnRedis, Services, free_port};
use super::topic::Topics;
use crate::outcome::Outcome;
use crate::watch;
use crate::window::{MEASURING, Timing};
use crate::work::{Redis, Work};

const READY_DEADLINE: Duration = Duration::from_secs(30);
const READY_CHECK: Duration = Duration::from_millis(2);

/// What one measurement gave.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Sample {
    pub contestant: Contestant,
    pub work: String,
    pub outcome: Outcome,
    pub peak_kib: u64,
    /// Resident memory second by second.
    pub resident_kib: Vec<u64>,
    /// Records found in Kafka; none where nothing is stored.
    pub stored: Option<u64>,
    /// From the start of the process to its first good answer of `/readyz`.
    pub ready_ms: Option<f64>,
}

impl Sample {
    pub fn events_per_second(&self) -> f64 {
        self.outcome.events as f64 / self.outcome.seconds
    }

    /// CPU in microseconds an event of a watched process; `contestant`, `load`, `kafka`, `redis`.
    pub fn cpu_micros(&self, process: &str) -> Option<f64> {
        let seconds = self.outcome.cpu.get(process)?;
        (self.outcome.events > 0).then(|| seconds * 1e6 / self.outcome.events as f64)
    }

    /// Whether everything acknowledged is in Kafka.
    pub fn is_whole(&self) -> bool {
        self.stored.is_none_or(|stored| stored >= self.outcome.acknowledged)
    }
}

/// What all measurements need.
pub struct Bench {
    pub programs: Programs,
    pub services: Services,
    pub topics: Topics,
    pub logs: PathBuf,
    pub timing: Timing,
    pub archives: Archives,
}

impl Bench {
    /// Measures; `rate` is that of an open loop, in events a second.
    pub fn measure(
        &self,
        contestant: Contestant,
        work: &Work,
        rate: Option<f64>,
    ) -> Result<Sample> {
        self.measure_for(self.timing, contestant, work, rate)
    }

    /// The same with another window.
    pub fn measure_for(
        &self,
        timing: Timing,
        contestant: Contestant,
        work: &Work,
        rate: Option<f64>,
    ) -> Result<Sample> {
        if let Some(reading) = work.reading {
            return self.measure_reading(timing, contestant, work, reading);
        }
        if let Some(streaming) = work.streaming {
            return self.measure_streaming(timing, contestant, work, streaming);
        }
        let topic = format!("bench-{}-{}", std::process::id(), free_port()?);
        self.topics.create(&topic)?;
        let frozen = (work.redis == Redis::Frozen).then(OwnRedis::start).transpose()?;
        let services = match &frozen {
            Some(redis) => self.services.with_redis(redis),
            None => self.services.clone(),
        };
        let task = Task { work, topic: &topic, services: &services, timing, rate };
        let sample = match contestant {
            Contestant::Raw => self.measure_raw(&task),
            _ => self.measure_http(contestant, &task, frozen.as_ref()),
        };
        let deleted = self.topics.delete(&topic);
        let sample = sample?;
        deleted?;
        // A contestant that only fails does so fast, and would look cheap.
        let Outcome { events, failed, .. } = &sample.outcome;
        ensure!(*events > 0 || failed.is_empty(), "nothing stored; failed by status: {failed:?}");
        Ok(sample)
    }

    fn measure_raw(&self, task: &Task<'_>) -> Result<Sample> {
        let mut command = Command::new(super::this_program());
        command.args(["raw", "--brokers", &task.services.brokers, "--topic", task.topic]);
        command.args(["--groups", &task.work.connections.to_string()]);
        task.describe(&mut command, &task.services.processes);
        let load = LoadProcess::start(&mut command)?;
        let (outcome, memory) = load.finish(None, || Ok(()))?;
        let stored = Some(self.topics.records(task.topic)?);
        Ok(Sample::new(Contestant::Raw, task.work, outcome, memory, stored, None))
    }

    fn measure_http(
        &self,
        contestant: Contestant,
        task: &Task<'_>,
        frozen: Option<&OwnRedis>,
    ) -> Result<Sample> {
        let Task { work, topic, services, .. } = *task;
        let listen = format!("127.0.0.1:{}", free_port()?);
        let mut command = self.programs.command(contestant, &listen, topic, work.redis, services);
        if !work.follows {
            // What nobody reads nor streams is not followed.
            command.env("DUAL_STREAM__READER__MEMORY", "0B").env("DUAL_STREAM__LIVE__STREAMS", "0");
        }
        let log = format!("{contestant}-{}", work.name);
        let (process, ready) = self.start(&mut command, &listen, &log)?;

        let mut command = Command::new(super::this_program());
        command.args(["load", "--target", &listen]);
        command.args(["--connections", &work.connections.to_string()]);
        command.args(task.rate.map(|rate| format!("--rate={rate}")));
        let contestant_process = ("contestant".to_owned(), process.id());
        task.describe(&mut command, &[&services.processes[..], &[contestant_process]].concat());
        let load = LoadProcess::start(&mut command)?;
        let freeze = || frozen.map_or(Ok(()), |redis| redis.process.signal(Signal::SIGSTOP));
        let (outcome, memory) = load.finish(Some(process.id()), freeze)?;
        if let Some(redis) = frozen {
            redis.process.signal(Signal::SIGCONT)?;
        }
        process.stop();
        let stores = contestant != Contestant::Bare;
        let stored = stores.then(|| self.topics.records(topic)).transpose()?;
        let ready = Some(ready.as_secs_f64() * 1000.0);
        Ok(Sample::new(contestant, work, outcome, memory, stored, ready))
    }

    /// Starts a contestant and waits until it is ready.
    pub fn start(
        &self,
        command: &mut Command,
        listen: &str,
        log: &str,
    ) -> Result<(Process, Duration)> {
        let path = self.logs.join(format!("{}.log", log.replace([' ', ','], "")));
        let log = File::create(&path)?;
        let started = Instant::now();
        let mut process = Process::start(command.stdout(log.try_clone()?).stderr(log))?;
        while !is_ready(listen) {
            ensure!(!process.has_ended(), "it ended; see {}", path.display());
            ensure!(started.elapsed() < READY_DEADLINE, "it is not ready; see {}", path.display());
            std::thread::sleep(READY_CHECK);
        }
        Ok((process, started.elapsed()))
    }
}

/// What is measured, and where.
struct Task<'a> {
    work: &'a Work,
    topic: &'a str,
    services: &'a Services,
    timing: Timing,
    rate: Option<f64>,
}

impl Task<'_> {
    /// For the load generator and the raw producer, which share these options.
    fn describe(&self, command: &mut Command, watched: &[(String, u32)]) {
        let shape = self.work.shape;
        command
            .args(shape.batch.map(|events| format!("--batch={events}")))
            .arg(format!("--payload={}", shape.payload))
            .arg(format!("--ids={}", shape.ids))
            .arg(format!("--warm-up={}", self.timing.warm_up))
            .arg(format!("--seconds={}", self.timing.seconds))
            .args(watched.iter().map(|(name, pid)| format!("--watch={name}={pid}")));
    }
}

impl Sample {
    pub(super) fn new(
        contestant: Contestant,
        work: &Work,
        outcome: Outcome,
        memory: Memory,
        stored: Option<u64>,
        ready_ms: Option<f64>,
    ) -> Self {
        let work = work.name.clone();
        let Memory { peak_kib, resident_kib } = memory;
        Sample { contestant, work, outcome, peak_kib, resident_kib, stored, ready_ms }
    }
}

fn is_ready(listen: &str) -> bool {
    let ask = || -> std::io::Result<bool> {
        let mut stream = TcpStream::connect(listen)?;
        stream.set_read_timeout(Some(Duration::from_secs(2)))?;
        stream.write_all(b"GET /readyz HTTP/1.1\r\nhost: bench\r\nconnection: close\r\n\r\n")?;
        let mut head = [0; 12];
        stream.read_exact(&mut head)?;
        Ok(head.ends_with(b"200"))
    };
    ask().unwrap_or(false)
}

/// What a process took of memory.
#[derive(Default)]
pub(super) struct Memory {
    peak_kib: u64,
    resident_kib: Vec<u64>,
}

impl Memory {
    /// Looks every second until told to end.
    fn watch(pid: u32, end: &AtomicBool) -> Self {
        let mut memory = Memory::default();
        let mut next = Instant::now();
        while !end.load(Ordering::Acquire) {
            if Instant::now() >= next {
                next += Duration::from_secs(1);
                memory.resident_kib.extend(watch::resident_kib(pid));
            }
            // The peak outlives its moment, so that it need not be met exactly.
            memory.peak_kib = watch::peak_kib(pid).unwrap_or(memory.peak_kib);
            std::thread::sleep(Duration::from_millis(50));
        }
        memory.peak_kib = watch::peak_kib(pid).unwrap_or(memory.peak_kib);
        memory
    }
}

/// The load generator, or the raw producer, while it runs.
pub(super) struct LoadProcess {
    process: Process,
}

impl LoadProcess {
    pub(super) fn start(command: &mut Command) -> Result<Self> {
        Ok(LoadProcess { process: Process::start(command.stdout(Stdio::piped()))? })
    }

    /// Waits for its end; calls back when the window begins. Watches the memory of the process
    /// with this id, or its own.
    pub(super) fn finish(
        mut self,
        pid: Option<u32>,
        on_window: impl Fn() -> Result<()>,
    ) -> Result<(Outcome, Memory)> {
        let output = self.process.child.stdout.take().context("its output is piped")?;
        let pid = pid.unwrap_or(self.process.id());
        let end = AtomicBool::new(false);
        std::thread::scope(|scope| {
            let watcher = scope.spawn(|| Memory::watch(pid, &end));
            let outcome = read_outcome(output, on_window);
            end.store(true, Ordering::Release);
            let memory = watcher.join().unwrap_or_default();
            Ok((outcome?, memory))
        })
    }
}

fn read_outcome(output: impl Read, on_window: impl Fn() -> Result<()>) -> Result<Outcome> {
    for line in BufReader::new(output).lines() {
        match line?.as_str() {
            MEASURING => on_window()?,
            json => return Ok(serde_json::from_str(json)?),
        }
    }
    bail!("the load ended without a result")
}
