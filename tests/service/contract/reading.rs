//! The answers of the routes that read.

use reqwest::Method;
use reqwest::header::{ACCEPT, IF_NONE_MATCH};
use serde_json::json;

use crate::harness::kafka::{create_topic, delete_records};
use crate::harness::reading::recent;
use crate::harness::{Answer, TestApp, eventually, required, unique};

/// A service whose log has lost its first event.
pub(super) struct Reading(TestApp);

impl Reading {
    pub(super) async fn set() -> Self {
        let (brokers, topic) = (required("KAFKA_BROKERS"), unique("reading"));
        create_topic(&brokers, &topic, 1, &[]).await;
        let app = TestApp::builder().topic(&topic).start().await;
        for _ in 0..3 {
            assert_eq!(app.client.event(super::EVENT).await.status, 201);
        }
        delete_records(&brokers, &topic, 0, 2).await;
        eventually("memory forgets what is gone", async || {
            (app.client.get("/events/0-1").await.status == 410).then_some(())
        })
        .await;
        Reading(app)
    }

    /// The answer with this status; none where there is no way to ask for it.
    pub(super) async fn provoke(&self, path: &str, status: u16) -> Option<Answer> {
        match path {
            "/events" => self.list(status).await,
            "/events/fetch" => self.fetch(status).await,
            _ => self.event(status).await,
        }
    }

    async fn list(&self, status: u16) -> Option<Answer> {
        let client = &self.0.client;
        let path = recent("s", "i");
        Some(match status {
            200 => client.get(&path).await,
            400 => client.get("/events").await,
            406 => client.send(client.request(Method::GET, &path).header(ACCEPT, "text/css")).await,
            410 => client.get(&format!("{path}&after=0-0")).await,
            _ => return None,
        })
    }

    async fn event(&self, status: u16) -> Option<Answer> {
        let client = &self.0.client;
        Some(match status {
            200 => client.get("/events/0-2").await,
            304 => {
                let request = client.request(Method::GET, "/events/0-2");
                client.send(request.header(IF_NONE_MATCH, "\"0-2\"")).await
            }
            400 => client.get("/events/0-02").await,
            404 => client.get("/events/0-3").await,
            410 => client.get("/events/0-1").await,
            _ => return None,
        })
    }

    async fn fetch(&self, status: u16) -> Option<Answer> {
        let (media_type, body) = match status {
            200 => ("application/json", json!({"cursors": ["0-2"]})),
            400 => ("application/json", json!("")),
            413 => ("application/json", json!({"cursors": vec!["0-2"; 10_000]})),
            415 => ("text/plain", json!({"cursors": ["0-2"]})),
            422 => ("application/json", json!({"cursors": []})),
            _ => return None,
        };
        let body = if status == 400 { "{".to_owned() } else { body.to_string() };
        let client = &self.0.client;
        Some(client.send(client.post("/events/fetch", media_type, body)).await)
    }
}
