//! A WebSocket client that holds every message against the description, and keeps the last position
//! of each subscription, as clients do.

use std::collections::HashMap;
use std::time::Duration;

use axum::http::{HeaderName, HeaderValue, Response};
use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{WebSocketStream, client_async};

use super::openapi::validate;
use super::{Client, PATIENCE};

pub struct Socket {
    pub stream: WebSocketStream<TcpStream>,
    /// Of each subscription the last that was told.
    pub positions: HashMap<String, String>,
    /// Frames that were pings.
    pub pings: usize,
}

impl Client {
    /// Opens a WebSocket.
    pub async fn socket(&self) -> Socket {
        self.try_socket("x-of", "tests").await.expect("a WebSocket")
    }

    /// The same with a header, or the answer that refuses it.
    pub async fn try_socket(
        &self,
        name: &'static str,
        value: &str,
    ) -> Result<Socket, Box<Response<Option<Vec<u8>>>>> {
        let stream = TcpStream::connect(&self.address).await.expect("a connection");
        self.socket_on(stream, name, value).await
    }

    /// The same on a connection.
    pub async fn socket_on(
        &self,
        stream: TcpStream,
        name: &'static str,
        value: &str,
    ) -> Result<Socket, Box<Response<Option<Vec<u8>>>>> {
        match self.upgrade(stream, name, value).await {
            Ok(stream) => Ok(Socket { stream, positions: HashMap::new(), pings: 0 }),
            Err(Error::Http(response)) => Err(response),
            Err(error) => panic!("no WebSocket: {error}"),
        }
    }

    /// Makes a WebSocket of a connection, if that goes, and asks for nothing.
    pub async fn upgrade(
        &self,
        stream: TcpStream,
        name: &'static str,
        value: &str,
    ) -> Result<WebSocketStream<TcpStream>, Error> {
        let url = format!("ws://{}/events/ws", self.address);
        let mut request = url.into_client_request().expect("a request");
        let value = HeaderValue::from_str(value).expect("a value");
        request.headers_mut().insert(HeaderName::from_static(name), value);
        client_async(request, stream).await.map(|(stream, _)| stream)
    }
}

impl Socket {
    pub async fn send(&mut self, message: Value) {
        validate("what is sent", &json!({"$ref": "#/components/schemas/SocketRequest"}), &message);
        self.send_raw(Message::text(message.to_string())).await;
    }

    /// Whatever it is.
    pub async fn send_raw(&mut self, message: Message) {
        let sent = timeout(PATIENCE, self.stream.send(message)).await;
        sent.expect("it is taken in time").expect("it is taken");
    }

    /// Begins a subscription, and waits until it is ready.
    pub async fn subscribe(&mut self, name: &str, more: Value) {
        self.ask(name, more).await;
        let ready = self.next().await;
        assert_eq!((&ready["op"], &ready["subscription"]), (&json!("ready"), &json!(name)));
    }

    /// Asks for a subscription.
    pub async fn ask(&mut self, name: &str, more: Value) {
        let mut message = json!({"op": "subscribe", "subscription": name});
        for (name, value) in more.as_object().expect("members") {
            message[name] = value.clone();
        }
        self.send(message).await;
    }

    /// The next message.
    pub async fn next(&mut self) -> Value {
        match timeout(PATIENCE, self.read()).await.expect("something in time") {
            Ok(message) => message,
            Err(end) => panic!("it was closed: {end:?}"),
        }
    }

    /// What comes within this time, if anything does.
    pub async fn next_within(&mut self, limit: Duration) -> Option<Value> {
        timeout(limit, self.read()).await.ok().map(|read| read.expect("not the end"))
    }

    /// The next message that is no heartbeat.
    pub async fn next_but_positions(&mut self) -> Value {
        loop {
            let message = self.next().await;
            if message["op"] != "position" {
                return message;
            }
        }
    }

    /// The cursors of the next so many events of one subscription; those of others do not come.
    pub async fn cursors(&mut self, name: &str, count: usize) -> Vec<String> {
        let mut cursors = self.cursors_of(&[name], count).await;
        cursors.remove(name).unwrap_or_default()
    }

    /// The cursors of the next events, so many in all, of each of these subscriptions.
    pub async fn cursors_of(
        &mut self,
        names: &[&str],
        count: usize,
    ) -> HashMap<String, Vec<String>> {
        let mut cursors: HashMap<_, Vec<_>> = HashMap::new();
        for come in 0..count {
            let message = self.next_but_positions().await;
            assert_eq!(message["op"], "event", "{message} after {come}");
            let name = message["subscription"].as_str().expect("a name");
            assert!(names.contains(&name), "{message}");
            cursors.entry(name.to_owned()).or_default().push(cursor(&message));
        }
        cursors
    }

    /// Reads to the end, and gives the events that came, and the code and the reason of the end.
    pub async fn closed(&mut self) -> (Vec<Value>, Option<(u16, String)>) {
        let mut events = Vec::new();
        loop {
            match timeout(PATIENCE, self.read()).await.expect("something in time") {
                Ok(message) if message["op"] == "event" => events.push(message),
                Ok(_) => {}
                Err(end) => return (events, end),
            }
        }
    }

    /// A message, or why there is none: the code and the reason, if these were told.
    async fn read(&mut self) -> Result<Value, Option<(u16, String)>> {
        loop {
            match self.stream.next().await {
                Some(Ok(Message::Text(text))) => return Ok(self.take(&text)),
                Some(Ok(Message::Close(frame))) => {
                    return Err(frame.map(|end| (end.code.into(), end.reason.to_string())));
                }
                Some(Ok(Message::Ping(_))) => self.pings += 1,
                Some(Ok(other)) => panic!("what is {other:?}?"),
                Some(Err(_)) | None => return Err(None),
            }
        }
    }

    fn take(&mut self, text: &str) -> Value {
        let message: Value = serde_json::from_str(text).expect("JSON");
        validate("a message", &json!({"$ref": "#/components/schemas/SocketMessage"}), &message);
        if let (Some(name), Some(position)) =
            (message["subscription"].as_str(), message["position"].as_str())
        {
            self.positions.insert(name.to_owned(), position.to_owned());
        }
        message
    }
}

/// The cursor of an event that came.
pub fn cursor(message: &Value) -> String {
    message["data"]["cursor"].as_str().unwrap_or_else(|| panic!("no cursor: {message}")).to_owned()
}
