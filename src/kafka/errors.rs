//! Every error with which a record can come back, and what it makes of the record: the only such
//! table. `docs/reliability.md` shows it to operators; a test compares the two.
//!
//! Read from librdkafka 2.12 (`rd_kafka_err_action`, `rd_kafka_handle_Produce_error`,
//! `rd_kafka_handle_idempotent_Produce_error`, `rd_kafka_broker_fail`, the scans for time-outs,
//! `rd_kafka_purge`, `rd_kafka_topic_assign_uas`, `rd_kafka_producev`) and from what Kafka's brokers
//! do before and after they append (`ReplicaManager`, `DelayedProduce`).

use rdkafka::error::RDKafkaErrorCode as Code;

use super::outcome::Outcome::{self, NotStored, Unknown};
use super::outcome::Reason::{
    self, BufferFull, ConnectionLost, KafkaUnavailable, Refused, ShuttingDown, TimedOut, TooLarge,
};

/// One error.
pub(super) struct Failure {
    code: Code,
    /// Whether librdkafka sends the record again, so that the error is not its last word.
    #[cfg_attr(not(test), expect(dead_code, reason = "the page says it"))]
    retried: bool,
    /// What is true when librdkafka calls the record *not persisted*; none where it never does.
    not_persisted: Option<Outcome>,
    /// The reason when librdkafka calls the record *possibly persisted*; none where it never does.
    possibly: Option<Reason>,
}

/// The record was not appended by whoever answered so, or never left.
const fn refused(code: Code, reason: Reason) -> Failure {
    Failure { code, retried: false, not_persisted: Some(NotStored(reason)), possibly: Some(reason) }
}

/// The same, and librdkafka tries again.
const fn put_off(code: Code, reason: Reason) -> Failure {
    Failure { code, retried: true, not_persisted: Some(NotStored(reason)), possibly: Some(reason) }
}

/// librdkafka says *not persisted*, and the record may be in the log all the same: the broker says
/// so also after it has appended, or the answer got lost.
const fn doubtful(code: Code, reason: Reason) -> Failure {
    Failure { code, retried: false, not_persisted: Some(Unknown(reason)), possibly: Some(reason) }
}

/// The same, and librdkafka tries again: see [`casts_doubt`].
const fn doubtful_and_retried(code: Code, reason: Reason) -> Failure {
    Failure { code, retried: true, not_persisted: Some(Unknown(reason)), possibly: Some(reason) }
}

/// Only for records that were sent, and of which librdkafka knows no more.
const fn unanswered(code: Code, retried: bool, reason: Reason) -> Failure {
    Failure { code, retried, not_persisted: None, possibly: Some(reason) }
}

/// Only at submission: the record was never queued.
const fn not_queued(code: Code, reason: Reason) -> Failure {
    Failure { code, retried: false, not_persisted: Some(NotStored(reason)), possibly: None }
}

/// An end that says nothing of the record: never sent, or sent before and not answered.
const fn ended(code: Code, unsent: Reason, sent: Reason) -> Failure {
    Failure { code, retried: false, not_persisted: Some(NotStored(unsent)), possibly: Some(sent) }
}

/// A failed attempt: not sent, or sent and not answered.
const fn attempt(code: Code, sent: Reason) -> Failure {
    Failure {
        code,
        retried: true,
        not_persisted: Some(NotStored(KafkaUnavailable)),
        possibly: Some(sent),
    }
}

