//! One keep-alive connection: a request is written whole, an answer is read to its end.

use anyhow::{Context, Result, bail};
use bytes::{Buf, BytesMut};
use httparse::Status;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

const MAX_HEADERS: usize = 32;

pub struct Connection {
    stream: TcpStream,
    received: BytesMut,
}

enum Body {
    Bytes(usize),
    Chunks,
}

impl Connection {
    pub async fn open(address: &str) -> Result<Self> {
        let stream = TcpStream::connect(address).await.context("cannot connect")?;
        stream.set_nodelay(true)?;
        Ok(Connection { stream, received: BytesMut::with_capacity(16 * 1024) })
    }

    /// Sends a request and returns the status of its answer.
    pub async fn ask(&mut self, request: &[u8]) -> Result<u16> {
        self.stream.write_all(request).await?;
        let (status, body) = self.head().await?;
        match body {
            Body::Bytes(length) => self.skip(length).await?,
            Body::Chunks => self.skip_chunks().await?,
        }
        Ok(status)
    }

    /// Sends a request and shows each piece of its answer's body.
    pub async fn read(&mut self, request: &[u8], mut see: impl FnMut(&[u8])) -> Result<u16> {
        self.stream.write_all(request).await?;
        let (status, body) = self.head().await?;
        match body {
            Body::Bytes(length) => self.show(length, &mut see).await?,
            Body::Chunks => self.show_chunks(&mut see).await?,
        }
        Ok(status)
    }

    async fn show(&mut self, mut length: usize, see: &mut impl FnMut(&[u8])) -> Result<()> {
        while length > 0 {
            if self.received.is_empty() {
                self.receive().await?;
            }
            let here = length.min(self.received.len());
            see(&self.received[..here]);
            self.received.advance(here);
            length -= here;
        }
        Ok(())
    }

    async fn show_chunks(&mut self, see: &mut impl FnMut(&[u8])) -> Result<()> {
        loop {
            match httparse::parse_chunk_size(&self.received) {
                Ok(Status::Complete((head, size))) => {
                    self.skip(head).await?;
                    self.show(size as usize, see).await?;
                    self.skip(2).await?;
                    if size == 0 {
                        return Ok(());
                    }
                }
                Ok(Status::Partial) => self.receive().await?,
                Err(_) => bail!("the size of a chunk cannot be read"),
            }
        }
    }

    async fn head(&mut self) -> Result<(u16, Body)> {
        loop {
            if let Some((length, status, body)) = parse_head(&self.received)? {
                self.received.advance(length);
                return Ok((status, body));
            }
            self.receive().await?;
        }
    }

    async fn skip(&mut self, mut length: usize) -> Result<()> {
        loop {
            let here = length.min(self.received.len());
            self.received.advance(here);
            length -= here;
            if length == 0 {
                return Ok(());
            }
            self.receive().await?;
        }
    }

    async fn skip_chunks(&mut self) -> Result<()> {
        loop {
            match httparse::parse_chunk_size(&self.received) {
                Ok(Status::Complete((head, size))) => {
                    // With the line's end behind the chunk; trailers are not expected.
                    self.skip(head + size as usize + 2).await?;
                    if size == 0 {
                        return Ok(());
                    }
                }
                Ok(Status::Partial) => self.receive().await?,
                Err(_) => bail!("the size of a chunk cannot be read"),
            }
        }
    }

    async fn receive(&mut self) -> Result<()> {
        self.received.reserve(64 * 1024);
        if self.stream.read_buf(&mut self.received).await? == 0 {
            bail!("the connection was closed");
        }
        Ok(())
    }
}

/// The head's length, the status and the form of the body, once the head is complete.
fn parse_head(bytes: &[u8]) -> Result<Option<(usize, u16, Body)>> {
    let mut headers = [httparse::EMPTY_HEADER; MAX_HEADERS];
    let mut response = httparse::Response::new(&mut headers);
    let Status::Complete(length) = response.parse(bytes)? else { return Ok(None) };
    let status = response.code.unwrap_or_default();
    let mut body = Body::Bytes(0);
    for header in response.headers.iter() {
        if header.name.eq_ignore_ascii_case("content-length") {
            body = Body::Bytes(std::str::from_utf8(header.value)?.trim().parse()?);
        } else if header.name.eq_ignore_ascii_case("transfer-encoding") {
            body = Body::Chunks;
        }
    }
    Ok(Some((length, status, body)))
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpListener;

    use super::*;

    async fn statuses(answers: &'static [&'static str]) -> Vec<u16> {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            for answer in answers {
                stream.read_exact(&mut [0]).await.unwrap();
                stream.write_all(answer.as_bytes()).await.unwrap();
            }
        });
        let mut connection = Connection::open(&address).await.unwrap();
        let mut statuses = Vec::new();
        for _ in answers {
            statuses.push(connection.ask(b"?").await.unwrap());
        }
        statuses
    }

    #[tokio::test]
    async fn answers_of_every_form_are_read_to_their_end() {
        let answers = &[
            "HTTP/1.1 201 Created\r\nContent-Length: 2\r\n\r\n{}",
            "HTTP/1.1 201 Created\r\ntransfer-encoding: chunked\r\n\r\n2\r\n{}\r\n1\r\n \r\n0\r\n\r\n",
            "HTTP/1.1 503 Service Unavailable\r\ncontent-length: 0\r\n\r\n",
        ];
        assert_eq!(statuses(answers).await, [201, 201, 503]);
    }
}
