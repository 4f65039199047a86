//! Why a connection is closed: the codes of RFC 6455, section 7.4, and two of our own.

use tokio_tungstenite::tungstenite::protocol::frame::CloseFrame;
use tokio_tungstenite::tungstenite::{Error, error::ProtocolError};

use crate::metrics::Ended;

/// Why we close it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Close {
    /// The service ends: go on elsewhere.
    ShuttingDown,
    /// What came is no WebSocket.
    Protocol,
    /// A message is binary.
    Binary,
    /// A text is not UTF-8.
    NotUtf8,
    /// One message after the other was wrong.
    Faulty,
    /// A message is too large.
    TooLarge,
    /// The client does not take what comes.
    Slow,
    /// The client answers nothing.
    Silent,
}

/// How a session ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Over {
    /// We close it.
    Close(Close),
    /// The client closes it.
    Goodbye,
    /// The connection is gone.
    Gone,
    /// Nothing that is sent gets through.
    Stuck,
}

impl Close {
    /// What the client is told.
    pub(super) fn frame(self) -> CloseFrame {
        let (code, reason): (u16, _) = match self {
            Close::ShuttingDown => (1001, "shutting_down"),
            Close::Protocol => (1002, "protocol_error"),
            Close::Binary => (1003, "binary_message"),
            Close::NotUtf8 => (1007, "invalid_utf8"),
            Close::Faulty => (1008, "too_many_faults"),
            Close::TooLarge => (1009, "message_too_large"),
            Close::Slow => (4000, "slow"),
            Close::Silent => (4001, "silent"),
        };
        CloseFrame { code: code.into(), reason: reason.into() }
    }
}

impl Over {
    /// The same for the metrics.
    pub(super) fn ended(self) -> Ended {
        match self {
            Over::Close(Close::ShuttingDown) => Ended::ShuttingDown,
            Over::Close(Close::Slow) | Over::Stuck => Ended::Slow,
            Over::Close(Close::Silent) => Ended::Silent,
            Over::Close(_) => Ended::Faulty,
            Over::Goodbye | Over::Gone => Ended::Client,
        }
    }
}

impl From<Error> for Over {
    fn from(error: Error) -> Self {
        match error {
            Error::Capacity(_) => Over::Close(Close::TooLarge),
            Error::Utf8(_) => Over::Close(Close::NotUtf8),
            Error::Protocol(ProtocolError::ResetWithoutClosingHandshake) => Over::Gone,
            Error::Protocol(_) => Over::Close(Close::Protocol),
            // Even the answers to its pings have no more room.
            Error::WriteBufferFull(_) => Over::Stuck,
            // The connection has a limit of its own for a write.
            Error::Io(error) if error.kind() == std::io::ErrorKind::TimedOut => Over::Stuck,
            _ => Over::Gone,
        }
    }
}
