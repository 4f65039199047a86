//! A client of streams: Server-Sent Events as a browser reads them.

use std::collections::VecDeque;
use std::pin::Pin;
use std::time::Duration;

use bytes::Bytes;
use futures_util::{Stream, StreamExt};
use reqwest::header::{ACCEPT, HeaderMap};
use reqwest::{Method, RequestBuilder};
use serde_json::Value;
use tokio::time::timeout;

use super::{Client, PATIENCE};

/// Something that was dispatched.
#[derive(Clone, Debug, PartialEq)]
pub struct Message {
    pub name: String,
    pub data: Value,
    /// What the client would send as `Last-Event-ID` after it.
    pub last_id: String,
    /// Whether it had an id of its own.
    pub has_id: bool,
}

impl Message {
    pub fn cursor(&self) -> String {
        self.data["cursor"].as_str().unwrap_or_else(|| panic!("no cursor: {self:?}")).to_owned()
    }
}

/// An open stream.
pub struct Events {
    pub headers: HeaderMap,
    pub version: reqwest::Version,
    pieces: Pin<Box<dyn Stream<Item = reqwest::Result<Bytes>> + Send>>,
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
        let response = request.header(ACCEPT, "text/event-stream").send().await.expect("an answer");
        assert_eq!(response.status(), 200);
        let mut events = Events {
            headers: response.headers().clone(),
            version: response.version(),
            pieces: Box::pin(response.bytes_stream()),
            text: Vec::new(),
            ready: VecDeque::new(),
            last_id: String::new(),
            retry: None,
            comments: 0,
        };
        let first = events.next().await;
        assert_eq!(first.name, "ready", "{first:?}");
        assert_eq!(first.data["position"], first.last_id);
        events
    }
}

impl Events {
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
        while self.ready.is_empty() {
            let piece = self.pieces.next().await?.ok()?;
            self.take(&piece);
        }
        self.ready.pop_front()
    }

    fn take(&mut self, piece: &[u8]) {
        self.text.extend_from_slice(piece);
        while let Some(end) = self.text.windows(2).position(|pair| pair == b"\n\n") {
            let block: Vec<u8> = self.text.drain(..end + 2).collect();
            self.block(std::str::from_utf8(&block).expect("UTF-8"));
        }
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
        if !data.is_empty() {
            let data = serde_json::from_str(&data.join("\n")).expect("JSON");
            let (name, last_id) = (name.to_owned(), self.last_id.clone());
            self.ready.push_back(Message { name, data, last_id, has_id });
        }
    }
}

/// The partition and the offset.
fn parts(cursor: &str) -> (i32, i64) {
    let (partition, offset) = cursor.split_once('-').expect("a cursor");
    (partition.parse().expect("a partition"), offset.parse().expect("an offset"))
}
