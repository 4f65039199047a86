//! The labels of metrics, whose values are words of our own.

use prometheus_client::encoding::{EncodeLabelSet, EncodeLabelValue, LabelValueEncoder};

/// A label value that is a word of our own, never input.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Word(pub &'static str);

impl EncodeLabelValue for Word {
    fn encode(&self, encoder: &mut LabelValueEncoder<'_>) -> Result<(), std::fmt::Error> {
        self.0.encode(encoder)
    }
}

/// The labels of an answered request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct Request {
    /// The path of the API's description, or `other`.
    pub route: Word,
    /// The method, or `other`.
    pub method: Word,
    /// The status of the answer.
    pub status: u16,
}

/// The route of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct Route {
    /// The path of the API's description, or `other`.
    pub route: Word,
}

/// The labels of an event's outcome.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct EventOutcome {
    /// `stored`, `not_stored` or `unknown`.
    pub outcome: Word,
    /// Why, or `none`.
    pub reason: Word,
}

/// Why a notification was dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dropped {
    /// The queue was at its limit.
    QueueFull,
    /// Redis had failed, and was not tried.
    CircuitOpen,
    /// The pipeline failed: it may have been delivered.
    Failed,
    /// Redis refused it.
    Refused,
    /// The grace had ended.
    ShuttingDown,
}

impl Dropped {
    pub(super) const ALL: [Dropped; 5] = [
        Dropped::QueueFull,
        Dropped::CircuitOpen,
        Dropped::Failed,
        Dropped::Refused,
        Dropped::ShuttingDown,
    ];

    pub(super) fn labels(self) -> DropReason {
        let reason = match self {
            Dropped::QueueFull => "queue_full",
            Dropped::CircuitOpen => "circuit_open",
            Dropped::Failed => "failed",
            Dropped::Refused => "refused",
            Dropped::ShuttingDown => "shutting_down",
        };
        DropReason { reason: Word(reason) }
    }
}

/// The label of dropped notifications.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct DropReason {
    reason: Word,
}

/// How a scan ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ScanOutcome {
    /// It found what was asked for, or all that there is.
    Complete,
    /// It reached its bounds first.
    Unfinished,
    /// Retention had removed what was asked for.
    Removed,
    /// Kafka did not answer.
    Unavailable,
    /// It was refused, as too many were under way.
    Busy,
    /// Whoever asked had gone.
    Abandoned,
}

impl ScanOutcome {
    pub(super) const ALL: [ScanOutcome; 6] = [
        ScanOutcome::Complete,
        ScanOutcome::Unfinished,
        ScanOutcome::Removed,
        ScanOutcome::Unavailable,
        ScanOutcome::Busy,
        ScanOutcome::Abandoned,
    ];

    pub(super) fn labels(self) -> Scan {
        let outcome = match self {
            ScanOutcome::Complete => "complete",
            ScanOutcome::Unfinished => "unfinished",
            ScanOutcome::Removed => "removed",
            ScanOutcome::Unavailable => "unavailable",
            ScanOutcome::Busy => "busy",
            ScanOutcome::Abandoned => "abandoned",
        };
        Scan { outcome: Word(outcome) }
    }
}

/// The label of scans.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct Scan {
    outcome: Word,
}

/// The labels of looks into the reader's memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct LookUp {
    /// `event` or `recent`.
    read: Word,
    /// `hit` or `miss`.
    memory: Word,
}

impl LookUp {
    pub(super) fn new(read: &'static str, is_hit: bool) -> Self {
        LookUp { read: Word(read), memory: Word(if is_hit { "hit" } else { "miss" }) }
    }
}

/// How an event came to a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum By {
    /// As one of the recent ones that were asked for.
    Recent,
    /// Read of the log, as it was missing.
    Log,
    /// By the tail.
    Tail,
    /// As it was announced, before the tail had it.
    Early,
}

impl By {
    pub(super) const ALL: [By; 4] = [By::Recent, By::Log, By::Tail, By::Early];

    pub(super) fn labels(self) -> Delivery {
        let by = match self {
            By::Recent => "recent",
            By::Log => "log",
            By::Tail => "tail",
            By::Early => "early",
        };
        Delivery { by: Word(by) }
    }
}

/// The label of deliveries.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct Delivery {
    by: Word,
}

/// What became of something that was announced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Announced {
    /// Streams were told.
    Told,
    /// The tail had brought the event before.
    Late,
    /// No stream follows it.
    Unfollowed,
    /// Too much waits for those who follow it: the tail brings it.
    LeftOut,
    /// It is no notification of an event that may be there.
    Refused,
}

impl Announced {
    pub(super) const ALL: [Announced; 5] = [
        Announced::Told,
        Announced::Late,
        Announced::Unfollowed,
        Announced::LeftOut,
        Announced::Refused,
    ];

    pub(super) fn labels(self) -> Announcement {
        let outcome = match self {
            Announced::Told => "told",
            Announced::Late => "late",
            Announced::Unfollowed => "unfollowed",
            Announced::LeftOut => "left_out",
            Announced::Refused => "refused",
        };
        Announcement { outcome: Word(outcome) }
    }
}

/// The label of what was announced.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct Announcement {
    outcome: Word,
}

/// Why a stream ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// The client went.
    Client,
    /// The client did not take what came.
    Slow,
    /// The client answered nothing for too long.
    Silent,
    /// The client broke the protocol.
    Faulty,
    /// The service ends.
    ShuttingDown,
}

impl Ended {
    pub(super) const ALL: [Ended; 5] =
        [Ended::Client, Ended::Slow, Ended::Silent, Ended::Faulty, Ended::ShuttingDown];

    pub(super) fn labels(self, transport: Transport) -> EndReason {
        let reason = match self {
            Ended::Client => "client",
            Ended::Slow => "slow",
            Ended::Silent => "silent",
            Ended::Faulty => "faulty",
            Ended::ShuttingDown => "shutting_down",
        };
        EndReason { transport: transport.word(), reason: Word(reason) }
    }
}

/// The labels of streams that ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct EndReason {
    transport: Word,
    reason: Word,
}

/// How a stream comes to its client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transport {
    /// By Server-Sent Events.
    Sse,
    /// Over a WebSocket.
    WebSocket,
}

impl Transport {
    pub(super) const ALL: [Transport; 2] = [Transport::Sse, Transport::WebSocket];

    fn word(self) -> Word {
        Word(match self {
            Transport::Sse => "sse",
            Transport::WebSocket => "websocket",
        })
    }

    pub(super) fn labels(self) -> StreamLabels {
        StreamLabels { transport: self.word() }
    }
}

/// The label of open streams.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct StreamLabels {
    transport: Word,
}