/// The table. What is not in it is taken for sent and unknown.
const FAILURES: [Failure; 46] = [
    // At submission.
    not_queued(Code::QueueFull, BufferFull),
    not_queued(Code::Fatal, KafkaUnavailable),
    not_queued(Code::InvalidArgument, Refused),
    // The end of a record's time in librdkafka.
    ended(Code::MessageTimedOut, KafkaUnavailable, TimedOut),
    ended(Code::PurgeQueue, KafkaUnavailable, ConnectionLost),
    unanswered(Code::PurgeInflight, false, ConnectionLost),
    ended(Code::BrokerDestroy, ShuttingDown, ShuttingDown),
    refused(Code::UnknownPartition, Refused),
    refused(Code::UnknownTopic, Refused),
    // The connection.
    attempt(Code::BrokerTransportFailure, ConnectionLost),
    attempt(Code::SSL, ConnectionLost),
    attempt(Code::OperationTimedOut, TimedOut),
    attempt(Code::TimedOutQueue, TimedOut),
    attempt(Code::Retry, ConnectionLost),
    // Requests under way are failed with these as if they had never been sent.
    doubtful_and_retried(Code::DestroyBroker, ConnectionLost),
    doubtful(Code::Authentication, ConnectionLost),
    // Answers that cannot be read.
    unanswered(Code::BadMessage, false, Refused),
    doubtful(Code::Underflow, Refused),
    // The broker, before it appends.
    put_off(Code::InvalidMessage, Refused),
    put_off(Code::UnknownTopicOrPartition, Refused),
    put_off(Code::NotEnoughReplicas, KafkaUnavailable),
    refused(Code::MessageSizeTooLarge, TooLarge),
    refused(Code::MessageBatchTooLarge, TooLarge),
    refused(Code::InvalidMessageSize, TooLarge),
    refused(Code::InvalidTopic, Refused),
    refused(Code::InvalidRequiredAcks, Refused),
    refused(Code::TopicAuthorizationFailed, Refused),
    refused(Code::ClusterAuthorizationFailed, Refused),
    refused(Code::InvalidTimestamp, Refused),
    refused(Code::UnsupportedVersion, Refused),
    refused(Code::InvalidRequest, Refused),
    refused(Code::UnsupportedForMessageFormat, Refused),
    refused(Code::PolicyViolation, Refused),
    refused(Code::UnsupportedCompressionType, Refused),
    refused(Code::InvalidRecord, Refused),
    refused(Code::InvalidDifferentRecord, Refused),
    refused(Code::InvalidProducerEpoch, Refused),
    put_off(Code::UnknownProducerId, Refused),
    put_off(Code::OutOfOrderSequenceNumber, Refused),
    // The broker, before or after it has appended.
    doubtful_and_retried(Code::NotLeaderForPartition, KafkaUnavailable),
    doubtful_and_retried(Code::LeaderNotAvailable, KafkaUnavailable),
    doubtful_and_retried(Code::KafkaStorageError, KafkaUnavailable),
    doubtful(Code::Unknown, Refused),
    doubtful(Code::NetworkException, ConnectionLost),
    // The broker, after it has appended.
    unanswered(Code::NotEnoughReplicasAfterAppend, true, KafkaUnavailable),
    unanswered(Code::RequestTimedOut, true, TimedOut),
];

fn find(code: Code) -> Option<&'static Failure> {
    FAILURES.iter().find(|failure| failure.code == code)
}

/// What is true of a record that librdkafka calls not persisted.
pub(super) fn not_persisted(code: Code) -> Outcome {
    find(code).and_then(|failure| failure.not_persisted).unwrap_or(possibly_persisted(code))
}

/// What is true of a record that librdkafka calls possibly persisted.
pub(super) fn possibly_persisted(code: Code) -> Outcome {
    Unknown(find(code).and_then(|failure| failure.possibly).unwrap_or(Refused))
}

/// What `rd_kafka_broker_handle_purge_queues` logs when it closes a connection: whatever was sent on
/// it and not answered is failed as if it had been purged from the queue.
const PURGED_WITH_CONNECTION: &str = "partially sent request: forcing disconnect";

/// Whether a line of librdkafka's log tells of a request that it takes for not persisted, though
/// its records may be in the log, and of which its error does not tell: it is sent again, or it
/// shares its error with records that were never sent. The log of the context `broker` is the only
/// place that tells: nothing is kept with the record.
pub(super) fn casts_doubt(line: &str) -> bool {
    if line.contains(PURGED_WITH_CONNECTION) {
        return true;
    }
    let Some(answer) = produce_answer(line) else {
        return false;
    };
    let Some((error, actions)) = answer.rsplit_once(": ") else {
        return true;
    };
    !actions.contains("MsgPossiblyPersisted") && !FAILURES.iter().any(|row| row.is_certain(error))
}

/// Whether a line of librdkafka's log tells of a request whose records the broker has already:
/// they are reported as stored.
pub(super) fn tells_of_duplicates(line: &str) -> bool {
    let is_about = |answer: &str| {
        answer.rsplit_once(": ").is_some_and(|(error, _)| is_about(DUPLICATE, error))
    };
    produce_answer(line).is_some_and(is_about)
}

const DUPLICATE: Code = Code::DuplicateSequenceNumber;

fn produce_answer(line: &str) -> Option<&str> {
    line.split_once("ProduceRequest failed: ").map(|(_, answer)| answer)
}

