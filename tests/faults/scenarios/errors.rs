//! Every class of error that a broker can answer a write with, by librdkafka's mock cluster. It
//! writes nothing when it answers with an error. Unlike a broker it does not know a repeat by its
//! sequence: what the producer sends again after a lost connection is doubled.

use std::time::Duration;

use rdkafka::mocking::MockCluster;
use rdkafka::types::{RDKafkaApiKey as Api, RDKafkaRespErr as Error};

use crate::harness::TestApp;
use crate::harness::app::Builder;
use crate::report::Row;
use crate::run::Run;
use crate::traffic::Plan;

/// Little: the mock cluster keeps the last 5 MiB of a partition, and everything is read back.
const PLAN: Plan = Plan {
    singles: 2,
    batches: 1,
    batch_size: 10,
    first: 0,
    data: 10..20,
    rest: Duration::ZERO,
    seed: 7,
};

/// Errors after which the producer tries again until the event's time is up, and whether the
/// event may be in the log then.
const RETRIED: [(Error, bool); 9] = [
    (Error::RD_KAFKA_RESP_ERR_LEADER_NOT_AVAILABLE, true),
    (Error::RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION, true),
    (Error::RD_KAFKA_RESP_ERR_KAFKA_STORAGE_ERROR, true),
    (Error::RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART, false),
    (Error::RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS, false),
    (Error::RD_KAFKA_RESP_ERR_INVALID_MSG, false),
    (Error::RD_KAFKA_RESP_ERR_REQUEST_TIMED_OUT, true),
    (Error::RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS_AFTER_APPEND, true),
    (Error::RD_KAFKA_RESP_ERR__TRANSPORT, true),
];

/// Errors that end an event at once: it is not in the log.
const PERMANENT: [Error; 10] = [
    Error::RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED,
    Error::RD_KAFKA_RESP_ERR_TOPIC_EXCEPTION,
    Error::RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE,
    Error::RD_KAFKA_RESP_ERR_RECORD_LIST_TOO_LARGE,
    Error::RD_KAFKA_RESP_ERR_INVALID_REQUIRED_ACKS,
    Error::RD_KAFKA_RESP_ERR_CLUSTER_AUTHORIZATION_FAILED,
    Error::RD_KAFKA_RESP_ERR_UNSUPPORTED_FOR_MESSAGE_FORMAT,
    Error::RD_KAFKA_RESP_ERR_POLICY_VIOLATION,
    Error::RD_KAFKA_RESP_ERR_INVALID_TIMESTAMP,
    Error::RD_KAFKA_RESP_ERR_INVALID_RECORD,
];

/// Errors that end an event at once, and say nothing of whether it was written.
const UNCERTAIN: [Error; 2] =
    [Error::RD_KAFKA_RESP_ERR_UNKNOWN, Error::RD_KAFKA_RESP_ERR_NETWORK_EXCEPTION];

/// Errors after which the producer is of no further use, and another takes over.
const FATAL: [Error; 2] = [
    Error::RD_KAFKA_RESP_ERR_OUT_OF_ORDER_SEQUENCE_NUMBER,
    Error::RD_KAFKA_RESP_ERR_INVALID_PRODUCER_EPOCH,
];

struct Mock {
    kafka: MockCluster<'static, rdkafka::producer::DefaultProducerContext>,
}

impl Mock {
    fn start(topic: &str) -> Self {
        let kafka = MockCluster::new(1).expect("a mock cluster");
        kafka.create_topic(topic, 3, 1).expect("a topic");
        Mock { kafka }
    }

    fn builder(&self, topic: &str) -> Builder {
        TestApp::builder()
            .brokers(&self.kafka.bootstrap_servers())
            .topic(topic)
            .set("kafka.message_timeout", "1s")
            .set("http.request_timeout", "4s")
    }

    /// The next writes are answered so.
    fn answers(&self, error: Error, times: usize) {
        self.kafka.request_errors(Api::Produce, &vec![error; times]);
    }

    fn answers_well(&self) {
        self.kafka.clear_request_errors(Api::Produce);
    }
}

/// Now and then: everything is stored. All the time: the answer is the one that is true.
pub async fn retried(name: &'static str) -> Row {
    let mock = Mock::start("retried");
    let mut run = Run::start(name, mock.builder("retried"), &PLAN).await;

    for (error, may_be_there) in RETRIED {
        mock.answers(error, 1);
        run.recovers().await;
        mock.answers(error, 10_000);
        let before = (run.counts.not_stored(), run.counts.unknown());
        let what = format!("{error:?} is told as what it is");
        run.until(&what, |counts| match may_be_there {
            true => counts.unknown() > before.1,
            false => counts.not_stored() > before.0,
        })
        .await;
        mock.answers_well();
        run.recovers().await;
        if !may_be_there {
            assert_eq!(run.counts.unknown(), before.1, "{error:?} leaves nothing open");
        }
    }

    run.finish().await.0
}

pub async fn permanent(name: &'static str) -> Row {
    let mock = Mock::start("permanent");
    let mut run = Run::start(name, mock.builder("permanent"), &PLAN).await;

    for error in PERMANENT {
        let before = run.counts.not_stored();
        mock.answers(error, 3);
        let what = format!("{error:?} is told as not stored");
        run.until(&what, |counts| counts.not_stored() > before).await;
        mock.answers_well();
        run.recovers().await;
    }

    assert_eq!(run.counts.unknown(), 0);
    for error in UNCERTAIN {
        let before = run.counts.unknown();
        mock.answers(error, 3);
        let what = format!("{error:?} is told as unknown");
        run.until(&what, |counts| counts.unknown() > before).await;
        mock.answers_well();
        run.recovers().await;
    }

    run.finish().await.0
}

pub async fn fatal(name: &'static str) -> Row {
    let mock = Mock::start("fatal");
    let mut run = Run::start(name, mock.builder("fatal"), &PLAN).await;

    for error in FATAL {
        let before = run.counts.unknown() + run.counts.not_stored();
        mock.answers(error, 50);
        let what = format!("{error:?} ends events");
        run.until(&what, |counts| counts.unknown() + counts.not_stored() > before).await;
        mock.answers_well();
        run.recovers().await;
        run.flows().await;
    }

    run.app.logged("a new one is made").await;
    run.finish().await.0
}

/// The broker answers, but late: at first within the time of an event, then beyond it.
pub async fn latency(name: &'static str) -> Row {
    let mock = Mock::start("latency");
    let mut run = Run::start(name, mock.builder("latency"), &PLAN).await;

    let is_late = |time| mock.kafka.broker_round_trip_time(1, time).expect("it is set");
    for _ in 0..3 {
        is_late(Duration::from_millis(400));
        run.flows_slowly().await;
        is_late(Duration::from_millis(0));
        run.flows().await;
    }
    is_late(Duration::from_secs(3));
    run.until("outcomes are unknown", |counts| counts.unknown() > 5).await;
    is_late(Duration::from_millis(0));

    run.recovers().await;
    run.flows().await;
    run.finish().await.0
}
