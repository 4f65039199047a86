//! A client of streams: Server-Sent Events as a browser reads them.

use std::collections::VecDeque;
use std::io;
use std::pin::Pin;
use std::time::Duration;

use bytes::Bytes;
use futures_util::{Stream, StreamExt};
use http_body_util::{BodyExt, Empty};
use hyper_util::rt::TokioIo;
use reqwest::header::{ACCEPT, HeaderMap};
use reqwest::{Method, RequestBuilder, StatusCode};
use serde_json::Value;
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::timeout;

use super::{Client, PATIENCE};

/// Something that was dispatched.
#[derive(Clone, Debug, PartialEq)]
pub struct Message {
    pub name: String,
    pub data: Value,
    /// The data as it came.
    pub text: String,
    /// Whether it had an `id:` of its own.
    pub has_id: bool,
    /// What the client would send as `Last-Event-ID` after it.
    pub last_id: String,
}

/// The name of what is not dispatched, since it has no data: a heartbeat.
pub const BEAT: &str = "beat";

/// The size of a small buffer: what the system doubles, and what its least is.
const SMALL: u32 = 4096;

impl Message {
    pub fn cursor(&self) -> String {
        self.data["cursor"].as_str().unwrap_or_else(|| panic!("no cursor: {self:?}")).to_owned()
    }
}

type Pieces = Pin<Box<dyn Stream<Item = Result<Bytes, String>> + Send>>;

/// Why there is no stream: the status, or none when there was no answer.
pub type Refused = Option<StatusCode>;

/// An open stream.
pub struct Events {
    pub headers: HeaderMap,
    pub version: reqwest::Version,
    pieces: Pieces,
    text: Vec<u8>,
    ready: VecDeque<Message>,
    pub last_id: String,
    pub retry: Option<u64>,
    /// Lines that were comments.
    pub comments: usize,
}

impl Client {
    /// Opens a stream, and waits for its first event, which says that it is ready.
    pub async fn stream(&self, query: &str) -> Events {
        self.open(self.request(Method::GET, &format!("/events/stream{query}"))).await
    }

    /// The same as a client that comes again.
    pub async fn resume(&self, query: &str, last_id: &str) -> Events {
        let request = self.request(Method::GET, &format!("/events/stream{query}"));
        self.open(request.header("last-event-id", last_id)).await
    }

    pub async fn open(&self, request: RequestBuilder) -> Events {
        let mut events = Self::try_open(request).await.expect("a stream");
        let first = events.next().await;
        assert_eq!(first.name, "ready", "{first:?}");
        assert_eq!(first.data["position"], first.last_id);
        events
    }

    /// Opens a stream, if there is one, and waits for nothing of it.
    pub async fn try_open(request: RequestBuilder) -> Result<Events, Refused> {
        let response =
            request.header(ACCEPT, "text/event-stream").send().await.map_err(|_| None)?;
        if response.status() != StatusCode::OK {
            return Err(Some(response.status()));
        }
        let (headers, version) = (response.headers().clone(), response.version());
        let pieces = response.bytes_stream().map(|piece| piece.map_err(|error| error.to_string()));
        Ok(Events::new(headers, version, Box::pin(pieces)))
    }

    /// A connection with little room for what is not read yet.
    pub async fn connect_narrow(&self) -> io::Result<TcpStream> {
        let socket = TcpSocket::new_v4().expect("a socket");
        socket.set_recv_buffer_size(SMALL).expect("a small buffer");
        socket.connect(self.address.parse().expect("an address")).await
    }

    /// The same over a connection of its own with little room for what is not read yet.
    pub async fn try_open_narrow(&self, path: &str, last_id: &str) -> Result<Events, Refused> {
        let stream = self.connect_narrow().await.map_err(|_| None)?;
        let mut http = hyper::client::conn::http1::Builder::new();
        let handshake = http.max_buf_size(2 * SMALL as usize).handshake(TokioIo::new(stream));
        let (mut sender, connection) = handshake.await.map_err(|_| None)?;
        tokio::spawn(connection);
        let request = hyper::Request::get(path)
            .header("host", "localhost")
            .header("accept", "text/event-stream")
            .header("last-event-id", last_id)
            .body(Empty::<Bytes>::new())
            .expect("a request");
        let response = sender.send_request(request).await.map_err(|_| None)?;
        let (head, body) = response.into_parts();
        if head.status != StatusCode::OK {
            return Err(Some(head.status));
        }
        let pieces = body.into_data_stream().map(|piece| piece.map_err(|error| error.to_string()));
        Ok(Events::new(head.headers, head.version, Box::pin(pieces)))
    }
}

