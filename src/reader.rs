//! Reading back: by cursor, the recent events of a source, and replay.

mod answer;
mod catch_up;
mod memory;
mod points;
mod pool;
mod recent;
mod replay;
mod ring;
mod room;
mod scan;
mod shared;
mod stream;
mod tail;
mod threads;

use std::sync::Arc;
use std::time::Instant;

use tokio::sync::watch;

pub use answer::{Found, Page, ReadError, Start};
pub use catch_up::CatchUp;
pub use memory::Step;
pub use scan::Stretch;
pub use stream::ReplayStream;

use crate::cursor::Cursor;
use crate::event::Source;
pub use crate::kafka::StoredEvent;
use crate::kafka::{ClusterState, Heads};
use crate::metrics::Metrics;
use crate::position::Position;
use crate::settings::{self, Settings};
use recent::Recent;
use replay::Replay;
use scan::Scanner;
use shared::Shared;

/// Is shown what the tail has read, in its order, on the tail's thread: it must not wait. What it is
/// shown is in memory already.
pub type Follow = Box<dyn Fn(&[Step]) + Send>;

/// Reads events back, from memory where they are recent, else from Kafka.
#[derive(Clone)]
pub struct Reader {
    shared: Arc<Shared>,
}

impl Reader {
    /// Starts the threads that read. They connect by themselves: a cluster that is not there is no
    /// error here.
    ///
    /// # Errors
    /// A setting that librdkafka does not take, or a thread that cannot be started.
    pub fn start(
        settings: &Settings,
        cluster: watch::Receiver<ClusterState>,
        heads: Arc<Heads>,
        follow: Follow,
        metrics: &Arc<Metrics>,
    ) -> Result<Self, String> {
        let shared = Shared::start(settings, cluster, (heads, follow), metrics)?;
        Ok(Reader { shared: Arc::new(shared) })
    }

    /// What is at a cursor.
    ///
    /// # Errors
    /// No answer from Kafka in time.
    pub async fn event(&self, cursor: Cursor) -> Result<Found, ReadError> {
        match self.shared.in_memory(cursor) {
            Some(found) => Ok(found),
            None => self.shared.event_from_kafka(cursor).await,
        }
    }

    /// What is at each of the cursors, in their order, in as few reads as possible. Those that the
    /// answer has no room for ([`settings::Reader::page_bytes`]) have [`ReadError::AnswerFull`].
    pub async fn events(&self, cursors: &[Cursor]) -> Vec<Result<Found, ReadError>> {
        self.shared.events(cursors).await
    }

    /// Bytes of events that one answer has ([`settings::Reader::page_bytes`]).
    pub fn page_bytes(&self) -> usize {
        self.shared.settings.page_bytes
    }

    /// The newest events of a source before a position, newest first.
    ///
    /// # Errors
    /// As in [`ReadError`].
    pub async fn recent(
        &self,
        source: &Source,
        before: Option<&Position>,
        limit: usize,
    ) -> Result<Page, ReadError> {
        let shared = &self.shared;
        let partitions = shared.partitions_of(source)?;
        let bounds = (limit, shared.settings.page_bytes);
        shared.wait_for_the_tail(&partitions, before).await;
        let known = (&*shared.memory, &*shared.heads);
        let recent = Recent::begin(known, source, &partitions, before, bounds);
        let recent = match recent.at_once() {
            Ok(page) => {
                shared.metrics.reader_looked_up("recent", true);
                return Ok(page);
            }
            Err(recent) => recent,
        };
        shared.metrics.reader_looked_up("recent", false);
        shared.scan(move |scanner, _| recent.page(scanner)).await
    }

    /// The events of a source from a start on, oldest first.
    ///
    /// # Errors
    /// As in [`ReadError`].
    pub async fn replay(
        &self,
        source: &Source,
        start: &Start,
        limit: usize,
    ) -> Result<Page, ReadError> {
        let partitions = self.shared.partitions_of(source)?;
        let (source, start) = (source.clone(), start.clone());
        let memory = Arc::clone(&self.shared.memory);
        let page = move |scanner: &mut Scanner<'_>, settings: &settings::Reader| {
            let mut replay = Replay::begin(scanner, &source, &partitions, &start)?;
            replay.look_into(&memory);
            replay.page(scanner, limit, settings.page_bytes)
        };
        self.shared.scan(page).await
    }

    /// The same as a stream without a limit.
    ///
    /// # Errors
    /// As in [`ReadError`], before the first event.
    pub async fn replay_stream(
        &self,
        source: Source,
        start: Start,
    ) -> Result<ReplayStream, ReadError> {
        let shared = &self.shared;
        let permit = Arc::clone(&shared.streams).try_acquire_owned();
        let permit = permit.map_err(|_| shared.refuse())?;
        let partitions = shared.partitions_of(&source)?;
        let begin = move |scanner: &mut Scanner<'_>, _: &settings::Reader| {
            Replay::begin(scanner, &source, &partitions, &start)
        };
        let replay = shared.scan(begin).await?;
        Ok(ReplayStream::new(Arc::clone(shared), replay, permit))
    }

    /// Ends the threads, and waits for them until the deadline. Reads that come later, or wait, are
    /// told that Kafka is not available.
    pub async fn stop(&self, deadline: Instant) {
        self.shared.end(deadline).await;
    }
}
