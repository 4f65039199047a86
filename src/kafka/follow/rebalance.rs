//! What a member of a group does when partitions come and go.

use std::time::{Duration, Instant};

use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer, RebalanceProtocol};
use rdkafka::error::KafkaResult;
use rdkafka::{Offset, TopicPartitionList};

use super::context::Context;
use super::{ANSWER, FollowError, StartAt, bounds};
use crate::position::Position;
use crate::telemetry;

/// How long a new partition's place is looked for. The group waits meanwhile.
const PLACING: Duration = Duration::from_secs(60);
/// The time between two attempts.
const PAUSE: Duration = Duration::from_millis(500);

/// Where a partition is begun, and what the group has committed.
struct Place {
    partition: i32,
    offset: i64,
    committed: Option<i64>,
}

/// Begins partitions where the group left them, or where a new group is to begin.
pub(super) fn assigned(
    context: &Context,
    consumer: &BaseConsumer<Context>,
    partitions: &TopicPartitionList,
) {
    let mut list = TopicPartitionList::new();
    match places_in_time(context, consumer, partitions) {
        Ok(places) => {
            for place in &places {
                let offset = Offset::Offset(place.offset);
                // It refuses negative offsets only.
                let _ = list.add_partition_offset(&context.topic, place.partition, offset);
            }
            begin(context, &places);
        }
        Err(error) => context.state().failure = Some(error),
    }
    // After a failure none: the member leaves.
    check(context, add(consumer, &list));
    if context.state().is_held {
        check(context, consumer.pause(&list));
    }
}

fn begin(context: &Context, places: &[Place]) {
    let mut state = context.state();
    for place in places {
        state.begin(place.partition, place.offset, place.committed);
    }
    state.given = Some(Instant::now());
}

fn places_in_time(
    context: &Context,
    consumer: &BaseConsumer<Context>,
    partitions: &TopicPartitionList,
) -> Result<Vec<Place>, FollowError> {
    let deadline = Instant::now() + PLACING;
    loop {
        match places(context, consumer, partitions) {
            Err(error) if error.may_pass() && Instant::now() < deadline => {
                telemetry::warn_limited!("partitions cannot be begun: {error}; trying again");
                std::thread::sleep(PAUSE);
            }
            end => return end,
        }
    }
}

fn places(
    context: &Context,
    consumer: &BaseConsumer<Context>,
    partitions: &TopicPartitionList,
) -> Result<Vec<Place>, FollowError> {
    let asked = partitions.clone();
    let committed = consumer.committed_offsets(asked, ANSWER)?;
    let mut places = Vec::new();
    for element in committed.elements() {
        element.error()?;
        let partition = element.partition();
        let committed = match element.offset() {
            Offset::Offset(offset) => Some(offset),
            _ => None,
        };
        let offset = match committed {
            Some(offset) => offset,
            None => begun_at(context, consumer, partition)?,
        };
        places.push(Place { partition, offset, committed });
    }
    Ok(places)
}

/// All of a partition that was added while this member runs is new.
fn begun_at(
    context: &Context,
    consumer: &BaseConsumer<Context>,
    partition: i32,
) -> Result<i64, FollowError> {
    let beginning = StartAt::After(Position::beginning());
    let is_known = context.state().known.contains(&partition);
    let start = if is_known { &context.follow.start } else { &beginning };
    bounds::first_offset(consumer, &context.topic, partition, start)
}

/// Notes that partitions are to be given away, which [`give_away`] does.
pub(super) fn revoked(context: &Context, partitions: &TopicPartitionList) {
    let gone = partitions.elements().iter().map(|element| element.partition()).collect();
    context.state().parting = Some(gone);
}

/// Commits what was taken of partitions before another member begins them, and lets them go.
pub(super) fn give_away(context: &Context, consumer: &BaseConsumer<Context>) {
    let Some(gone) = context.state().parting.take() else { return };
    // Lost ones may be another member's already.
    let may_commit = !consumer.assignment_lost() && !context.state().gives_up_commits;
    let offsets = context.uncommitted(|partition| gone.contains(&partition));
    if may_commit
        && offsets.count() > 0
        && let Err(error) = consumer.commit(&offsets, CommitMode::Sync)
    {
        tracing::warn!("cannot commit partitions that are given away: {error}");
    }
    let mut list = TopicPartitionList::new();
    for &partition in &gone {
        list.add_partition(&context.topic, partition);
        context.state().own.remove(&partition);
    }
    check(context, remove(consumer, &list));
}

fn is_cooperative(consumer: &BaseConsumer<Context>) -> bool {
    matches!(consumer.rebalance_protocol(), RebalanceProtocol::Cooperative)
}

fn add(consumer: &BaseConsumer<Context>, list: &TopicPartitionList) -> KafkaResult<()> {
    if is_cooperative(consumer) { consumer.incremental_assign(list) } else { consumer.assign(list) }
}

fn remove(consumer: &BaseConsumer<Context>, list: &TopicPartitionList) -> KafkaResult<()> {
    if is_cooperative(consumer) { consumer.incremental_unassign(list) } else { consumer.unassign() }
}

fn check(context: &Context, done: KafkaResult<()>) {
    if let Err(error) = done {
        let error = FollowError::Refused(format!("cannot take part in the group: {error}"));
        context.state().failure.get_or_insert(error);
    }
}