impl Events {
    fn new(headers: HeaderMap, version: reqwest::Version, pieces: Pieces) -> Self {
        Events {
            headers,
            version,
            pieces,
            text: Vec::new(),
            ready: VecDeque::new(),
            last_id: String::new(),
            retry: None,
            comments: 0,
        }
    }

    /// What comes next.
    pub async fn next(&mut self) -> Message {
        self.next_or_end().await.expect("something, and not the end")
    }

    /// The same, or none at the end.
    pub async fn next_or_end(&mut self) -> Option<Message> {
        timeout(PATIENCE, self.read()).await.expect("something in time")
    }

    /// What comes within this time, if anything does.
    pub async fn next_within(&mut self, limit: Duration) -> Option<Message> {
        timeout(limit, self.read()).await.ok().flatten()
    }

    /// The cursors of the next so many events.
    pub async fn cursors(&mut self, count: usize) -> Vec<String> {
        let mut cursors = Vec::with_capacity(count);
        while cursors.len() < count {
            let message = self.next().await;
            assert_eq!(message.name, "message", "{message:?} after {}", cursors.len());
            cursors.push(message.cursor());
        }
        cursors
    }

    /// Reads until the position has come to this event, as it does soon after the event has come.
    pub async fn confirmed(&mut self, cursor: &str) {
        let (partition, offset) = parts(cursor);
        let is_there = |id: &str| {
            id.split(',').any(|part| {
                part.contains('-') && parts(part).0 == partition && parts(part).1 >= offset
            })
        };
        while !is_there(&self.last_id) {
            let piece = timeout(PATIENCE, self.pieces.next()).await.expect("something in time");
            self.take(&piece.expect("not the end").expect("no cut"));
        }
    }

    /// Reads until a heartbeat has come.
    pub async fn beat(&mut self) {
        let before = self.comments;
        while self.comments == before {
            let piece = timeout(PATIENCE, self.pieces.next()).await.expect("something in time");
            self.take(&piece.expect("not the end").expect("no cut"));
        }
    }

    async fn read(&mut self) -> Option<Message> {
        loop {
            let block = self.next_block().await?;
            if block.name != BEAT {
                return Some(block);
            }
        }
    }

    /// What comes next, heartbeats too; waits as long as that takes. None at the end, however the
    /// stream ended. Whoever stops waiting has lost nothing.
    pub async fn next_block(&mut self) -> Option<Message> {
        while self.ready.is_empty() {
            let piece = self.pieces.next().await?.ok()?;
            self.take(&piece);
        }
        self.ready.pop_front()
    }

    fn take(&mut self, piece: &[u8]) {
        self.text.extend_from_slice(piece);
        let mut text = std::mem::take(&mut self.text);
        let mut taken = 0;
        while let Some(length) = memchr::memmem::find(&text[taken..], b"\n\n") {
            let end = taken + length + 2;
            self.block(std::str::from_utf8(&text[taken..end]).expect("UTF-8"));
            taken = end;
        }
        text.drain(..taken);
        self.text = text;
    }

    fn block(&mut self, block: &str) {
        let (mut name, mut data, mut has_id) = ("message", Vec::new(), false);
        for line in block.lines().filter(|line| !line.is_empty()) {
            let (field, value) = line.split_once(':').unwrap_or((line, ""));
            let value = value.strip_prefix(' ').unwrap_or(value);
            match field {
                "" => self.comments += 1,
                "id" => {
                    has_id = true;
                    self.last_id = value.to_owned();
                }
                "event" => name = value,
                "data" => data.push(value),
                "retry" => self.retry = Some(value.parse().expect("a number")),
                _ => panic!("what is {line:?}?"),
            }
        }
        let text = data.join("\n");
        let (name, data) = match text.as_str() {
            "" => (BEAT, Value::Null),
            text => (name, serde_json::from_str(text).expect("JSON")),
        };
        let (name, last_id) = (name.to_owned(), self.last_id.clone());
        self.ready.push_back(Message { name, data, text, has_id, last_id });
    }
}

/// The partition and the offset.
fn parts(cursor: &str) -> (i32, i64) {
    let (partition, offset) = cursor.split_once('-').expect("a cursor");
    // In a position, where there was nothing yet.
    let offset = if offset == "none" { -1 } else { offset.parse().expect("an offset") };
    (partition.parse().expect("a partition"), offset)
}
