//! The producer in front of brokers that answer with errors on purpose.

use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use rdkafka::types::RDKafkaRespErr::{
    self, RD_KAFKA_RESP_ERR_DUPLICATE_SEQUENCE_NUMBER as DUPLICATE,
    RD_KAFKA_RESP_ERR_INVALID_PRODUCER_EPOCH as WRONG_EPOCH,
    RD_KAFKA_RESP_ERR_KAFKA_STORAGE_ERROR as STORAGE,
    RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS as TOO_FEW_REPLICAS,
    RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS_AFTER_APPEND as TOO_FEW_AFTER_APPEND,
    RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION as NOT_LEADER,
    RD_KAFKA_RESP_ERR_OUT_OF_ORDER_SEQUENCE_NUMBER as OUT_OF_ORDER,
    RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED as FORBIDDEN,
    RD_KAFKA_RESP_ERR_UNKNOWN as SERVER_ERROR,
    RD_KAFKA_RESP_ERR_UNKNOWN_PRODUCER_ID as UNKNOWN_PRODUCER,
};

use tokio::runtime::Runtime;

use super::*;
use crate::kafka::{MockKafka, Reason, TraceContext};
use crate::settings::Settings;

const RECORD: Record<'_> = Record {
    id: "1",
    kind: "t",
    source_type: "s",
    source_id: "i",
    value: b"{}",
    trace: TraceContext::NONE,
};

/// A producer in front of a cluster of its own.
struct Stage {
    kafka: MockKafka,
    producer: Producer<()>,
    reports: Receiver<Outcome>,
    /// Where the reports are served, until all else has ended.
    _runtime: Runtime,
}

impl Stage {
    fn set() -> Self {
        Self::with(&[])
    }

    fn with(options: &[(&str, &str)]) -> Self {
        let kafka = MockKafka::start("t", 1).unwrap();
        let mut settings = Settings::load([]).unwrap();
        settings.kafka.brokers = kafka.brokers();
        settings.kafka.topic = "t".into();
        for (key, value) in options {
            settings.kafka.options.insert((*key).into(), (*value).into());
        }
        let (report, reports) = channel();
        let runtime = Runtime::new().unwrap();
        let entered = runtime.enter();
        let producer = Producer::new(&settings.kafka, &settings.publisher, move |outcome, ()| {
            let _ = report.send(outcome.outcome);
        })
        .unwrap();
        drop(entered);
        let stage = Stage { kafka, producer, reports, _runtime: runtime };
        assert!(matches!(stage.store(), Outcome::Stored(Some(_))));
        stage
    }

    fn store(&self) -> Outcome {
        self.store_all(1)[0]
    }

    fn store_all(&self, count: usize) -> Vec<Outcome> {
        let refused: Vec<_> =
            (0..count).filter_map(|_| self.submit().err()).map(|(outcome, _)| outcome).collect();
        let reported = (0..count - refused.len())
            .map(|_| self.reports.recv_timeout(Duration::from_secs(30)).expect("a report"));
        reported.chain(refused.iter().copied()).collect()
    }

    fn submit(&self) -> Result<(), (Outcome, Box<()>)> {
        self.producer.submit(RECORD, Box::new(()))
    }

    /// Waits until records are stored again.
    fn recovers(&self) {
        let deadline = Instant::now() + Duration::from_secs(30);
        while !matches!(self.store(), Outcome::Stored(Some(_))) {
            assert!(Instant::now() < deadline, "no new client took over");
            std::thread::yield_now();
        }
    }

    fn outcome_after(errors: &[RDKafkaRespErr]) -> Outcome {
        let stage = Stage::set();
        stage.kafka.fail_writes(errors);
        let outcome = stage.store();
        stage.recovers();
        outcome
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        self.producer.clients.stop();
    }
}

#[test]
fn what_is_refused_before_it_is_appended_is_not_stored() {
    assert_eq!(Stage::outcome_after(&[WRONG_EPOCH]), Outcome::NotStored(Reason::Refused));
}

#[test]
fn a_fault_of_the_broker_that_does_not_say_when_it_happened_is_unknown() {
    assert_eq!(Stage::outcome_after(&[SERVER_ERROR]), Outcome::Unknown(Reason::Refused));
}

/// A leader that steps down says so also for what it has appended, and librdkafka forgets it.
#[test]
fn what_may_have_been_appended_before_it_was_refused_is_unknown() {
    for maybe_appended in [NOT_LEADER, STORAGE, TOO_FEW_AFTER_APPEND] {
        let stage = Stage::set();
        stage.kafka.fail_writes(&[maybe_appended, FORBIDDEN]);
        assert_eq!(stage.store(), Outcome::Unknown(Reason::Refused), "{maybe_appended:?}");
    }
}

#[test]
fn what_was_certainly_not_appended_at_any_attempt_is_not_stored() {
    let stage = Stage::set();
    stage.kafka.fail_writes(&[TOO_FEW_REPLICAS, FORBIDDEN]);
    assert_eq!(stage.store(), Outcome::NotStored(Reason::Refused));
}

#[test]
fn an_answer_of_long_ago_says_nothing_of_later_records() {
    let stage = Stage::set();
    stage.kafka.fail_writes(&[NOT_LEADER]);
    assert!(matches!(stage.store(), Outcome::Stored(Some(_))));
    stage.kafka.fail_writes(&[FORBIDDEN]);
    assert_eq!(stage.store(), Outcome::NotStored(Reason::Refused));
}

