//! Which work is given to whom.

use super::contestant::Contestant::{
    self, Bare, Consumer, GoTuned, Naive, Node, Raw, Relay, Service,
};
use super::contestant::GLUE;
use crate::work::{Loop, Place, Reading, Redis, Work};

/// A rate that all but the untuned Go can follow.
pub const COMMON_RATE: f64 = 2000.0;
/// Where an open loop asks how a service does that is busy, and not at its limit.
const HALF: f64 = 0.5;

pub struct Entry {
    pub work: Work,
    pub contestants: Vec<Contestant>,
}

fn entry(work: Work, contestants: impl IntoIterator<Item = Contestant>) -> Entry {
    Entry { work, contestants: contestants.into_iter().collect() }
}

/// Names of works that ratios refer to.
pub mod name {
    pub const SINGLE_1: &str = "single-1";
    pub const SINGLE_64: &str = "single-64";
    pub const SINGLE_1000: &str = "single-1000";
    pub const SINGLE_64_FROZEN: &str = "single-64-redis-frozen";
    pub const SINGLE_64_HALF: &str = "single-64-half-rate";
    pub const SINGLE_64_COMMON: &str = "single-64-common-rate";
    pub const BATCH_100: &str = "batch-100";
    pub const BATCH_100_OFF: &str = "batch-100-redis-off";
    pub const BATCH_100_FROZEN: &str = "batch-100-redis-frozen";
    pub const BATCH_100_FOLLOWED: &str = "batch-100-reading-tail-on";
    pub const BATCH_100_FORGETFUL: &str = "batch-100-reading-tail-off";
    pub const SINGLE_64_FOLLOWED: &str = "single-64-reading-tail-on";
    pub const SINGLE_64_FORGETFUL: &str = "single-64-reading-tail-off";
    pub const STREAMS_1: &str = "streams-1";
    pub const STREAMS_1000: &str = "streams-1000";
    pub const STREAMS_10000: &str = "streams-10000";
    pub const STREAMS_RESUMED: &str = "streams-10000-resumed";
    pub const READ_RECENT: &str = "reading-recent-50-memory";
    pub const READ_REPLAY: &str = "reading-replay-1-of-1000";
}
use name::{
    BATCH_100, BATCH_100_FOLLOWED, BATCH_100_FORGETFUL, BATCH_100_FROZEN, BATCH_100_OFF,
    READ_RECENT, READ_REPLAY, SINGLE_1, SINGLE_64, SINGLE_64_COMMON, SINGLE_64_FOLLOWED,
    SINGLE_64_FORGETFUL, SINGLE_64_FROZEN, SINGLE_64_HALF, SINGLE_1000, STREAMS_1, STREAMS_1000,
    STREAMS_10000, STREAMS_RESUMED,
};

/// Some minutes: what the ratios need.
pub fn quick() -> Vec<Entry> {
    let single = || Work::single(SINGLE_64, 64);
    vec![
        entry(single(), [Service, Bare, Raw, GoTuned, Node, Naive]),
        entry(Work::batches(BATCH_100, 100), [Service, Raw]),
        entry(Work::single(SINGLE_1, 1), [Service, Raw]),
        entry(Work::single(SINGLE_1000, 1000), [Service]),
        entry(Work::batches(BATCH_100_OFF, 100).redis(Redis::Off), [Service]),
        entry(Work::batches(BATCH_100_FROZEN, 100).redis(Redis::Frozen), [Service]),
        entry(Work { name: SINGLE_64_FROZEN.into(), ..single().redis(Redis::Frozen) }, [Service]),
        entry(half_rate(), [Service]),
    ]
    .into_iter()
    .chain(reading())
    .chain(streaming())
    .collect()
}

/// Reading back, and what it costs those who write.
fn reading() -> Vec<Entry> {
    use Place::{Kafka, Memory};
    let read =
        |name, connections, reading| entry(Work::reading(name, connections, reading), [Service]);
    let replay = |name, sources| {
        entry(Work::reading(name, 1, Reading::Replay { sources }), [Service, Consumer])
    };
    vec![
        read("reading-point-memory", 1, Reading::Point { from: Memory }),
        read("reading-point-memory-32", 32, Reading::Point { from: Memory }),
        read("reading-point-kafka", 1, Reading::Point { from: Kafka }),
        read("reading-point-kafka-32", 32, Reading::Point { from: Kafka }),
        read("reading-fetch-100-memory", 1, Reading::Fetch { from: Memory }),
        read("reading-fetch-100-kafka", 1, Reading::Fetch { from: Kafka }),
        read(READ_RECENT, 1, Reading::Recent { from: Memory }),
        read("reading-recent-50-kafka", 1, Reading::Recent { from: Kafka }),
        replay(READ_REPLAY, 1000),
        replay("reading-replay-all", 1),
        entry(Work::batches(BATCH_100_FOLLOWED, 100), [Service]),
        entry(Work::batches(BATCH_100_FORGETFUL, 100).without_memory(), [Service]),
        entry(Work::single(SINGLE_64_FOLLOWED, 64), [Service]),
        entry(Work::single(SINGLE_64_FORGETFUL, 64).without_memory(), [Service]),
    ]
}

