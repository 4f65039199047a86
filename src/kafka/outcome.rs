//! What is known of a record after it was handed to librdkafka.

use rdkafka::bindings::rd_kafka_msg_status_t as Persistence;
use rdkafka::error::RDKafkaErrorCode as Code;

use super::errors;
use crate::cursor::Cursor;

/// The three things that can be true of an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Acknowledged by every in-sync replica. The cursor is absent when the broker
    /// recognised a repeat of a record it already had and named no offset.
    Stored(Option<Cursor>),
    /// Certainly not in the log: the client may retry freely.
    NotStored(Reason),
    /// Sent, and perhaps in the log: the client retries with the same `id`.
    Unknown(Reason),
}

/// Why an event is not known to be stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Reason {
    /// The bytes in flight stayed at their limit for the whole admission timeout.
    BufferFull,
    /// No broker took the record before its time was up, and it was never sent.
    KafkaUnavailable,
    /// Sent, and no acknowledgement in time.
    TimedOut,
    /// Sent, and the connection broke before the acknowledgement.
    ConnectionLost,
    /// Larger than the broker takes.
    TooLarge,
    /// The service stopped before the record was acknowledged.
    ShuttingDown,
    /// The broker refused the record for another reason (authorisation, policy, topic), or failed
    /// in a way that does not tell.
    Refused,
}

impl Reason {
    /// All of them.
    pub const ALL: [Reason; 7] = [
        Reason::BufferFull,
        Reason::KafkaUnavailable,
        Reason::TimedOut,
        Reason::ConnectionLost,
        Reason::TooLarge,
        Reason::ShuttingDown,
        Reason::Refused,
    ];

    /// The word for it in answers and metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Reason::BufferFull => "buffer_full",
            Reason::KafkaUnavailable => "kafka_unavailable",
            Reason::TimedOut => "timed_out",
            Reason::ConnectionLost => "connection_lost",
            Reason::TooLarge => "too_large",
            Reason::ShuttingDown => "shutting_down",
            Reason::Refused => "refused",
        }
    }
}

/// How a record came back without having been acknowledged.
pub(super) struct Failed {
    /// librdkafka's error.
    pub(super) code: Code,
    /// What librdkafka knows of the record.
    pub(super) persistence: Persistence,
    /// Whether librdkafka may be wrong when it calls the record not persisted.
    pub(super) is_doubted: bool,
    /// Whether the service is at its end, and purges what is left.
    pub(super) is_stopping: bool,
}

impl Failed {
    /// What became of the record. The persistence status decides, not the error: the same
    /// `MessageTimedOut` comes for what was never sent and for what may be stored.
    pub(super) fn outcome(&self) -> Outcome {
        match (self.persistence, self.reported()) {
            (Persistence::RD_KAFKA_MSG_STATUS_PERSISTED, _) => Outcome::Stored(None),
            (_, Outcome::NotStored(_)) if self.is_doubted => self.named(self.possibly()),
            (_, outcome) => self.named(outcome),
        }
    }

    fn reported(&self) -> Outcome {
        match self.persistence {
            Persistence::RD_KAFKA_MSG_STATUS_NOT_PERSISTED => errors::not_persisted(self.code),
            _ => self.possibly(),
        }
    }

    fn possibly(&self) -> Outcome {
        errors::possibly_persisted(self.code)
    }

    /// The purge at the end of the service has another reason than that of a broken client.
    fn named(&self, outcome: Outcome) -> Outcome {
        let is_purge = matches!(self.code, Code::PurgeQueue | Code::PurgeInflight);
        match outcome {
            Outcome::NotStored(_) if is_purge && self.is_stopping => {
                Outcome::NotStored(Reason::ShuttingDown)
            }
            Outcome::Unknown(_) if is_purge && self.is_stopping => {
                Outcome::Unknown(Reason::ShuttingDown)
            }
            other => other,
        }
    }
}

impl Outcome {
    /// The outcome of a record that `rd_kafka_producev` did not take: it was never queued.
    pub(super) fn not_queued(code: Code) -> Outcome {
        match errors::not_persisted(code) {
            Outcome::NotStored(reason) | Outcome::Unknown(reason) => Outcome::NotStored(reason),
            Outcome::Stored(_) => Outcome::NotStored(Reason::Refused),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOT: Persistence = Persistence::RD_KAFKA_MSG_STATUS_NOT_PERSISTED;
    const POSSIBLY: Persistence = Persistence::RD_KAFKA_MSG_STATUS_POSSIBLY_PERSISTED;
    const PERSISTED: Persistence = Persistence::RD_KAFKA_MSG_STATUS_PERSISTED;

    fn failed(code: Code, persistence: Persistence) -> Failed {
        Failed { code, persistence, is_doubted: false, is_stopping: false }
    }

    #[test]
    fn the_persistence_status_decides_and_not_the_error() {
        let timed_out = |status| failed(Code::MessageTimedOut, status).outcome();
        assert_eq!(timed_out(NOT), Outcome::NotStored(Reason::KafkaUnavailable));
        assert_eq!(timed_out(POSSIBLY), Outcome::Unknown(Reason::TimedOut));
        assert_eq!(timed_out(PERSISTED), Outcome::Stored(None));
    }

    #[test]
    fn a_broken_connection_is_unknown_only_for_what_was_sent() {
        let lost = |status| failed(Code::BrokerTransportFailure, status).outcome();
        assert_eq!(lost(NOT), Outcome::NotStored(Reason::KafkaUnavailable));
        assert_eq!(lost(POSSIBLY), Outcome::Unknown(Reason::ConnectionLost));
    }

    #[test]
    fn an_error_that_may_follow_an_append_is_unknown_whatever_the_status() {
        for code in [Code::Unknown, Code::KafkaStorageError, Code::Underflow, Code::DestroyBroker] {
            let outcome = failed(code, NOT).outcome();
            assert!(matches!(outcome, Outcome::Unknown(_)), "{code}: {outcome:?}");
        }
    }

    #[test]
    fn what_may_have_been_appended_by_an_earlier_attempt_is_unknown() {
        for (code, reason) in [
            (Code::MessageTimedOut, Reason::TimedOut),
            (Code::TopicAuthorizationFailed, Reason::Refused),
        ] {
            let doubted = Failed { is_doubted: true, ..failed(code, NOT) };
            assert_eq!(doubted.outcome(), Outcome::Unknown(reason));
        }
    }

    #[test]
    fn a_purge_is_the_end_of_the_service_only_when_it_stops() {
        let purged = |is_stopping| Failed { is_stopping, ..failed(Code::PurgeQueue, NOT) };
        assert_eq!(purged(true).outcome(), Outcome::NotStored(Reason::ShuttingDown));
        assert_eq!(purged(false).outcome(), Outcome::NotStored(Reason::KafkaUnavailable));
        let in_flight = Failed { is_stopping: true, ..failed(Code::PurgeInflight, POSSIBLY) };
        assert_eq!(in_flight.outcome(), Outcome::Unknown(Reason::ShuttingDown));
    }

    #[test]
    fn what_was_never_queued_is_not_stored() {
        for (code, reason) in [
            (Code::QueueFull, Reason::BufferFull),
            (Code::MessageSizeTooLarge, Reason::TooLarge),
            (Code::TopicAuthorizationFailed, Reason::Refused),
            (Code::Fatal, Reason::KafkaUnavailable),
            (Code::Conflict, Reason::Refused),
        ] {
            assert_eq!(Outcome::not_queued(code), Outcome::NotStored(reason));
        }
    }
}