#[test]
fn repeats_that_the_broker_knows_are_stored_and_none_gets_the_cursor_of_another_record() {
    let stage = Stage::with(&[("linger.ms", "200")]);
    stage.kafka.fail_writes(&[DUPLICATE]);
    assert_eq!(stage.store_all(3), [Outcome::Stored(None); 3]);
    assert!(matches!(stage.store(), Outcome::Stored(Some(_))));
}

#[test]
fn a_broker_that_lost_the_producer_makes_it_start_anew_and_nothing_fails() {
    let outcome = Stage::outcome_after(&[UNKNOWN_PRODUCER]);
    assert!(matches!(outcome, Outcome::Stored(Some(_))), "{outcome:?}");
}

#[test]
fn after_a_fatal_error_what_was_sent_is_unknown_and_a_new_client_stores_again() {
    assert_eq!(Stage::outcome_after(&[OUT_OF_ORDER]), Outcome::Unknown(Reason::Refused));
}

#[test]
fn what_a_broken_client_had_not_sent_is_not_stored_and_not_waited_for() {
    let stage = Stage::with(&[("max.in.flight", "1"), ("batch.num.messages", "1")]);
    stage.kafka.delay(Duration::from_millis(300));
    stage.kafka.fail_writes(&[OUT_OF_ORDER]);
    let started = Instant::now();

    let outcomes = stage.store_all(10);

    assert!(started.elapsed() < Duration::from_secs(5), "less than kafka.message_timeout");
    // Reports of what was purged may come before it.
    assert!(outcomes.contains(&Outcome::Unknown(Reason::Refused)), "{outcomes:?}");
    // A request or two after it were written out already, and are answered.
    let not_stored = Outcome::NotStored(Reason::KafkaUnavailable);
    let held = outcomes.iter().filter(|outcome| **outcome == not_stored).count();
    assert!(held >= 5, "{outcomes:?}");
    stage.kafka.delay(Duration::ZERO);
    stage.recovers();
}

#[test]
fn a_new_client_takes_over_as_soon_as_nobody_else_replaces_it() {
    let stage = Stage::set();
    let held = stage.producer.clients.hold();
    stage.kafka.fail_writes(&[OUT_OF_ORDER]);
    assert_eq!(stage.store(), Outcome::Unknown(Reason::Refused));
    // Longer than the task takes to look.
    std::thread::sleep(Duration::from_millis(300));
    drop(held);

    let started = Instant::now();
    stage.recovers();
    assert!(started.elapsed() < Duration::from_secs(4), "{:?}", started.elapsed());
}

/// As one is whose partition has no leader.
#[test]
fn a_record_that_is_stuck_costs_the_others_a_moment_and_not_again_soon() {
    let stage = Stage::set();
    stage.kafka.delay(Duration::from_secs(60));
    assert!(stage.submit().is_ok());

    let started = Instant::now();
    for _ in 0..10 {
        stage.producer.fit(5_000);
    }
    assert!(started.elapsed() < Duration::from_secs(1), "{:?}", started.elapsed());
    assert!(stage.submit().is_ok(), "records are taken again");
    stage.kafka.delay(Duration::ZERO);
}

/// As it may be while librdkafka waits for the system's resolver.
#[tokio::test(flavor = "multi_thread")]
async fn the_end_does_not_wait_for_a_task_that_does_not_end() {
    let kafka = MockKafka::start("t", 1).unwrap();
    let mut settings = Settings::load([]).unwrap();
    settings.kafka.brokers = kafka.brokers();
    settings.kafka.topic = "t".into();
    let (release, stuck) = channel::<()>();
    let stuck = Mutex::new(stuck);
    let producer = Producer::new(&settings.kafka, &settings.publisher, move |_, ()| {
        let _ = stuck.lock().recv();
    })
    .unwrap();
    assert!(producer.submit(RECORD, Box::new(())).is_ok());

    let started = Instant::now();
    producer.stop(started + Duration::from_millis(300)).await;

    assert!(started.elapsed() < Duration::from_secs(5));
    assert!(!producer.is_finished());
    drop(release);
    producer.stop(Instant::now() + Duration::from_secs(30)).await;
    assert!(producer.is_finished());
}

/// Events go on being posted meanwhile.
#[test]
fn batches_are_fitted_only_between_records_and_in_their_order() {
    let stage = Stage::set();
    // Longer than the task may hold on to a client that was replaced.
    stage.kafka.delay(Duration::from_millis(150));
    let outcomes = std::thread::scope(|scope| {
        let fitting = scope.spawn(|| {
            for max_message in [5_000, 2_000_000] {
                stage.producer.fit(max_message);
            }
        });
        let mut outcomes = Vec::new();
        while !fitting.is_finished() {
            outcomes.extend(stage.store_all(20));
        }
        outcomes
    });
    let mut last = 0;
    for outcome in outcomes {
        match outcome {
            Outcome::Stored(Some(cursor)) => {
                assert!(cursor.offset() > last, "{cursor} after {last}");
                last = cursor.offset();
            }
            refused => assert_eq!(refused, Outcome::NotStored(Reason::KafkaUnavailable)),
        }
    }
}