/// Streams. Each delivers 20,000 times a second, but the first and the last, whose events are few.
fn streaming() -> Vec<Entry> {
    let streams = |name, subscribers, sources, rate| {
        entry(Work::streams(name, subscribers, sources, rate), [Service, Relay])
    };
    let without_redis = Work::streams("streams-1-redis-off", 1, 1, 1000.0).redis(Redis::Off);
    vec![
        streams(STREAMS_1, 1, 1, 1000.0),
        entry(without_redis, [Service]),
        streams("streams-100", 100, 1, 200.0),
        streams(STREAMS_1000, 1000, 1, 20.0),
        streams(STREAMS_10000, 10_000, 1, 2.0),
        streams("streams-10000-sources", 10_000, 10_000, 2000.0),
        entry(Work::resumed(STREAMS_RESUMED, 10_000, 1000), [Service]),
    ]
}

/// Everything.
pub fn full() -> Vec<Entry> {
    let all = || [Service, Bare, Raw].into_iter().chain(GLUE);
    let tuned = [Service, Bare, Raw, GoTuned, Node, Naive];
    let stored = || [Service].into_iter().chain(GLUE);
    let mut entries = vec![
        entry(Work::single(SINGLE_1, 1), all()),
        entry(Work::single(SINGLE_64, 64), all()),
        entry(Work::single(SINGLE_1000, 1000), all()),
        entry(Work::batches("batch-10", 10), all()),
        entry(Work::batches(BATCH_100, 100), all()),
        entry(Work::batches("batch-1000", 1000), all()),
    ];
    for (name, bytes) in
        [("single-64-100-b", 100), ("single-64-10-kb", 10_000), ("single-64-100-kb", 100_000)]
    {
        entries.push(entry(Work::single(name, 64).payload(bytes), tuned));
    }
    entries.extend([
        entry(
            Work::single("single-64-redis-off", 64).redis(Redis::Off),
            [Service, GoTuned, Node, Naive],
        ),
        entry(
            Work::single(SINGLE_64_FROZEN, 64).redis(Redis::Frozen),
            [Service, GoTuned, Node, Naive],
        ),
        entry(Work::batches(BATCH_100_OFF, 100).redis(Redis::Off), [Service]),
        entry(Work::batches(BATCH_100_FROZEN, 100).redis(Redis::Frozen), [Service]),
        entry(Work::single("single-64-no-ids", 64).without_ids(), [Service]),
        entry(Work::batches("batch-100-no-ids", 100).without_ids(), [Service]),
        entry(
            Work::single(SINGLE_64_COMMON, 64).paced(Loop::Open(COMMON_RATE)),
            stored().chain([Bare]),
        ),
        entry(half_rate(), [Service, GoTuned, Node, Naive]),
        entry(Work::batches("batch-100-half-rate", 100).paced(Loop::OpenAtShare(HALF)), [Service]),
    ]);
    entries.extend(reading());
    entries.extend(streaming());
    entries
}

fn half_rate() -> Work {
    Work::single(SINGLE_64_HALF, 64).paced(Loop::OpenAtShare(HALF))
}

/// The closed loop whose rate an open loop takes a share of.
pub fn closed_twin(work: &Work) -> &'static str {
    if work.shape.batch.is_some() { BATCH_100 } else { SINGLE_64 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn works_have_names_of_their_own_and_follow_the_rates_they_need() {
        for entries in [quick(), full()] {
            for (index, entry) in entries.iter().enumerate() {
                let earlier = &entries[..index];
                assert!(earlier.iter().all(|other| other.work.name != entry.work.name));
                if matches!(entry.work.r#loop, Loop::OpenAtShare(_)) {
                    let twin = closed_twin(&entry.work);
                    let twin = earlier.iter().find(|other| other.work.name == twin).unwrap();
                    assert!(entry.contestants.iter().all(|one| twin.contestants.contains(one)));
                }
            }
        }
    }
}
