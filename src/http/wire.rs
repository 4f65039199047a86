//! The bytes of a connection, and whether anybody is at the other end.
//!
//! A client may say that it sends no more and wait for its answer, so the end of what it says is not
//! the end of the connection. But an answer without an end is waited for by nobody who has closed:
//! while one is under way, the end of what the client says ends the connection.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use futures_util::FutureExt;
use tokio::io::{AsyncRead, AsyncWrite, Interest, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio_io_timeout::TimeoutStream;

/// Knows whether an answer without an end is under way on a connection.
#[derive(Clone, Default)]
pub(super) struct Endless(Arc<AtomicUsize>);

/// Such an answer, until it is dropped.
pub(super) struct UnderWay(Endless);

impl Endless {
    pub(super) fn begin(&self) -> UnderWay {
        self.0.fetch_add(1, Ordering::Relaxed);
        UnderWay(self.clone())
    }

    fn is_under_way(&self) -> bool {
        self.0.load(Ordering::Relaxed) > 0
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.0.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// A connection whose client has only so long to take what is written.
pub(super) struct Wire {
    stream: Pin<Box<TimeoutStream<TcpStream>>>,
    endless: Endless,
    /// Whether the first read brings nothing. It spares hyper to find out that this is HTTP/1: for
    /// that it would read the first 24 bytes of a request by themselves, and have its buffer grow to
    /// twice the size for those that follow, which are 8 KiB of memory a connection.
    is_known: bool,
    /// Whether something came behind the request for an answer without an end.
    has_more: bool,
}

impl Wire {
    pub(super) fn new(stream: TcpStream, write_timeout: Duration, endless: Endless) -> Self {
        let mut stream = Box::pin(TimeoutStream::new(stream));
        stream.as_mut().set_write_timeout_pinned(Some(write_timeout));
        Wire { stream, endless, is_known: false, has_more: false }
    }

    /// Over HTTP/1, and nothing else.
    pub(super) fn known_as_http1(self, is_http1: bool) -> Self {
        Wire { is_known: is_http1, ..self }
    }

    /// Looks whether the client is there, and has the task woken when it says something or goes.
    ///
    /// # Errors
    /// It has gone.
    fn look(&mut self, context: &mut Context<'_>) -> io::Result<()> {
        let stream = self.stream.as_ref().get_ref().get_ref();
        let mut byte = [0];
        while let Poll::Ready(peeked) = stream.poll_peek(context, &mut ReadBuf::new(&mut byte)) {
            if peeked? == 0 || is_at_its_end(stream) {
                return Err(io::ErrorKind::ConnectionAborted.into());
            }
            // It stays where it is. What comes behind it wakes the task all the same.
            self.has_more = true;
            let _ = stream.try_io(Interest::READABLE, none_is_read);
        }
        Ok(())
    }
}

/// Has the system give up connections of a listener whose clients have not acknowledged anything that
/// was sent for so long: when the network is gone nobody says so.
#[cfg(target_os = "linux")]
pub(super) fn give_up_after(listener: &TcpListener, limit: Duration) -> io::Result<()> {
    // What is accepted inherits it.
    socket2::SockRef::from(listener).set_tcp_user_timeout(Some(limit))
}

#[cfg(not(target_os = "linux"))]
pub(super) fn give_up_after(_: &TcpListener, _: Duration) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

/// Whether the system knows that nothing more comes than what is unread.
fn is_at_its_end(stream: &TcpStream) -> bool {
    let ready = stream.ready(Interest::READABLE).now_or_never();
    ready.is_some_and(|ready| ready.is_ok_and(|ready| ready.is_read_closed()))
}

fn none_is_read() -> io::Result<()> {
    Err(io::ErrorKind::WouldBlock.into())
}

impl AsyncRead for Wire {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if std::mem::take(&mut self.is_known) {
            return Poll::Ready(Ok(()));
        }
        if self.has_more {
            // The system does not tell twice that it is there: the connection ends with its answer.
            return Poll::Ready(Ok(()));
        }
        self.stream.as_mut().poll_read(context, buffer)
    }
}

impl AsyncWrite for Wire {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.stream.as_mut().poll_write(context, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        pieces: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.stream.as_mut().poll_write_vectored(context, pieces)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    /// hyper does so whenever it is woken and nothing is left to be written.
    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.endless.is_under_way() {
            self.look(context)?;
        }
        self.stream.as_mut().poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.stream.as_mut().poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::time::timeout;

    use super::*;

    const PATIENCE: Duration = Duration::from_secs(30);

    /// A connection, and its client.
    async fn connected() -> (Wire, Endless, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let endless = Endless::default();
        let (stream, _) = listener.accept().await.unwrap();
        (Wire::new(stream, PATIENCE, endless.clone()), endless, client)
    }

    /// Waits until there is something to be read, however it came.
    async fn told(wire: &Wire) {
        wire.stream.as_ref().get_ref().get_ref().readable().await.unwrap();
    }

    /// Waits as hyper does until the connection fails.
    async fn fails(wire: &mut Wire) {
        let failed =
            std::future::poll_fn(|context| match Pin::new(&mut *wire).poll_flush(context) {
                Poll::Ready(Err(error)) => Poll::Ready(error.kind()),
                _ => Poll::Pending,
            });
        let kind = timeout(PATIENCE, failed).await.expect("it fails in time");
        let expected = [io::ErrorKind::ConnectionAborted, io::ErrorKind::ConnectionReset];
        assert!(expected.contains(&kind), "{kind}");
    }

    #[tokio::test]
    async fn a_client_that_goes_is_noticed_while_an_answer_has_no_end() {
        for goes in [drop::<TcpStream>, |client: TcpStream| client.set_zero_linger().unwrap()] {
            let (mut wire, endless, client) = connected().await;
            let _answer = endless.begin();
            wire.flush().await.unwrap();
            goes(client);
            fails(&mut wire).await;
        }
    }

    #[tokio::test]
    async fn one_that_waits_for_an_answer_with_an_end_may_send_no_more() {
        let (mut wire, endless, mut client) = connected().await;
        drop(endless.begin());
        client.shutdown().await.unwrap();
        told(&wire).await;
        wire.flush().await.unwrap();
        assert_eq!(wire.read(&mut [0; 8]).await.unwrap(), 0);
        wire.write_all(b"answer").await.unwrap();
        drop(wire);
        let mut text = String::new();
        client.read_to_string(&mut text).await.unwrap();
        assert_eq!(text, "answer");
    }

    #[tokio::test]
    async fn what_else_it_says_is_no_end_and_hides_none() {
        let (mut wire, endless, mut client) = connected().await;
        let answer = endless.begin();
        for _ in 0..2 {
            client.write_all(b"more").await.unwrap();
            told(&wire).await;
            wire.flush().await.unwrap();
            // Nor does it wake the task over and over.
            assert!(told(&wire).now_or_never().is_none() && wire.has_more);
        }
        client.shutdown().await.unwrap();
        fails(&mut wire).await;
        drop(answer);
        assert_eq!(wire.read(&mut [0; 8]).await.unwrap(), 0);
    }
}
