//! The broker's own limits, and what its operator does to the topic.

use std::time::Duration;

use tokio::time::sleep;

use super::hasty;
use crate::harness::broker::{AUTHORIZER, Settings};
use crate::harness::{Broker, eventually, kafka, required, unique};
use crate::report::Row;
use crate::run::{Place, Run};
use crate::traffic::Plan;

/// The topic takes less than the service does: what is too large is refused, and nothing else.
pub async fn smaller_messages(name: &'static str) -> Row {
    let topic = unique("small");
    kafka::create_topic(&required("KAFKA_BROKERS"), &topic, 3, &[("max.message.bytes", "10240")])
        .await;
    let plan = Plan { data: 20..14_000, ..crate::plan() };
    let run = Run::start(name, hasty().topic(&topic), &plan).await;

    run.until("some are too large", |counts| counts.not_stored() > 200).await;
    run.flows().await;

    let (row, findings) = run.finish().await;
    assert_eq!(findings.unknown, 0);
    assert!(findings.stored > findings.not_stored, "most fit");
    row
}

/// Deleted while it is written to, and made again by its operator.
pub async fn topic_deleted(name: &'static str) -> Row {
    let mut run = Run::start(name, hasty(), &crate::plan()).await;
    let (brokers, topic) = (run.app.brokers.clone(), run.app.topic.clone());

    kafka::delete_topic(&brokers, &topic).await;
    run.until("events are refused", |counts| counts.not_stored() > 50).await;
    let readiness = run.app.unready().await;
    assert!(readiness["reason"].as_str().expect("a reason").contains(&topic), "{readiness}");
    run.erased_now();
    kafka::create_topic(&brokers, &topic, 6, &[]).await;

    run.recovers().await;
    run.flows().await;
    run.finish().await.0
}

/// Sources move to other partitions, and nothing is lost on the way.
pub async fn partitions_added(name: &'static str) -> Row {
    let mut run = Run::start(name, hasty(), &crate::plan()).await;
    let (brokers, topic) = (run.app.brokers.clone(), run.app.topic.clone());

    kafka::add_partitions(&brokers, &topic, 9).await;
    eventually("the new partitions are seen", async || {
        (run.app.readiness().await.1["kafka"]["partitions"] == 9).then_some(())
    })
    .await;
    run.flows().await;

    run.recovers().await;
    let (row, findings) = run.finish().await;
    assert_eq!(findings.partitions, 9, "the new partitions are written to");
    row
}

/// The topic's limit is lowered while it is written to: until that is known, Kafka itself refuses
/// batches for their size.
pub async fn messages_become_smaller(name: &'static str) -> Row {
    let mut run = Run::start(name, hasty(), &crate::plan()).await;
    let (brokers, topic) = (run.app.brokers.clone(), run.app.topic.clone());

    kafka::configure_topic(&brokers, &topic, "max.message.bytes", "2048").await;
    run.until("batches are too large", |counts| counts.not_stored() > 200).await;
    kafka::configure_topic(&brokers, &topic, "max.message.bytes", "1048588").await;

    run.recovers().await;
    run.flows().await;
    let (row, findings) = run.finish().await;
    assert_eq!(findings.unknown, 0, "a refusal is certain");
    row
}

const USER: &str = "svc";
const PASSWORD: &str = "passw0rd";

/// The right to write is taken away, and given back.
pub async fn rights_revoked(name: &'static str) -> Row {
    let mut broker = Broker::with(&Settings::for_user(USER, PASSWORD).with(AUTHORIZER));
    broker.start().await;
    let topic = unique("rights");
    let rights = |change: &'static str, operation: &'static str| {
        let principal = format!("User:{USER}");
        let mut words = vec![change, "--allow-principal", &principal];
        words.extend(["--operation", operation, "--topic", "*", "--force"]);
        broker.tool("org.apache.kafka.tools.AclCommand", &words);
    };
    for operation in ["Describe", "Create", "Read", "Write"] {
        rights("--add", operation);
    }
    let builder = hasty()
        .brokers(&broker.address())
        .topic(&topic)
        .set("kafka.options.security_protocol", "sasl_plaintext")
        .set("kafka.options.sasl_mechanism", "PLAIN")
        .set("kafka.options.sasl_username", USER)
        .set("kafka.options.sasl_password", PASSWORD);
    let place = Place {
        source_type: unique("f"),
        brokers: broker.back_door(),
        redis: required("REDIS_URL"),
    };
    let mut run = Run::at(place, name, builder, &crate::plan()).await;

    rights("--remove", "Write");
    run.until("events are refused", |counts| counts.not_stored() > 100).await;
    sleep(Duration::from_secs(2)).await;
    rights("--add", "Write");

    run.recovers().await;
    run.flows().await;
    let (row, findings) = run.finish().await;
    assert_eq!(findings.unknown, 0, "a refusal is certain");
    row
}
