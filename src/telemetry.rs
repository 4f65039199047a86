//! Logs: pretty on a terminal, JSON lines otherwise, always on standard error.

use std::io::IsTerminal;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use tracing_appender::non_blocking::{ErrorCounter, NonBlockingBuilder, WorkerGuard};
use tracing_subscriber::EnvFilter;

use crate::settings::{self, LogFormat};

/// How many lines wait at the most for who reads standard error.
const WAITING_LINES: usize = 4096;

/// The lines that are not written yet.
#[derive(Clone)]
pub struct Logs {
    writer: Arc<Mutex<Option<WorkerGuard>>>,
    dropped: ErrorCounter,
}

impl Logs {
    /// Has the last lines written, before the process ends. Waits for that about a second: what
    /// reads them may have stalled.
    pub fn end(&self) {
        let lines = self.dropped.dropped_lines();
        if lines > 0 {
            tracing::warn!(lines, "lines of this log were dropped: what reads it was too slow");
        }
        drop(self.writer.lock().take());
    }
}

/// Installs the subscriber for the whole process. Lines are written by a thread of their own, and
/// dropped when too many wait: a log that nobody reads must hold up neither requests nor the thread
/// of Kafka's delivery reports.
///
/// # Errors
/// `log.level` is no filter that `tracing` understands.
pub fn init(log: &settings::Log) -> Result<Logs, String> {
    let filter = EnvFilter::try_new(&log.level).map_err(|error| {
        format!("log.level = {:?}: {error}; write for example info or dual_stream=debug", log.level)
    })?;
    let (writer, guard) = NonBlockingBuilder::default()
        .lossy(true)
        .buffered_lines_limit(WAITING_LINES)
        .thread_name("logs")
        .finish(std::io::stderr());
    let logs = Logs { dropped: writer.error_counter(), writer: Arc::new(Mutex::new(Some(guard))) };
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(writer);
    if is_pretty(log.format) {
        builder.with_target(false).with_ansi(std::io::stderr().is_terminal()).init();
    } else {
        builder.json().flatten_event(true).init();
    }
    Ok(logs)
}

fn is_pretty(format: LogFormat) -> bool {
    match format {
        LogFormat::Auto => std::io::stderr().is_terminal(),
        LogFormat::Pretty => true,
        LogFormat::Json => false,
    }
}

/// Lets one message through in [`Limiter::PAUSE`], and counts the others.
pub(crate) struct Limiter {
    /// Milliseconds since the first use, from which on the next message passes.
    next: AtomicU64,
    suppressed: AtomicU64,
}

impl Limiter {
    const PAUSE: Duration = Duration::from_secs(5);

    pub(crate) const fn new() -> Self {
        Limiter { next: AtomicU64::new(0), suppressed: AtomicU64::new(0) }
    }

    /// How many were held back since the last one that passed, when this one may pass.
    pub(crate) fn pass(&self) -> Option<u64> {
        let now = since_start();
        let next = self.next.load(Ordering::Relaxed);
        let later = now + Self::PAUSE.as_millis() as u64;
        let passes = now >= next
            && self
                .next
                .compare_exchange(next, later, Ordering::Relaxed, Ordering::Relaxed)
                .is_ok();
        if passes {
            return Some(self.suppressed.swap(0, Ordering::Relaxed));
        }
        self.suppressed.fetch_add(1, Ordering::Relaxed);
        None
    }
}

fn since_start() -> u64 {
    static START: OnceLock<Instant> = OnceLock::new();
    START.get_or_init(Instant::now).elapsed().as_millis() as u64
}

/// `tracing::warn!`, at most once in five seconds from the place where it stands, with the
/// number of those that were held back.
macro_rules! warn_limited {
    ($($message:tt)*) => {{
        static LIMITER: $crate::telemetry::Limiter = $crate::telemetry::Limiter::new();
        if let Some(suppressed) = LIMITER.pass() {
            ::tracing::warn!(suppressed, $($message)*);
        }
    }};
}
pub(crate) use warn_limited;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_message_passes_and_the_others_are_counted() {
        let limiter = Limiter::new();
        assert_eq!(limiter.pass(), Some(0));
        assert_eq!(limiter.pass(), None);
        assert_eq!(limiter.pass(), None);
        limiter.next.store(0, Ordering::Relaxed);
        assert_eq!(limiter.pass(), Some(2));
    }
}