fn is_about(code: Code, description: &str) -> bool {
    code.to_string() == format!("{code:?} ({description})")
}

impl Failure {
    /// Whether this is the error of that description, and librdkafka's word is true.
    fn is_certain(&self, description: &str) -> bool {
        matches!(self.not_persisted, Some(NotStored(_))) && is_about(self.code, description)
    }
}

#[cfg(test)]
mod tests {
    use std::ffi::CStr;

    use rdkafka::bindings::{rd_kafka_err2name, rd_kafka_resp_err_t};

    use super::*;

    /// The row of a failure in the page.
    fn row(failure: &Failure) -> String {
        let retried = if failure.retried { "yes" } else { "no" };
        let not_persisted = failure.not_persisted.map_or("–".to_owned(), words);
        let possibly = failure.possibly.map_or("–".to_owned(), |reason| words(Unknown(reason)));
        format!("| `{}` | {retried} | {not_persisted} | {possibly} |", name(failure.code))
    }

    fn words(outcome: Outcome) -> String {
        match outcome {
            Outcome::Stored(_) => "stored".to_owned(),
            NotStored(reason) => format!("not stored: `{}`", reason.as_str()),
            Unknown(reason) => format!("unknown: `{}`", reason.as_str()),
        }
    }

    fn name(code: Code) -> String {
        let error = rd_kafka_resp_err_t::try_from(code as i32).unwrap();
        // SAFETY: librdkafka gives a text that is never freed.
        let name = unsafe { CStr::from_ptr(rd_kafka_err2name(error)) };
        name.to_str().unwrap().to_owned()
    }

    #[test]
    fn the_page_has_the_rows_of_the_table_and_no_others() {
        let page = include_str!("../../docs/reliability.md");
        let (_, section) = page.split_once("## Errors of Kafka").unwrap();
        let section = section.split("\n## ").next().unwrap();
        let shown: Vec<_> = section.lines().filter(|line| line.starts_with("| `")).collect();
        let expected: Vec<_> = FAILURES.iter().map(row).collect();
        assert_eq!(shown, expected, "docs/reliability.md should say:\n{}", expected.join("\n"));
    }

    #[test]
    fn no_error_is_listed_twice() {
        for failure in &FAILURES {
            let rows = FAILURES.iter().filter(|other| other.code == failure.code).count();
            assert_eq!(rows, 1, "{}", name(failure.code));
        }
    }

    #[test]
    fn an_error_that_nobody_knows_is_unknown() {
        assert_eq!(not_persisted(Code::ListenerNotFound), Unknown(Refused));
        assert_eq!(possibly_persisted(Code::ListenerNotFound), Unknown(Refused));
    }

    #[test]
    fn a_repeat_that_the_broker_knows_is_heard_of() {
        let line = |error: &str| {
            format!("b/1: ProduceRequest failed: {error}: explicit actions MsgPossiblyPersisted")
        };
        assert!(tells_of_duplicates(&line("Broker: Broker received a duplicate sequence number")));
        assert!(!tells_of_duplicates(&line(
            "Broker: Broker received an out of order sequence number"
        )));
        assert!(!casts_doubt(&line("Broker: Broker received a duplicate sequence number")));
    }

    #[test]
    fn only_answers_that_may_follow_an_append_cast_doubt() {
        let line = |answer: &str| format!("[thrd:b/1]: b/1: ProduceRequest failed: {answer}");
        for doubted in [
            "Broker: Not leader for partition: actions Refresh,MsgNotPersisted",
            "Broker: Disk error when trying to access log file on disk: explicit actions Retry",
            "Local: Broker handle destroyed without termination: actions Refresh,MsgNotPersisted",
            "An error of the future: actions Retry,MsgNotPersisted",
            "a form of the future",
        ] {
            assert!(casts_doubt(&line(doubted)), "{doubted}");
        }
        assert!(casts_doubt("Purged 1 partially sent request: forcing disconnect (_PURGE_QUEUE)"));
        for certain in [
            "Broker: Not enough in-sync replicas: explicit actions Retry,MsgNotPersisted",
            "Local: Retry operation: explicit actions Retry",
            // The status of the record says it.
            "Local: Broker transport failure: explicit actions Refresh,MsgPossiblyPersisted",
        ] {
            assert!(!casts_doubt(&line(certain)), "{certain}");
        }
        assert!(!casts_doubt("MetadataRequest failed: Broker: Not leader: actions Refresh"));
    }
}
