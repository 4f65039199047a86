//! A replay without a limit: read in parts by the threads of scans, no faster than it is taken.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::runtime::Handle;
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::{OwnedSemaphorePermit, mpsc, oneshot};
use tokio::time::timeout;

use super::replay::Replay;
use super::scan::Scanner;
use super::{ReadError, Shared};
use crate::kafka::StoredEvent;

/// How many bytes of events are handed over at once, and how many such parts may wait.
const PART_BYTES: usize = 128 * 1024;
const PART_EVENTS: usize = 1000;
const PARTS: usize = 2;
/// How long a thread waits for room before it does something else.
const PATIENCE: Duration = Duration::from_millis(50);
/// How long a thread stays with a replay when others wait for it.
const TURN: Duration = Duration::from_millis(100);

/// A replay that goes on until the end of the log as it was when it was asked for.
pub struct ReplayStream {
    shared: Arc<Shared>,
    state: State,
    /// Counts it among the streams.
    _permit: OwnedSemaphorePermit,
}

enum State {
    /// Nobody reads.
    Parked(Box<Replay>),
    /// A thread reads, or will.
    Reading {
        parts: mpsc::Receiver<Vec<StoredEvent>>,
        end: oneshot::Receiver<End>,
    },
    Over,
}

/// How a thread's turn ended.
type End = Result<Turn, ReadError>;

enum Turn {
    /// There is more to read.
    Parked(Box<Replay>),
    Over,
}

impl ReplayStream {
    pub(super) fn new(shared: Arc<Shared>, replay: Replay, permit: OwnedSemaphorePermit) -> Self {
        ReplayStream { shared, state: State::Parked(Box::new(replay)), _permit: permit }
    }

    /// The next events, at least one. None at the end.
    ///
    /// # Errors
    /// Kafka, or retention, which has overtaken the replay.
    pub async fn next(&mut self) -> Option<Result<Vec<StoredEvent>, ReadError>> {
        loop {
            // Whoever waits may give up and wait again: the state stays until there is a result.
            let end = match &mut self.state {
                State::Over => return None,
                State::Parked(_) => None,
                State::Reading { parts, end } => match parts.recv().await {
                    Some(part) => return Some(Ok(part)),
                    // Without an answer the threads have been stopped.
                    None => Some(end.await.unwrap_or(Err(ReadError::Unavailable))),
                },
            };
            let replay = match (end, std::mem::replace(&mut self.state, State::Over)) {
                (None, State::Parked(replay)) | (Some(Ok(Turn::Parked(replay))), _) => replay,
                (Some(Err(error)), _) => return Some(Err(error)),
                _ => return None,
            };
            self.state = self.read(replay);
        }
    }

    fn read(&self, replay: Box<Replay>) -> State {
        let (sender, parts) = mpsc::channel(PARTS);
        let (ended, end) = oneshot::channel();
        let shared = Arc::clone(&self.shared);
        let runtime = Handle::current();
        self.shared.pool.stream(Box::new(move |consumer| {
            let is_gone = || sender.is_closed() || shared.pool.is_stopped();
            let mut scanner = Scanner::new(consumer, &shared.settings, &is_gone).unbounded();
            let turn = take_turn(&shared, &mut scanner, replay, &sender, &runtime);
            shared.count_scan(&scanner, turn.as_ref().map(|_| true));
            let _ = ended.send(turn);
        }));
        State::Reading { parts, end }
    }
}

fn take_turn(
    shared: &Shared,
    scanner: &mut Scanner<'_>,
    mut replay: Box<Replay>,
    parts: &mpsc::Sender<Vec<StoredEvent>>,
    runtime: &Handle,
) -> End {
    let started = Instant::now();
    loop {
        // Room first: what was taken out of a replay cannot be put back.
        let room = match parts.try_reserve() {
            Ok(room) => room,
            Err(TrySendError::Closed(())) => return Err(ReadError::Unavailable),
            Err(TrySendError::Full(())) => {
                match runtime.block_on(async { timeout(PATIENCE, parts.reserve()).await }) {
                    Ok(Ok(room)) => room,
                    Ok(Err(_)) => return Err(ReadError::Unavailable),
                    Err(_) => return Ok(Turn::Parked(replay)),
                }
            }
        };
        let mut part = Vec::new();
        replay.ready(&mut part, &mut 0, PART_EVENTS, PART_BYTES);
        if !part.is_empty() {
            room.send(part);
            continue;
        }
        if replay.is_over() {
            if replay.is_short() {
                return Err(ReadError::because("the log ended before what was known of it"));
            }
            return Ok(Turn::Over);
        }
        if started.elapsed() >= TURN && shared.pool.is_waited_for() {
            return Ok(Turn::Parked(replay));
        }
        replay.advance(scanner, usize::MAX)?;
    }
}
