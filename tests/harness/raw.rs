//! A connection without an HTTP client, for requests that no client would send.

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::PATIENCE;

pub struct Raw {
    pub stream: TcpStream,
}

impl Raw {
    pub async fn connect(address: &str) -> Self {
        Raw { stream: TcpStream::connect(address).await.expect("a connection") }
    }

    /// Sends the head of a POST of JSON with one more header.
    pub async fn post(address: &str, path: &str, header: &str) -> Self {
        let mut raw = Self::connect(address).await;
        let head = format!(
            "POST {path} HTTP/1.1\r\nHost: h\r\nContent-Type: application/json\r\n{header}\r\n\r\n"
        );
        raw.send(head).await;
        raw
    }

    pub async fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.try_send(bytes).await.expect("it is taken");
    }

    pub async fn try_send(&mut self, bytes: impl AsRef<[u8]>) -> std::io::Result<()> {
        timeout(PATIENCE, self.stream.write_all(bytes.as_ref())).await.expect("taken in time")
    }

    /// Reads until this has come, and gives all that came.
    pub async fn read_until(&mut self, text: &str) -> String {
        let mut read = Vec::new();
        while !String::from_utf8_lossy(&read).contains(text) {
            let more = timeout(PATIENCE, self.stream.read_buf(&mut read)).await;
            let more = more.expect("something in time").expect("no error");
            assert!(more > 0, "it ended after {}", String::from_utf8_lossy(&read));
        }
        String::from_utf8_lossy(&read).into_owned()
    }

    /// Reads until the service closes the connection.
    pub async fn read_to_end(&mut self) -> String {
        let mut read = Vec::new();
        // A reset is an end, too.
        let end = timeout(PATIENCE, self.stream.read_to_end(&mut read)).await;
        let _ = end.expect("an end in time");
        String::from_utf8_lossy(&read).into_owned()
    }

    /// Goes without a goodbye: the service gets a reset.
    pub fn reset(self) {
        self.stream.set_zero_linger().expect("an option of every socket");
    }
}

/// As many bytes as one chunk of a body without a length.
pub fn chunk(bytes: usize) -> String {
    format!("{bytes:x}\r\n{}\r\n", " ".repeat(bytes))
}

/// Time for a sender to be slow in. No test waits by it.
pub async fn dawdle(time: Duration) {
    tokio::time::sleep(time).await;
}
