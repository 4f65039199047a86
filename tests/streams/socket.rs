//! A WebSocket. What comes of each of its subscriptions is what a stream of Server-Sent Events
//! would bring, and is handed on as that.

use futures_util::{SinkExt, StreamExt};
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::tungstenite::{Error, Message as Frame};

use super::line::Came;
use super::subscription::Start;
use super::wanted::Wanted;
use crate::harness::stream::{BEAT, Message, Refused};
use crate::harness::{Client, PATIENCE};

pub struct Socket {
    stream: WebSocketStream<TcpStream>,
}

/// A message of the service.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Said<'a> {
    op: &'a str,
    subscription: Option<&'a str>,
    position: Option<String>,
    #[serde(borrow)]
    data: Option<&'a RawValue>,
    #[serde(rename = "reason")]
    _reason: Option<Value>,
    #[serde(rename = "problem")]
    _problem: Option<Value>,
}

impl Socket {
    pub async fn open(client: &Client, is_narrow: bool) -> Result<Self, Refused> {
        let connected = match is_narrow {
            true => client.connect_narrow().await,
            false => TcpStream::connect(&client.address).await,
        };
        let stream = connected.map_err(|_| None)?;
        match client.upgrade(stream, "x-of", "tests").await {
            Ok(stream) => Ok(Socket { stream }),
            Err(Error::Http(response)) => Err(Some(response.status())),
            Err(_) => Err(None),
        }
    }

    /// Asks for a subscription, by its number. That nobody hears it is noticed when it is read on.
    pub async fn subscribe(&mut self, number: usize, wanted: &Wanted, start: &Start) {
        let mut message = wanted.message();
        message["op"] = json!("subscribe");
        message["subscription"] = json!(number.to_string());
        match start {
            Start::Now { recent } => message["recent"] = json!(recent),
            Start::Beginning => message["after"] = json!("beginning"),
            Start::After(position) => message["after"] = json!(position),
        }
        self.send(&message).await;
    }

    /// Has a subscription end.
    pub async fn unsubscribe(&mut self, number: usize) {
        self.send(&json!({"op": "unsubscribe", "subscription": number.to_string()})).await;
    }

    async fn send(&mut self, message: &Value) {
        let _ = timeout(PATIENCE, self.stream.send(Frame::text(message.to_string()))).await;
    }

    /// What comes next; waits as long as that takes. None at the end. Whoever stops waiting has lost
    /// nothing.
    pub async fn next(&mut self) -> Option<Came> {
        loop {
            match self.stream.next().await?.ok()? {
                Frame::Text(text) => return Some(said(&text)),
                // The library answers it.
                Frame::Ping(_) => {}
                Frame::Close(frame) => return closed(frame),
                other => panic!("what is {other:?}?"),
            }
        }
    }
}

/// Says why it ends as a stream does. Without a word where no answer to pings came in time: heartbeats
/// are short here, and on a busy machine, or when the reader does not look, its answers are late.
fn closed(frame: Option<CloseFrame>) -> Option<Came> {
    let (code, said) =
        frame.map_or((1005, String::new()), |end| (end.code.into(), end.reason.to_string()));
    let reason = match (code, said.as_str()) {
        (1001, "shutting_down") | (4000, "slow") => json!(said),
        (4001, "silent") => return None,
        _ => json!([code, said]),
    };
    Some(Came::Closed(message("closed", &json!({ "reason": reason }).to_string(), None)))
}

fn said(text: &str) -> Came {
    let said: Said<'_> = serde_json::from_str(text).unwrap_or_else(|_| panic!("what is {text}?"));
    let number = said.subscription.and_then(|name| name.parse().ok());
    let number = number.unwrap_or_else(|| panic!("of what is {text}?"));
    let (name, data) = match (said.op, said.data) {
        ("event", Some(data)) => ("message", data.get()),
        ("position", _) => (BEAT, ""),
        (op, _) => (op, text),
    };
    Came::Of(number, message(name, data, said.position))
}

/// The same as what is dispatched of a stream.
fn message(name: &str, text: &str, position: Option<String>) -> Message {
    Message {
        name: name.to_owned(),
        data: serde_json::from_str(text).unwrap_or_default(),
        text: text.to_owned(),
        has_id: position.is_some(),
        last_id: position.unwrap_or_default(),
    }
}
