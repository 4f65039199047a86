//! What is known of a record after it was handed to librdkafka.

use rdkafka::bindings::rd_kafka_msg_status_t as Persistence;
use rdkafka::error::RDKafkaErrorCode as Code;

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
    /// The broker refused the record for another reason (authorisation, policy, topic).
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

impl Outcome {
    /// The outcome of a record that `rd_kafka_producev` did not take: it was never queued.
    pub(super) fn not_queued(code: Code) -> Outcome {
        Outcome::NotStored(reason(code, Persistence::RD_KAFKA_MSG_STATUS_NOT_PERSISTED, false))
    }

    /// The outcome of a record whose delivery failed. The persistence status decides, not the
    /// error: the same `MessageTimedOut` comes for what was never sent and for what may be stored.
    /// `stopping` tells the purge at the end of the service from that of a broken client.
    pub(super) fn of_failure(code: Code, persistence: Persistence, stopping: bool) -> Outcome {
        match persistence {
            Persistence::RD_KAFKA_MSG_STATUS_PERSISTED => Outcome::Stored(None),
            Persistence::RD_KAFKA_MSG_STATUS_NOT_PERSISTED => {
                Outcome::NotStored(reason(code, persistence, stopping))
            }
            Persistence::RD_KAFKA_MSG_STATUS_POSSIBLY_PERSISTED => {
                Outcome::Unknown(reason(code, persistence, stopping))
            }
        }
    }
}

fn reason(code: Code, persistence: Persistence, stopping: bool) -> Reason {
    let sent = persistence == Persistence::RD_KAFKA_MSG_STATUS_POSSIBLY_PERSISTED;
    match code {
        Code::QueueFull => Reason::BufferFull,
        Code::MessageSizeTooLarge | Code::InvalidMessageSize => Reason::TooLarge,
        Code::PurgeQueue | Code::PurgeInflight if stopping => Reason::ShuttingDown,
        // What a fatal error leaves behind.
        Code::PurgeQueue => Reason::KafkaUnavailable,
        Code::PurgeInflight => Reason::ConnectionLost,
        Code::MessageTimedOut | Code::RequestTimedOut | Code::OperationTimedOut if sent => {
            Reason::TimedOut
        }
        Code::BrokerTransportFailure | Code::NetworkException | Code::AllBrokersDown if sent => {
            Reason::ConnectionLost
        }
        Code::MessageTimedOut
        | Code::RequestTimedOut
        | Code::OperationTimedOut
        | Code::BrokerTransportFailure
        | Code::NetworkException
        | Code::AllBrokersDown
        | Code::LeaderNotAvailable
        | Code::NotLeaderForPartition
        | Code::NotEnoughReplicas
        | Code::NotEnoughReplicasAfterAppend => Reason::KafkaUnavailable,
        _ => Reason::Refused,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOT: Persistence = Persistence::RD_KAFKA_MSG_STATUS_NOT_PERSISTED;
    const POSSIBLY: Persistence = Persistence::RD_KAFKA_MSG_STATUS_POSSIBLY_PERSISTED;
    const PERSISTED: Persistence = Persistence::RD_KAFKA_MSG_STATUS_PERSISTED;

    #[test]
    fn the_persistence_status_decides_and_not_the_error() {
        let timed_out = |status| Outcome::of_failure(Code::MessageTimedOut, status, false);
        assert_eq!(timed_out(NOT), Outcome::NotStored(Reason::KafkaUnavailable));
        assert_eq!(timed_out(POSSIBLY), Outcome::Unknown(Reason::TimedOut));
        assert_eq!(timed_out(PERSISTED), Outcome::Stored(None));
    }

    #[test]
    fn a_broken_connection_is_unknown_only_for_what_was_sent() {
        let lost = |status| Outcome::of_failure(Code::BrokerTransportFailure, status, false);
        assert_eq!(lost(NOT), Outcome::NotStored(Reason::KafkaUnavailable));
        assert_eq!(lost(POSSIBLY), Outcome::Unknown(Reason::ConnectionLost));
    }

    #[test]
    fn a_purge_is_the_end_of_the_service_only_when_it_stops() {
        let purged = |stopping| Outcome::of_failure(Code::PurgeQueue, NOT, stopping);
        assert_eq!(purged(true), Outcome::NotStored(Reason::ShuttingDown));
        assert_eq!(purged(false), Outcome::NotStored(Reason::KafkaUnavailable));
    }

    #[test]
    fn what_was_never_queued_is_not_stored() {
        for (code, reason) in [
            (Code::QueueFull, Reason::BufferFull),
            (Code::MessageSizeTooLarge, Reason::TooLarge),
            (Code::TopicAuthorizationFailed, Reason::Refused),
        ] {
            assert_eq!(Outcome::not_queued(code), Outcome::NotStored(reason));
        }
    }
}
