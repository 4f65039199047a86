//! The measured window of time.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use clap::Args;

use crate::watch;

/// The line that is printed when the window begins.
pub const MEASURING: &str = "measuring";

#[derive(Args, Clone, Copy, Debug)]
pub struct Timing {
    /// Seconds before the window
    #[arg(long, default_value_t = 1.0)]
    pub warm_up: f64,
    /// Seconds of the window
    #[arg(long, default_value_t = 5.0)]
    pub seconds: f64,
}

#[derive(Clone, Copy)]
pub struct Window {
    pub start: Instant,
    from: Instant,
    pub end: Instant,
}

/// Processes whose CPU is measured.
#[derive(Args, Clone, Default)]
pub struct Watched {
    /// A name and a process, as in kafka=1234
    #[arg(long = "watch", value_parser = name_and_pid)]
    processes: Vec<(String, u32)>,
}

fn name_and_pid(text: &str) -> Result<(String, u32), String> {
    let pair =
        text.split_once('=').and_then(|(name, pid)| Some((name.to_owned(), pid.parse().ok()?)));
    pair.ok_or_else(|| format!("{text} is not NAME=PID"))
}

impl Timing {
    /// From now on.
    pub fn window(self) -> Window {
        let start = Instant::now();
        let from = start + Duration::from_secs_f64(self.warm_up);
        Window { start, from, end: from + Duration::from_secs_f64(self.seconds) }
    }
}

impl Window {
    pub fn contains(self, moment: Instant) -> bool {
        self.from <= moment && moment < self.end
    }

    pub fn seconds(self) -> f64 {
        self.end.duration_since(self.from).as_secs_f64()
    }

    /// Waits for the window's end, and returns the CPU seconds that went by in it.
    pub fn watch(self, watched: &Watched) -> Result<BTreeMap<String, f64>> {
        sleep_until(self.from);
        println!("{MEASURING}");
        let before = watched.cpu()?;
        sleep_until(self.end);
        watched.since(&before)
    }
}

impl Watched {
    /// Also this process, under a name.
    pub fn and_this_one(mut self, name: &str) -> Self {
        self.processes.push((name.to_owned(), std::process::id()));
        self
    }

    /// The CPU seconds that went by since an earlier look.
    pub fn since(&self, before: &BTreeMap<String, Duration>) -> Result<BTreeMap<String, f64>> {
        let used = self.cpu()?.into_iter().map(|(name, cpu)| {
            let since = before.get(&name).copied().unwrap_or_default();
            (name, cpu.saturating_sub(since).as_secs_f64())
        });
        Ok(used.collect())
    }

    /// What each has used so far.
    pub fn cpu(&self) -> Result<BTreeMap<String, Duration>> {
        let of = |(name, pid): &(String, u32)| {
            let cpu = watch::cpu(*pid).with_context(|| name.clone())?;
            Ok((name.clone(), cpu))
        };
        self.processes.iter().map(of).collect()
    }
}

fn sleep_until(moment: Instant) {
    std::thread::sleep(moment.saturating_duration_since(Instant::now()));
}
