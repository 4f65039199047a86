//! Three brokers, three copies of everything, two of which have to be in sync.

use std::time::Duration;

use serde_json::json;

use super::{hasty, patient};
use crate::harness::{Cluster, eventually, kafka};
use crate::report::Row;
use crate::run::Run;

/// A broker other than the controller that leads a partition.
fn a_leader(run: &Run) -> i32 {
    let leaders =
        (0..6).map(|partition| kafka::leader(&run.app.brokers, &run.app.topic, partition));
    leaders.into_iter().find(|leader| *leader > 1).expect("partitions are spread over brokers")
}

/// The others take over: requests wait, and everything is stored.
pub async fn leader_killed(name: &'static str) -> Row {
    let mut cluster = Cluster::start().await;
    let builder = patient().brokers(&cluster.addresses());
    let mut run = Run::start(name, builder, &crate::plan()).await;
    let leader = a_leader(&run);

    run.counts.forget_stalls();
    cluster.broker(leader).kill().await;
    // Events of its partitions wait until the cluster has noticed.
    run.until("requests wait", |counts| counts.longest_stall() > Duration::from_secs(1)).await;

    run.recovers().await;
    run.flows().await;
    cluster.broker(leader).start().await;
    run.flows().await;
    finish(run).await
}

/// One copy is not enough: everything is refused, by its true reason, until another is back.
pub async fn two_killed(name: &'static str) -> Row {
    let mut cluster = Cluster::start().await;
    let builder = hasty().brokers(&cluster.addresses());
    let mut run = Run::start(name, builder, &crate::plan()).await;

    cluster.broker(2).kill().await;
    cluster.broker(3).kill().await;
    run.until("events are refused", |counts| counts.not_stored() > 200).await;
    let told = eventually("it says that replicas are missing", async || {
        let (is_ready, body) = run.app.readiness().await;
        let detail = body["kafka"]["detail"].as_str()?.to_owned();
        (!is_ready && detail.contains("min.insync.replicas")).then_some(body)
    })
    .await;
    assert_eq!(told["kafka"]["state"], json!("down"));
    cluster.broker(2).start().await;
    cluster.broker(3).start().await;

    run.recovers().await;
    run.flows().await;
    run.finish().await.0
}

/// As an upgrade does it.
pub async fn rolled(name: &'static str) -> Row {
    let mut cluster = Cluster::start().await;
    let builder = patient().brokers(&cluster.addresses());
    let mut run = Run::start(name, builder, &crate::plan()).await;

    for node in [3, 2, 1] {
        cluster.broker(node).stop().await;
        run.flows().await;
        cluster.broker(node).start().await;
        in_sync(&run, 6).await;
        run.flows().await;
    }

    run.recovers().await;
    finish(run).await
}

/// Fails unless everything was stored: there was always somebody to take it.
async fn finish(run: Run) -> Row {
    let (row, findings) = run.finish().await;
    assert_eq!((findings.not_stored, findings.unknown, findings.doubled), (0, 0, 0));
    row
}

/// Waits until every partition has all of its replicas in sync.
async fn in_sync(run: &Run, partitions: usize) {
    eventually("all replicas are in sync", async || {
        let (brokers, topic) = (run.app.brokers.clone(), run.app.topic.clone());
        let whole = move || kafka::whole_partitions(&brokers, &topic) == partitions;
        tokio::task::spawn_blocking(whole).await.expect("no panic").then_some(())
    })
    .await;
}
