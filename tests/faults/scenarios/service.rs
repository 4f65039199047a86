//! The service itself ends, in order and otherwise.

use super::hasty;
use crate::harness::Broker;
use crate::report::Row;
use crate::run::Run;

/// What was answered is stored, what was taken is answered, and the last line says so.
pub async fn terminated(name: &'static str) -> Row {
    let mut run = Run::start(name, hasty(), &crate::plan()).await;

    for _ in 0..3 {
        let last = run.terminate().await;
        assert_eq!(last["records_left"], 0, "{last}");
        assert_eq!(last["connections_cut"], 0, "{last}");
        assert_eq!(last["notifications_left"], 0, "{last}");
        run.restart().await;
        run.recovers().await;
        run.flows().await;
    }

    answers_all(&run);
    let (row, findings) = run.finish().await;
    assert_eq!((findings.not_stored, findings.unknown, findings.without_cursor), (0, 0, 0));
    assert_eq!(findings.doubled, 0);
    row
}

/// A writer that was held up for longer than open connections are still served may post on one in
/// the moment in which it is closed: on a busy machine that befalls a few of the thirty.
fn answers_all(run: &Run) {
    let unanswered = run.counts.requests_unanswered();
    assert!(unanswered <= 5, "{unanswered} requests had no answer");
}

/// The end does not wait for a Kafka that does not answer, and every request gets its answer.
pub async fn terminated_while_kafka_is_frozen(name: &'static str) -> Row {
    let mut broker = Broker::new();
    broker.start().await;
    let builder = hasty().brokers(&broker.address());
    let mut run = Run::start(name, builder, &crate::plan()).await;

    broker.freeze();
    let last = run.terminate().await;
    run.until("outcomes are unknown", |counts| counts.unknown() > 0).await;
    assert_eq!(last["connections_cut"], 0, "{last}");
    answers_all(&run);
    broker.thaw();
    run.restart().await;

    run.recovers().await;
    run.flows().await;
    run.finish().await.0
}

/// Without a goodbye: what was answered is stored all the same.
pub async fn killed(name: &'static str) -> Row {
    let mut run = Run::start(name, hasty(), &crate::plan()).await;

    for _ in 0..5 {
        run.kill().await;
        run.restart().await;
        run.recovers().await;
        run.flows().await;
    }

    let (row, findings) = run.finish().await;
    assert!(findings.connection_lost > 0, "requests were under way");
    row
}
