//! What a consumer's callbacks know and do. All of them run while it is polled.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use parking_lot::{Mutex, MutexGuard};
use rdkafka::client::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::{BaseConsumer, ConsumerContext};
use rdkafka::error::KafkaError;
use rdkafka::types::RDKafkaRespErr;
use rdkafka::{Offset, TopicPartitionList};

use super::{Follow, FollowError, rebalance};
use crate::kafka::client;
use crate::position::Position;

/// What librdkafka calls the lines by which it says that an option is of no use to a consumer.
const OPTION_WARNING: &str = "CONFWARN";

/// How long a member that has no partitions waits for some: those that others have to give away
/// first come a little later.
const EMPTY_HANDED: Duration = Duration::from_secs(10);

/// The consumer's context.
pub(super) struct Context {
    pub(super) topic: String,
    pub(super) follow: Follow,
    state: Mutex<State>,
}

/// How far a partition has come. All offsets are those of what comes next.
#[derive(Debug, Clone, Copy)]
pub(super) struct Partition {
    /// Behind what was read last.
    pub(super) read: i64,
    /// Behind what was taken last.
    pub(super) taken: i64,
    /// What the group has; none when it has nothing.
    pub(super) committed: Option<i64>,
    /// Where the partition ended at the start, if reading ends there.
    end: Option<i64>,
}

impl Partition {
    fn is_done(&self) -> bool {
        self.end.is_some_and(|end| self.read >= end)
    }
}

#[derive(Default)]
pub(super) struct State {
    /// The partitions that are read.
    pub(super) own: BTreeMap<i32, Partition>,
    /// Those that were there at the start.
    pub(super) known: BTreeSet<i32>,
    ends: BTreeMap<i32, i64>,
    /// Those that the group waits for to be given away.
    pub(super) parting: Option<Vec<i32>>,
    pub(super) failure: Option<FollowError>,
    pub(super) is_held: bool,
    /// When partitions were given to this reader last.
    pub(super) given: Option<Instant>,
    /// Since when a commit has been under way.
    pub(super) committing: Option<Instant>,
    /// At the end, when Kafka has not answered: what is committed no more.
    pub(super) gives_up_commits: bool,
}

impl State {
    /// Begins a partition at an offset.
    pub(super) fn begin(&mut self, partition: i32, offset: i64, committed: Option<i64>) {
        let end = self.ends.get(&partition).copied();
        let begun = Partition { read: offset, taken: offset, committed, end };
        self.own.insert(partition, begun);
        self.given = Some(Instant::now());
    }
}

impl Context {
    pub(super) fn new(topic: String, follow: Follow) -> Self {
        Context { topic, follow, state: Mutex::default() }
    }

    /// Never to be held while librdkafka is called.
    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock()
    }

    /// The partitions at the start, and where they end if reading ends there. Those that come
    /// later have no events before that.
    pub(super) fn starts_with(&self, known: &[i32], ends: BTreeMap<i32, i64>) {
        let mut state = self.state();
        state.known = known.iter().copied().collect();
        state.ends = ends;
    }

    /// Whether an offset is to be read, which it is then.
    pub(super) fn reads(&self, partition: i32, offset: i64) -> bool {
        let mut state = self.state();
        let Some(own) = state.own.get_mut(&partition) else { return false };
        if own.end.is_some_and(|end| offset >= end) {
            // Between the last record and the end there may have been none.
            own.read = own.read.max(offset);
            return false;
        }
        own.read = offset + 1;
        true
    }

    /// The partition has come to its end. Gives the end at which reading ends, if it does.
    pub(super) fn reaches_end(&self, partition: i32) -> Option<i64> {
        let mut state = self.state();
        let own = state.own.get_mut(&partition)?;
        let end = own.end?;
        own.read = own.read.max(end);
        Some(end)
    }

    /// Nothing of an older time counts: of a partition that was given away and came back what
    /// was read before is not in the caller's hands any more.
    pub(super) fn taken(&self, partition: i32, next: i64) {
        if let Some(own) = self.state().own.get_mut(&partition) {
            own.taken = own.taken.max(next);
        }
    }

    pub(super) fn is_complete(&self) -> bool {
        let state = self.state();
        match state.given {
            Some(given) if state.own.is_empty() => given.elapsed() > EMPTY_HANDED,
            Some(_) => state.own.values().all(Partition::is_done),
            None => false,
        }
    }

    pub(super) fn position(&self) -> Position {
        let mut position = Position::beginning();
        for (&partition, own) in &self.state().own {
            position.set_next(partition, own.taken);
        }
        position
    }

    /// What was taken and is not committed, of all partitions or of these.
    pub(super) fn uncommitted(&self, of: impl Fn(i32) -> bool) -> TopicPartitionList {
        let mut list = TopicPartitionList::new();
        for (&partition, own) in &self.state().own {
            if of(partition) && own.committed != Some(own.taken) {
                let offset = Offset::Offset(own.taken);
                // It refuses negative offsets only.
                let _ = list.add_partition_offset(&self.topic, partition, offset);
            }
        }
        list
    }

    /// The group has these offsets now.
    pub(super) fn committed(&self, offsets: &[(i32, i64)]) {
        let mut state = self.state();
        for (partition, offset) in offsets {
            if let Some(own) = state.own.get_mut(partition) {
                own.committed = Some(*offset);
            }
        }
    }
}

impl ClientContext for Context {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        if facility == OPTION_WARNING {
            // kafka.options are the producer's, too.
            return tracing::debug!("librdkafka {facility}: {message}");
        }
        client::log(level, facility, message);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        // `poll` gives the error, too.
        tracing::debug!("kafka: {error}: {reason}");
    }
}

impl ConsumerContext for Context {
    fn rebalance(
        &self,
        consumer: &BaseConsumer<Self>,
        error: RDKafkaRespErr,
        partitions: &mut TopicPartitionList,
    ) {
        match error {
            RDKafkaRespErr::RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS => {
                rebalance::assigned(self, consumer, partitions);
            }
            // The group waits: what was taken can still be heard of.
            _ => rebalance::revoked(self, partitions),
        }
    }

    fn main_queue_min_poll_interval(&self) -> rdkafka::util::Timeout {
        Duration::from_millis(100).into()
    }
}
