//! `dual-stream tail`: events as lines on standard output, straight from Kafka.

mod options;
mod outbox;
mod output;
mod pump;

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use crate::kafka::{Follow, Follower};
use crate::settings::Settings;
use crate::telemetry;

pub use options::Options;
use output::Output;
use pump::Pump;

/// The time between two attempts to reach Kafka.
const RETRY: Duration = Duration::from_secs(1);
/// How long committing and leaving the group may take at the end.
const CLOSE: Duration = Duration::from_secs(10);
/// How long the reader may take for what is left at the end, however short the grace.
const LEAST_PATIENCE: Duration = Duration::from_secs(1);

/// Writes events until there are no more, the limit is reached, the reader of the pipe is gone or
/// `stop` is set. At the end it says on standard error where to go on.
///
/// # Errors
/// What to tell the user, with the mend.
pub fn run(settings: &Settings, options: &Options, stop: &AtomicBool) -> Result<(), String> {
    let output = Output::stdout().map_err(|error| format!("no standard output: {error}"))?;
    let follow = Follow {
        group: options.group.clone(),
        start: options.from.clone(),
        source: options.source.clone(),
        endless: options.follow,
    };
    let mut follower = Follower::new(settings, follow).map_err(|e| e.to_string())?;
    if !opens(&mut follower, options, stop, &output)? {
        return Ok(());
    }
    let patience = settings.shutdown.grace.saturating_sub(CLOSE).max(LEAST_PATIENCE);
    let mut pump = Pump::new(follower, output, options, patience);
    let end = pump.run(stop);
    end.and(conclude(pump, options))
}

/// Whether it is open; otherwise the end came first.
fn opens(
    follower: &mut Follower,
    options: &Options,
    stop: &AtomicBool,
    output: &Output,
) -> Result<bool, String> {
    loop {
        match follower.open() {
            Ok(()) => return Ok(true),
            Err(error) if options.follow && error.may_pass() => {
                telemetry::warn_limited!("{error}; trying again");
            }
            Err(error) => return Err(error.to_string()),
        }
        let pause = Instant::now();
        while pause.elapsed() < RETRY {
            if stop.load(Ordering::Relaxed) || output.check().is_err() {
                return Ok(false);
            }
            std::thread::sleep(RETRY / 20);
        }
    }
}

/// Leaves the group and tells where to go on.
fn conclude(pump: Pump<'_>, options: &Options) -> Result<(), String> {
    let (events, position) = (pump.events(), pump.position());
    let closed = pump.close(CLOSE);
    let place = match &options.group {
        Some(group) => format!("the group {group} goes on behind {position}"),
        None => format!("go on with --from {position}"),
    };
    // Not a line of the log, whose level may hide it.
    eprintln!("dual-stream tail: {events} events taken; {place}");
    closed
}
