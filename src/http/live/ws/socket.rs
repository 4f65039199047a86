//! A WebSocket whose client has only so long to take what it is sent.

use std::future::Future;
use std::time::Duration;

use axum::body::Bytes;
use futures_util::{SinkExt, StreamExt};
use hyper::upgrade::Upgraded;
use hyper_util::rt::TokioIo;
use tokio::sync::watch;
use tokio::time::{sleep, timeout};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Error;
use tokio_tungstenite::tungstenite::protocol::frame::Frame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::{Data, OpCode};
use tokio_tungstenite::tungstenite::protocol::{Message, Role, WebSocketConfig};

use super::close::{Close, Over};
use super::messages::Outgoing;

/// The largest message of a client.
pub(super) const MAX_MESSAGE: usize = 64 * 1024;
/// What is read at once of a connection.
const READ: usize = 4 * 1024;
/// Messages are gathered up to here before they are written.
const WRITE: usize = 16 * 1024;
/// The most bytes in one frame: a larger event goes in several, so that the buffer for what is
/// written never grows to the largest event.
const FRAME: usize = 16 * 1024;
/// How long a client has for the end of what it is sent, once that is at its end.
const LAST: Duration = Duration::from_secs(1);

pub(super) struct Socket {
    stream: WebSocketStream<TokioIo<Upgraded>>,
    /// How long the client may take for a piece.
    limit: Duration,
    closed: watch::Receiver<bool>,
}

impl Socket {
    pub(super) async fn new(
        upgraded: Upgraded,
        limit: Duration,
        closed: watch::Receiver<bool>,
    ) -> Self {
        let config = WebSocketConfig::default()
            .read_buffer_size(READ)
            .write_buffer_size(WRITE)
            // And some for the answers to pings.
            .max_write_buffer_size(WRITE + 4 * FRAME)
            .max_message_size(Some(MAX_MESSAGE))
            .max_frame_size(Some(MAX_MESSAGE));
        let io = TokioIo::new(upgraded);
        let stream = WebSocketStream::from_raw_socket(io, Role::Server, Some(config)).await;
        Socket { stream, limit, closed }
    }

    /// What the client says next. Can be dropped before it has come, and nothing is lost.
    pub(super) async fn next(&mut self) -> Result<Message, Over> {
        self.stream.next().await.unwrap_or(Err(Error::ConnectionClosed)).map_err(Over::from)
    }

    /// Writes a message, most often into the buffer.
    pub(super) async fn feed(&mut self, message: Outgoing) -> Result<(), Over> {
        for frame in frames(message) {
            let Socket { stream, limit, closed } = self;
            within(stream.feed(Message::Frame(frame)), *limit, closed).await?;
        }
        Ok(())
    }

    /// Asks the client whether it is there.
    pub(super) async fn ping(&mut self) -> Result<(), Over> {
        let Socket { stream, limit, closed } = self;
        within(stream.feed(Message::Ping(Bytes::new())), *limit, closed).await
    }

    /// Writes what is in the buffer.
    pub(super) async fn flush(&mut self) -> Result<(), Over> {
        let Socket { stream, limit, closed } = self;
        within(stream.flush(), *limit, closed).await
    }

    /// Ends the connection as it is to end, as far as the client goes along.
    pub(super) async fn end(mut self, over: Over) {
        let ends = async {
            if let Over::Close(close) = over {
                self.stream.send(Message::Close(Some(close.frame()))).await?;
            }
            // Closing with something unread would take away what was sent last.
            while self.stream.next().await.transpose()?.is_some() {}
            Ok::<_, Error>(())
        };
        if matches!(over, Over::Close(_) | Over::Goodbye)
            && timeout(LAST, ends).await.is_ok_and(|end| end.is_ok())
            && matches!(over, Over::Close(Close::Protocol | Close::TooLarge | Close::NotUtf8))
        {
            self.throw_away().await;
        }
    }

    /// What comes behind a fault is no message, and is to be read all the same.
    async fn throw_away(&mut self) {
        let mut rest = tokio::io::sink();
        let _ = timeout(LAST, tokio::io::copy(self.stream.get_mut(), &mut rest)).await;
    }
}

/// One frame, or several when it is large.
fn frames(message: Outgoing) -> Vec<Frame> {
    let frame = |bytes: Bytes, of: Data, is_last| Frame::message(bytes, OpCode::Data(of), is_last);
    let Outgoing { mut head, data, tail } = message;
    if head.len() + data.len() + tail.len() <= FRAME {
        head.extend_from_slice(&data);
        head.extend_from_slice(tail);
        return vec![frame(head.into(), Data::Text, true)];
    }
    let mut of = Data::Text;
    let pieces = pieces(head.into()).chain(pieces(data));
    let mut frames: Vec<_> = pieces
        .map(|piece| frame(piece, std::mem::replace(&mut of, Data::Continue), false))
        .collect();
    frames.push(frame(Bytes::from_static(tail), Data::Continue, true));
    frames
}

fn pieces(bytes: Bytes) -> impl Iterator<Item = Bytes> {
    let begins = (0..bytes.len()).step_by(FRAME);
    begins.map(move |begin| bytes.slice(begin..bytes.len().min(begin + FRAME)))
}

/// Waits for the client to take something, but not for long.
async fn within(
    taken: impl Future<Output = Result<(), Error>>,
    limit: Duration,
    closed: &mut watch::Receiver<bool>,
) -> Result<(), Over> {
    let is_late = async {
        // That the sender is gone says the same.
        let _ = closed.wait_for(|is_closed| *is_closed).await;
        sleep(LAST).await;
    };
    tokio::select! {
        biased;
        taken = taken => taken.map_err(Over::from),
        () = sleep(limit) => Err(Over::Stuck),
        () = is_late => Err(Over::Stuck),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_large_goes_in_frames_that_make_one_message() {
        for (head, data) in
            [(10, 0), (10, 5), (10, FRAME - 11), (10, FRAME), (2 * FRAME, 2 * FRAME + 1)]
        {
            let message = Outgoing {
                head: vec![b'h'; head],
                data: Bytes::from(vec![b'd'; data]),
                tail: b"}",
            };
            let frames = frames(message);
            let lengths = frames.iter().map(|frame| frame.payload().len());
            assert!(lengths.clone().all(|length| length <= FRAME));
            assert_eq!(lengths.sum::<usize>(), head + data + 1);
            for (index, frame) in frames.iter().enumerate() {
                let of = if index == 0 { Data::Text } else { Data::Continue };
                assert_eq!(frame.header().opcode, OpCode::Data(of));
                assert_eq!(frame.header().is_final, index + 1 == frames.len());
            }
            assert_eq!(frames.len() == 1, head + data < FRAME);
        }
    }
}
