//! The network between the service and the broker breaks.

use std::time::Duration;

use tokio::time::sleep;

use super::{hasty, patient};
use crate::harness::Broker;
use crate::harness::app::Builder;
use crate::harness::broker::Settings;
use crate::harness::proxy::{Mode, Proxy};
use crate::report::Row;
use crate::run::Run;

struct Network {
    _broker: Broker,
    proxy: Proxy,
    run: Run,
}

async fn start(name: &'static str, builder: Builder) -> Network {
    let mut proxy = Proxy::bind().await;
    let mut broker = Broker::with(&Settings::plain().advertised(proxy.port()));
    broker.start().await;
    proxy.serve(broker.address());
    let run = Run::start(name, builder.brokers(&proxy.address()), &crate::plan()).await;
    Network { _broker: broker, proxy, run }
}

/// Fails unless everything was stored, and once.
async fn all_stored_once(run: Run) -> Row {
    let (row, findings) = run.finish().await;
    assert_eq!((findings.not_stored, findings.unknown, findings.doubled), (0, 0, 0));
    row
}

/// Connections are reset all the time. The producer repeats what it has no answer for, and the
/// broker knows the repeats: everything is stored, and once.
pub async fn resets(name: &'static str) -> Row {
    let Network { _broker, proxy, mut run } = start(name, patient()).await;

    let pause = Duration::from_millis(100);
    let enough = |_: &_| proxy.broken() >= 15;
    run.until_with("connections are reset", pause, enough, || proxy.reset()).await;

    run.recovers().await;
    run.flows().await;
    all_stored_once(run).await
}

/// Answers are lost, and then the connections: what was written is found again by its sequence.
pub async fn answers_lost_for_a_moment(name: &'static str) -> Row {
    let Network { _broker, proxy, mut run } = start(name, patient()).await;

    for _ in 0..5 {
        proxy.set(Mode::LoseAnswers);
        sleep(Duration::from_millis(300)).await;
        proxy.set(Mode::Pass);
        run.recovers().await;
        run.flows().await;
    }

    let broken = proxy.broken();
    assert!(broken >= 5, "{broken} connections lost answers");
    all_stored_once(run).await
}

/// Answers are lost for longer than anybody waits: written, and unknown.
pub async fn answers_lost_for_long(name: &'static str) -> Row {
    let Network { _broker, proxy, mut run } = start(name, hasty()).await;

    proxy.set(Mode::LoseAnswers);
    run.until("patience ends", |counts| counts.unknown() + counts.not_stored() > 50).await;
    proxy.set(Mode::Pass);

    run.recovers().await;
    run.flows().await;
    let (row, findings) = run.finish().await;
    assert!(findings.unknown > 0, "what was sent may be there");
    row
}

pub async fn black_hole(name: &'static str) -> Row {
    let Network { _broker, proxy, mut run } = start(name, hasty()).await;

    proxy.set(Mode::Hold);
    run.turns_unready().await;
    run.until("outcomes are unknown", |counts| counts.unknown() > 0).await;
    proxy.set(Mode::Pass);

    run.recovers().await;
    run.flows().await;
    run.finish().await.0
}

/// Far from the broker: everything is stored, later.
pub async fn delays(name: &'static str) -> Row {
    let Network { _broker, proxy, mut run } = start(name, patient()).await;

    run.counts.forget_stalls();
    proxy.set(Mode::Delay(Duration::from_millis(150)));
    run.flows().await;
    run.flows().await;
    proxy.set(Mode::Pass);
    assert!(run.counts.longest_stall() > Duration::from_millis(150));

    run.recovers().await;
    all_stored_once(run).await
}
