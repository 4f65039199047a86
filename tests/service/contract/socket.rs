//! WebSockets: the answers to their handshake, and the examples of their messages.

use reqwest::header::{CONNECTION, ORIGIN, SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_VERSION, UPGRADE};
use reqwest::{Method, RequestBuilder};
use serde_json::Value;
use tokio_tungstenite::tungstenite::Message;

use super::Stage;
use crate::harness::openapi::{DESCRIPTION, resolve, validator};
use crate::harness::{Answer, Client, TestApp};

const PATH: &str = "/events/ws";

impl Stage {
    /// The answer with this status; none where there is no way to ask for it.
    pub(super) async fn socket(&self, status: u16) -> Option<Answer> {
        let client = &self.ready.client;
        Some(match status {
            101 => client.send(handshake(client, PATH)).await,
            400 => client.send(handshake(client, "/events/ws?source_type=s")).await,
            403 => {
                let request = handshake(client, PATH).header(ORIGIN, "https://other.example");
                client.send(request).await
            }
            426 => client.get(PATH).await,
            503 => {
                let full = TestApp::builder().set("live.streams", "0").start().await;
                full.client.send(handshake(&full.client, PATH)).await
            }
            _ => return None,
        })
    }
}

fn handshake(client: &Client, path: &str) -> RequestBuilder {
    client
        .request(Method::GET, path)
        .header(CONNECTION, "upgrade")
        .header(UPGRADE, "websocket")
        .header(SEC_WEBSOCKET_VERSION, "13")
        .header(SEC_WEBSOCKET_KEY, "dGhlIHNhbXBsZSBub25jZQ==")
}

/// The examples of one side's messages, and their schema.
fn messages(side: &str) -> (&'static Value, Vec<&'static Value>) {
    let messages = &DESCRIPTION["paths"][PATH]["get"]["x-messages"][side];
    let examples = messages["examples"].as_object().expect("examples").values();
    (&messages["schema"], examples.map(|example| &example["value"]).collect())
}

#[test]
fn every_example_of_a_message_is_as_its_schema_says() {
    for side in ["client", "service"] {
        let (schema, examples) = messages(side);
        let ops = resolve(schema)["oneOf"]
            .as_array()
            .unwrap()
            .iter()
            .map(|schema| resolve(schema)["properties"]["op"]["const"].as_str().unwrap());
        for op in ops {
            assert!(examples.iter().any(|example| example["op"] == op), "no example of {op}");
        }
        let validator = validator(schema);
        for example in examples {
            let errors: Vec<_> = validator.iter_errors(example).map(|e| e.to_string()).collect();
            assert!(errors.is_empty(), "{example}: {errors:?}");
        }
    }
}

#[tokio::test]
async fn every_example_of_a_clients_message_is_taken() {
    let app = TestApp::start().await;
    for example in messages("client").1 {
        let mut socket = app.client.socket().await;
        if example["op"] == "unsubscribe" {
            socket
                .subscribe(example["subscription"].as_str().unwrap(), serde_json::json!({}))
                .await;
        }
        socket.send_raw(Message::text(example.to_string())).await;
        let answer = socket.next().await;
        let expected = match example["op"].as_str().unwrap() {
            "subscribe" => "ready",
            "unsubscribe" => "unsubscribed",
            _ => "pong",
        };
        assert_eq!(answer["op"], expected, "{example}: {answer}");
    }
}
