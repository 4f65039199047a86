//! Why following ends, or waits.

use rdkafka::error::{KafkaError, RDKafkaErrorCode};

use crate::position::Position;

/// What is in the way.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FollowError {
    /// Kafka does not answer, or cannot do what it will be able to do later.
    #[error(
        "Kafka does not answer ({0}); see that it runs, and that kafka.brokers and kafka.options \
         are right"
    )]
    Away(String),
    /// There is no such topic.
    #[error(
        "there is no topic `{0}`; name another one by kafka.topic, or start the service, which \
         makes it"
    )]
    NoTopic(String),
    /// A partition cannot be read now.
    #[error("partition {0} has no leader: the brokers that hold it are away")]
    NoLeader(i32),
    /// What comes after the position has been removed.
    #[error(
        "the log no longer holds what comes after {after}: it begins at {partition}-{earliest} \
         now; to go on without what is missing, leave {after} out of the position"
    )]
    Removed {
        /// What the position says of the partition.
        after: Position,
        /// The partition.
        partition: i32,
        /// The first offset that it still has.
        earliest: i64,
    },
    /// The position lies behind the end.
    #[error(
        "the log has not come to {partition}-{offset}: partition {partition} ends before {end}; \
         the position is of another topic, or the topic has been made anew"
    )]
    Beyond {
        /// The partition.
        partition: i32,
        /// Its offset in the position.
        offset: i64,
        /// The offset that its next record will have.
        end: i64,
    },
    /// Kafka refuses, or librdkafka does.
    #[error("{0}")]
    Refused(String),
}

impl FollowError {
    /// Whether trying again may help.
    pub fn may_pass(&self) -> bool {
        matches!(self, Self::Away(_) | Self::NoTopic(_) | Self::NoLeader(_))
    }
}

impl From<KafkaError> for FollowError {
    fn from(error: KafkaError) -> Self {
        use RDKafkaErrorCode as Code;
        let mend = match error.rdkafka_error_code() {
            Some(Code::TopicAuthorizationFailed) => "allow this user to read the topic",
            Some(Code::GroupAuthorizationFailed) => "allow this user to read in the group",
            Some(Code::ClusterAuthorizationFailed) => "allow this user to use the cluster",
            Some(
                Code::Authentication
                | Code::SaslAuthenticationFailed
                | Code::UnsupportedSASLMechanism,
            ) => "mend the credentials in kafka.options",
            Some(Code::InvalidGroupId) => "name another group",
            Some(Code::InconsistentGroupProtocol) => {
                "the group's other members place partitions otherwise: name another group, or set \
                 partition.assignment.strategy in kafka.options as they have it"
            }
            Some(Code::Fatal | Code::FencedInstanceId) => "start it again",
            _ if matches!(error, KafkaError::MessageConsumptionFatal(_)) => "start it again",
            _ => return FollowError::Away(error.to_string()),
        };
        FollowError::Refused(format!("{error}; {mend}"))
    }
}
