//! The one broker dies, freezes, restarts, or comes late.

use super::hasty;
use crate::harness::{Broker, required, unique};
use crate::report::Row;
use crate::run::{Place, Run};

async fn start(name: &'static str) -> (Broker, Run) {
    let mut broker = Broker::new();
    broker.start().await;
    let run = Run::start(name, hasty().brokers(&broker.address()), &crate::plan()).await;
    (broker, run)
}

pub async fn killed(name: &'static str) -> Row {
    let (mut broker, mut run) = start(name).await;

    broker.kill().await;
    run.turns_unready().await;
    run.until("events are refused", |counts| counts.not_stored() > 100).await;
    broker.start().await;

    run.recovers().await;
    run.flows().await;
    run.finish().await.0
}

/// For longer than the message timeout: what was sent before it was noticed is unknown.
pub async fn frozen(name: &'static str) -> Row {
    let (broker, mut run) = start(name).await;

    broker.freeze();
    run.turns_unready().await;
    run.until("outcomes are unknown", |counts| counts.unknown() > 0).await;
    run.until("events are refused", |counts| counts.not_stored() > 20).await;
    broker.thaw();

    run.recovers().await;
    run.flows().await;
    run.finish().await.0
}

pub async fn restarted(name: &'static str) -> Row {
    let (mut broker, mut run) = start(name).await;

    broker.stop().await;
    run.until("events are refused", |counts| counts.not_stored() > 0).await;
    broker.start().await;

    run.recovers().await;
    run.flows().await;
    run.finish().await.0
}

pub async fn absent_at_start(name: &'static str) -> Row {
    let mut broker = Broker::new();
    let builder = hasty().brokers(&broker.address());
    let place =
        Place { source_type: unique("f"), brokers: broker.address(), redis: required("REDIS_URL") };
    let app = builder.clone().start_unready().await;
    let mut run = Run::of(place, name, builder, &crate::plan(), app).await;

    run.until("events are refused", |counts| counts.not_stored() > 100).await;
    assert_eq!(run.counts.stored(), 0);
    broker.start().await;

    run.recovers().await;
    run.flows().await;
    run.finish().await.0
}
