//! Many streams at once, and events that are posted meanwhile: how long each is on its way from
//! the post to whoever follows it.

mod blocks;
mod posts;
mod readers;
mod stamp;

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use clap::Args;

use super::pace::Pace;
use crate::outcome::{Opened, Outcome};
use crate::watch;
use crate::window::{MEASURING, Timing, Watched, Window};
use readers::Readers;
use stamp::Clock;

/// How long all streams may take to be open.
const OPENING_DEADLINE: Duration = Duration::from_secs(120);
/// How long streams are left alone before the memory that they take is looked at.
const REST: Duration = Duration::from_millis(500);
/// How long what was posted may be on its way after the window.
const PATIENCE: Duration = Duration::from_secs(15);
const CHECK: Duration = Duration::from_millis(5);

#[derive(Args, Clone)]
pub struct Streams {
    /// Where the contestant listens, host:port
    #[arg(long)]
    target: String,
    #[arg(long)]
    subscribers: u64,
    /// How many sources there are; subscribers follow one each, in turn
    #[arg(long)]
    sources: u64,
    /// Events posted a second; without it, streams are opened and that is all
    #[arg(long)]
    rate: Option<f64>,
    /// Where streams go on, a position
    #[arg(long)]
    after: Option<String>,
    /// How many events each has behind that
    #[arg(long, default_value_t = 0)]
    missed: u64,
    /// The process whose memory is looked at
    #[arg(long)]
    memory_of: u32,
    #[command(flatten)]
    timing: Timing,
    #[command(flatten)]
    watched: Watched,
}

/// What all threads share.
struct Shared {
    clock: Clock,
    /// Streams that are open, and have what they missed.
    open: AtomicU64,
    delivered: AtomicU64,
    window: OnceLock<Window>,
}

/// Opens the streams, posts, and prints a line when the window begins, and then what came of it.
pub fn run(streams: Streams) -> Result<()> {
    let shared = Arc::new(Shared {
        clock: Clock::start(),
        open: AtomicU64::new(0),
        delivered: AtomicU64::new(0),
        window: OnceLock::new(),
    });
    let watched = streams.watched.clone().and_this_one("load");
    let (before, kib_before) = (watched.cpu()?, watch::resident_kib(streams.memory_of)?);
    let readers = Readers::start(&streams, &shared);
    let seconds = shared.await_open(streams.subscribers)?;
    let cpu = watched.since(&before)?;
    std::thread::sleep(REST);
    let kib = watch::resident_kib(streams.memory_of)?.saturating_sub(kib_before);
    let opened = Opened { seconds, kib_each: kib as f64 / streams.subscribers as f64 };

    let Some(rate) = streams.rate else {
        println!("{MEASURING}");
        readers.stop()?;
        let events = streams.subscribers;
        return print(&Outcome {
            seconds,
            events,
            cpu,
            opened: Some(opened),
            ..Outcome::default()
        });
    };
    let window = *shared.window.get_or_init(|| streams.timing.window());
    let posts = posts::start(&streams, &shared, Pace::new(Some(rate), window.start));
    let cpu = window.watch(&watched)?;
    let posts = posts.join()?;
    let due = posts.acknowledged * streams.subscribers / streams.sources;
    shared.await_deliveries(due);
    let deliveries = readers.stop()?.outcome(window);
    print(&Outcome {
        cpu,
        acknowledged: posts.acknowledged,
        failed: posts.failed,
        unsent: posts.unsent,
        unanswered: due.saturating_sub(shared.delivered.load(Ordering::Relaxed)),
        opened: Some(opened),
        ..deliveries
    })
}

fn print(outcome: &Outcome) -> Result<()> {
    println!("{}", serde_json::to_string(outcome)?);
    Ok(())
}

impl Shared {
    /// The seconds until all streams are open.
    fn await_open(&self, subscribers: u64) -> Result<f64> {
        let began = Instant::now();
        while self.open.load(Ordering::Relaxed) < subscribers {
            let open = self.open.load(Ordering::Relaxed);
            ensure!(began.elapsed() < OPENING_DEADLINE, "{open} of {subscribers} streams are open");
            std::thread::sleep(CHECK);
        }
        Ok(began.elapsed().as_secs_f64())
    }

    fn await_deliveries(&self, due: u64) {
        let until = Instant::now() + PATIENCE;
        while self.delivered.load(Ordering::Relaxed) < due && Instant::now() < until {
            std::thread::sleep(CHECK);
        }
    }
}
