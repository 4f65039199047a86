//! One bare HTTP/1.1 connection, so that a test knows what was sent on it and how it ended.

use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper::{Request, StatusCode};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::TcpStream;
use tokio::time::timeout;

/// Longer than the service may take at its defaults: whoever waits longer met a hang.
const PATIENCE: Duration = Duration::from_secs(30);

pub struct Connection {
    sender: SendRequest<Full<Bytes>>,
}

/// An answer, read whole.
pub struct Answer {
    pub status: StatusCode,
    pub retry_after: Option<u32>,
    pub body: Value,
}

impl Connection {
    pub async fn open(address: &str) -> Option<Self> {
        let stream = TcpStream::connect(address).await.ok()?;
        stream.set_nodelay(true).ok()?;
        let (sender, connection) = handshake(TokioIo::new(stream)).await.ok()?;
        tokio::spawn(connection);
        Some(Connection { sender })
    }

    /// Whether a request can be sent now: the other side has not closed.
    pub async fn is_open(&mut self) -> bool {
        self.sender.ready().await.is_ok()
    }

    /// Posts JSON. None when the connection ended before the whole answer was there.
    pub async fn post(&mut self, path: &str, json: Bytes) -> Option<Answer> {
        let request = Request::post(path)
            .header("host", "localhost")
            .header("content-type", "application/json")
            .body(Full::new(json))
            .expect("a request");
        let answer = timeout(PATIENCE, self.answer(request)).await;
        answer.expect("an answer within the service's own limits of time")
    }

    async fn answer(&mut self, request: Request<Full<Bytes>>) -> Option<Answer> {
        let response = self.sender.send_request(request).await.ok()?;
        let (head, body) = response.into_parts();
        let body = body.collect().await.ok()?.to_bytes();
        let retry_after = head.headers.get("retry-after");
        Some(Answer {
            status: head.status,
            retry_after: retry_after.and_then(|value| value.to_str().ok()?.parse().ok()),
            body: serde_json::from_slice(&body).expect("JSON"),
        })
    }
}
