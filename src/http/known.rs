//! A connection whose protocol is known before it is read.

use std::io::{IoSlice, Result};
use std::pin::Pin;
use std::task::{Context, Poll};

use hyper::rt::{Read, ReadBufCursor, Write};

/// Spares hyper to find out that it is HTTP/1. For that it would read the first 24 bytes of a
/// request by themselves, and have its buffer grow to twice the size for those that follow, which
/// are 8 KiB of memory a connection. An empty first read tells it the same.
pub(super) struct Known<T> {
    stream: T,
    is_http1: bool,
}

impl<T> Known<T> {
    pub(super) fn new(stream: T, is_http1: bool) -> Self {
        Known { stream, is_http1 }
    }

    fn stream(self: Pin<&mut Self>) -> Pin<&mut T>
    where
        T: Unpin,
    {
        Pin::new(&mut self.get_mut().stream)
    }
}

impl<T: Read + Unpin> Read for Known<T> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: ReadBufCursor<'_>,
    ) -> Poll<Result<()>> {
        if std::mem::take(&mut self.is_http1) {
            return Poll::Ready(Ok(()));
        }
        self.stream().poll_read(context, buffer)
    }
}

impl<T: Write + Unpin> Write for Known<T> {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<Result<usize>> {
        self.stream().poll_write(context, bytes)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        parts: &[IoSlice<'_>],
    ) -> Poll<Result<usize>> {
        self.stream().poll_write_vectored(context, parts)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<()>> {
        self.stream().poll_flush(context)
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<()>> {
        self.stream().poll_shutdown(context)
    }
}
