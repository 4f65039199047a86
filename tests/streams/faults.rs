//! What is broken, and how. Each fails when it left no trace.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use fastrand::Rng;
use tokio::time::sleep;

use super::world::World;
use crate::harness::{PATIENCE, eventually, kafka};

/// What can happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fault {
    RedisKilled,
    RedisFrozen,
    RedisCutsSubscribers,
    NotificationQueueFull,
    InstanceKilledBeforeItNotified,
    InstanceTerminated,
    BrokerKilled,
    BrokerFrozen,
    PartitionsAdded,
    RetentionPassesAReader,
}

pub const FAULTS: [Fault; 10] = [
    Fault::RedisKilled,
    Fault::RedisFrozen,
    Fault::RedisCutsSubscribers,
    Fault::NotificationQueueFull,
    Fault::InstanceKilledBeforeItNotified,
    Fault::InstanceTerminated,
    Fault::BrokerKilled,
    Fault::BrokerFrozen,
    Fault::PartitionsAdded,
    Fault::RetentionPassesAReader,
];

/// Partitions are added up to this many.
const PARTITIONS: usize = 24;
const DROPPED: &str = "dual_stream_notifications_dropped_total";
const CIRCUIT_OPEN: &str = "dual_stream_notify_circuit_open";
const WAITING: &str = "dual_stream_notify_queue_bytes";

impl Fault {
    pub fn name(self) -> &'static str {
        match self {
            Fault::RedisKilled => "Redis killed and started again",
            Fault::RedisFrozen => "Redis frozen",
            Fault::RedisCutsSubscribers => "Redis cuts subscribers, and gives them little room",
            Fault::NotificationQueueFull => "notification queue full",
            Fault::InstanceKilledBeforeItNotified => "instance killed before it had notified",
            Fault::InstanceTerminated => "instance terminated",
            Fault::BrokerKilled => "broker killed and started again",
            Fault::BrokerFrozen => "broker frozen",
            Fault::PartitionsAdded => "partitions added",
            Fault::RetentionPassesAReader => "retention passes a reader by",
        }
    }

    /// Breaks it, for about this long, and mends it.
    pub async fn strike(self, world: &mut World, lasts: Duration, rng: &mut Rng) {
        match self {
            Fault::RedisKilled => {
                world.redis.kill().await;
                drops(world, "").await;
                sleep(lasts).await;
                world.redis.start().await;
            }
            Fault::RedisFrozen => {
                world.redis.freeze();
                drops(world, "").await;
                sleep(lasts).await;
                world.redis.thaw();
            }
            Fault::RedisCutsSubscribers => cut_subscribers(world, lasts).await,
            Fault::NotificationQueueFull => {
                notify(world).await;
                world.redis.freeze();
                drops(world, "queue_full").await;
                world.redis.thaw();
            }
            Fault::InstanceKilledBeforeItNotified => kill_instance(world, lasts, rng).await,
            Fault::InstanceTerminated => {
                let instance = rng.usize(..world.instances.len());
                world.sample().await;
                world.instances[instance].terminate().await;
                sleep(lasts).await;
                world.instances[instance].restart().await;
            }
            Fault::BrokerKilled => {
                world.broker.kill().await;
                sleep(lasts).await;
                world.broker.start().await;
            }
            Fault::BrokerFrozen => {
                world.broker.freeze();
                sleep(lasts).await;
                world.broker.thaw();
            }
            Fault::PartitionsAdded => add_partitions(world).await,
            Fault::RetentionPassesAReader => pass_readers(world).await,
        }
    }
}

/// Waits until both instances notify again, after a fault before this one: while they leave Redis
/// alone nothing waits for it.
async fn notify(world: &World) {
    for instance in &world.instances {
        eventually("notifications are sent", async || {
            (instance.app.metric(CIRCUIT_OPEN, &[]).await == 0.0).then_some(())
        })
        .await;
    }
}

/// Waits until both instances drop notifications for this reason, or any.
async fn drops(world: &World, reason: &str) {
    for instance in &world.instances {
        let before = instance.app.metric(DROPPED, &[reason]).await;
        eventually("notifications are dropped", async || {
            (instance.app.metric(DROPPED, &[reason]).await > before).then_some(())
        })
        .await;
    }
}

async fn cut_subscribers(world: &World, lasts: Duration) {
    let limit = |limit: &'static str| {
        ["CONFIG", "SET", "client-output-buffer-limit", limit].map(str::to_owned)
    };
    let command = async |words: &[String]| {
        let words: Vec<_> = words.iter().map(String::as_str).collect();
        world.redis.command(&words).await.expect("Redis does it");
    };
    command(&limit("pubsub 4kb 0 0")).await;
    for _ in 0..5 {
        world.redis.command(&["CLIENT", "KILL", "TYPE", "pubsub"]).await.expect("cuts");
        sleep(lasts / 5).await;
    }
    command(&limit("pubsub 32mb 8mb 60")).await;
}

/// What it has acknowledged waits for a Redis that stands still: nobody is ever notified of it.
async fn kill_instance(world: &mut World, lasts: Duration, rng: &mut Rng) {
    let index = rng.usize(..world.instances.len());
    world.sample().await;
    notify(world).await;
    world.redis.freeze();
    let instance = &mut world.instances[index];
    eventually("notifications wait", async || {
        (instance.app.metric(WAITING, &[]).await > 0.0).then_some(())
    })
    .await;
    instance.kill().await;
    world.redis.thaw();
    sleep(lasts).await;
    world.instances[index].restart().await;
}

async fn add_partitions(world: &mut World) {
    if world.partitions >= PARTITIONS {
        return;
    }
    let first = world.partitions as i32;
    world.partitions += 2;
    kafka::add_partitions(&world.brokers(), &world.topic, world.partitions).await;
    // Producers learn of them within a second of the probe.
    eventually("events come to new partitions", async || world.audience.knows(first).then_some(()))
        .await;
}

/// Those who go away are away while retention removes what comes next for them. Something is left.
async fn pass_readers(world: &mut World) {
    eventually("who goes away is there", async || world.audience.is_complete().then_some(())).await;
    world.audience.goes_away(true);
    let are_away = async || world.audience.away_at();
    let was_at = eventually("who goes away is away", are_away).await;
    world.flows().await;
    world.read_on().await;
    let mut below = BTreeMap::new();
    for (partition, end) in world.log.end() {
        let at = was_at.get(&partition).copied().unwrap_or(-1);
        if end - at > 8 {
            below.insert(partition, end - (end - at) / 4);
        }
    }
    assert!(!below.is_empty(), "nothing was written while they were away");
    world.log.removes(&below);
    kafka::delete_all_records(&world.brokers(), &world.topic, &below).await;
    let resets = async |world: &World| {
        let mut resets = 0.0;
        for instance in &world.instances {
            resets += instance.app.metric("dual_stream_live_resets_total", &[]).await;
        }
        resets
    };
    let before = resets(world).await;
    world.audience.goes_away(false);
    let started = Instant::now();
    while resets(world).await == before {
        assert!(started.elapsed() < PATIENCE, "retention passed a reader, and nobody was told");
        sleep(Duration::from_millis(20)).await;
    }
}
