//! `openapi.yaml` and the server say the same.
//!
//! Every answer that any test gets is held against the description (`harness/openapi.rs`). Here
//! it is the other way round: what the description promises, the server does.

mod reading;
mod socket;

use std::collections::BTreeSet;
use std::time::Duration;

use dual_stream::http::{ADMIN_ROUTES, API_ROUTES, PROBLEMS};
use rdkafka::mocking::MockCluster;
use reqwest::Method;
use reqwest::header::ACCEPT;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use reading::Reading;

use crate::harness::kafka::create_topic;
use crate::harness::openapi::{DESCRIPTION, operations, resolve, validator};
use crate::harness::reading::recent;
use crate::harness::{Answer, TestApp, free_port, required, unique};

/// The parts of the pages.
const UNDESCRIBED: [&str; 3] = ["/docs/style.css", "/docs/copy.js", "/console/{part}"];

#[test]
fn the_description_and_the_table_of_routes_name_the_same() {
    let described: BTreeSet<_> =
        operations().into_iter().map(|(path, method, _)| format!("{method} {path}")).collect();
    let served: BTreeSet<_> = API_ROUTES
        .iter()
        .filter(|route| !UNDESCRIBED.contains(&route.path))
        .flat_map(|route| {
            let methods =
                route.allow.split(", ").filter(|method| !["HEAD", "OPTIONS"].contains(method));
            methods.map(move |method| format!("{method} {}", route.path))
        })
        .collect();
    assert_eq!(described, served);
}

#[tokio::test]
async fn every_route_of_the_table_is_served() {
    let app = TestApp::start().await;
    let api = API_ROUTES.iter().map(|route| (&app.client, route));
    for (client, route) in api.chain(ADMIN_ROUTES.iter().map(|route| (&app.admin, route))) {
        // Of a stream the head is enough: the rest has no end.
        let is_stream = route.path == "/events/stream";
        let method = route.allow.split(", ").nth(usize::from(is_stream)).unwrap();
        let method: Method = method.parse().unwrap();
        let path = route.path.replace("{part}", "main.js");
        let answer = client.send(client.request(method, &path)).await;
        assert!(!matches!(answer.status, 404 | 405), "{}: {}", route.path, answer.status);
    }
}

#[test]
fn the_description_and_the_table_of_problems_name_the_same() {
    let described: Vec<_> = DESCRIPTION["x-problems"]
        .as_array()
        .unwrap()
        .iter()
        .map(|problem| {
            let text = |name: &str| problem[name].as_str().unwrap().to_owned();
            (text("slug"), problem["status"].as_u64().unwrap(), text("title"))
        })
        .collect();
    let served: Vec<_> = PROBLEMS
        .iter()
        .map(|kind| {
            let status = kind.status().as_u16().into();
            (kind.slug().to_owned(), status, kind.title().to_owned())
        })
        .collect();
    assert_eq!(described, served);
}

#[test]
fn every_example_is_as_its_schema_says() {
    for (path, method, operation) in operations() {
        for (status, response) in operation["responses"].as_object().unwrap() {
            for (media_type, content) in
                resolve(response)["content"].as_object().into_iter().flatten()
            {
                if media_type.starts_with("text/") {
                    continue;
                }
                let examples = content["examples"].as_object().expect("each answer has an example");
                let validator = validator(&content["schema"]);
                for (name, example) in examples {
                    let value = &resolve(example)["value"];
                    let errors: Vec<_> =
                        validator.iter_errors(value).map(|e| e.to_string()).collect();
                    assert!(errors.is_empty(), "{method} {path} {status} {name}: {errors:?}");
                }
            }
        }
    }
}

#[tokio::test]
async fn every_example_of_a_request_is_taken() {
    let app = TestApp::start().await;
    for (path, _, operation) in operations() {
        for (media_type, content) in
            operation["requestBody"]["content"].as_object().into_iter().flatten()
        {
            for (name, example) in content["examples"].as_object().expect("examples") {
                let value = &example["value"];
                let body = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
                let answer = app.client.send(app.client.post(&path, media_type, body)).await;
                let expected = if path == "/events/fetch" { 200 } else { 201 };
                assert_eq!(answer.status, expected, "{path} {name}: {}", answer.text());
            }
        }
    }
}

/// Provokes every answer of every operation. An answer that is described and has no way to
/// provoke it here fails the test.
#[tokio::test(flavor = "multi_thread")]
async fn every_described_answer_is_given() {
    let stage = Stage::set().await;
    for (path, method, operation) in operations() {
        for status in operation["responses"].as_object().unwrap().keys() {
            let status: u16 = status.parse().expect("a status");
            let given = stage.provoke(&method, &path, status).await;
            assert_eq!(given, Some(status), "{method} {path}");
        }
    }
}

/// Services in the states that the answers need.
struct Stage {
    reading: Reading,
    ready: TestApp,
    unready: TestApp,
    small_topic: TestApp,
}

const EVENT: &str = r#"{"id":"1","type":"t","source_type":"s","source_id":"i"}"#;

impl Stage {
    async fn set() -> Self {
        let topic = unique("small");
        create_topic(&required("KAFKA_BROKERS"), &topic, 6, &[("max.message.bytes", "4000")]).await;
        let nobody = format!("127.0.0.1:{}", free_port());
        Stage {
            reading: Reading::set().await,
            ready: TestApp::builder().set("http.body_timeout", "500ms").start().await,
            unready: TestApp::builder().brokers(&nobody).start_unready().await,
            small_topic: TestApp::builder().topic(&topic).start().await,
        }
    }

    /// The status that was given; none where there is no way to ask for it.
    async fn provoke(&self, method: &str, path: &str, status: u16) -> Option<u16> {
        let answer = match (method, path, status) {
            // A fault of ours: `tests/panic.rs` makes one.
            (_, _, 500) => return Some(500),
            (_, _, 431) => return Some(self.huge_head(path).await),
            (_, _, 408) => return Some(self.half_a_body(path).await),
            ("GET", "/events", 503) => self.unready.client.get(&recent("s", "i")).await,
            ("GET", "/events/{cursor}", 503) => self.unready.client.get("/events/0-0").await,
            ("GET", "/events/stream", _) => self.stream(status).await?,
            ("GET", "/events/ws", _) => self.socket(status).await?,
            ("POST", "/events/fetch", 503) => {
                let client = &self.unready.client;
                client.send(client.post(path, "application/json", r#"{"cursors":["0-0"]}"#)).await
            }
            ("GET", "/events" | "/events/{cursor}", _) | (_, "/events/fetch", _) => {
                self.reading.provoke(path, status).await?
            }
            (_, "/events" | "/events/batch", _) => self.provoke_post(path, status).await?,
            (_, "/readyz", 503) => self.unready.client.get(path).await,
            (_, "/", 404) => self.without_console().await,
            (_, _, 200) => self.ready.client.get(path).await,
            (_, _, 304) => self.not_modified(path).await,
            _ => return None,
        };
        Some(answer.status)
    }

    async fn provoke_post(&self, path: &str, status: u16) -> Option<Answer> {
        let is_batch = path == "/events/batch";
        let body = if is_batch { format!("[{EVENT}]") } else { EVENT.to_owned() };
        let post = async |app: &TestApp, body: &str| {
            app.client.send(app.client.post(path, "application/json", body.to_owned())).await
        };
        Some(match status {
            201 => post(&self.ready, &body).await,
            207 => post(&self.small_topic, &self.mixed()).await,
            400 => post(&self.ready, "{").await,
            413 if is_batch => post(&self.small_topic, &format!("[{}]", large())).await,
            413 => post(&self.small_topic, &large().to_string()).await,
            415 => self.ready.client.send(self.ready.client.post(path, "text/plain", body)).await,
            422 if is_batch => post(&self.ready, "[{}]").await,
            422 => post(&self.ready, "{}").await,
            503 => post(&self.unready, &body).await,
            504 => with_silent_kafka(path, &body).await,
            _ => return None,
        })
    }

    /// A stream goes on; its head is what can be had whole.
    async fn stream(&self, status: u16) -> Option<Answer> {
        let path = "/events/stream";
        let client = &self.ready.client;
        Some(match status {
            200 => client.send(client.request(Method::HEAD, path)).await,
            400 => client.get("/events/stream?after=x").await,
            406 => client.send(client.request(Method::GET, path).header(ACCEPT, "text/css")).await,
            503 => self.unready.client.get(path).await,
            _ => return None,
        })
    }

    async fn without_console(&self) -> Answer {
        let app = TestApp::builder().set("http.console", false).start_unready().await;
        app.client.get("/").await
    }

    fn mixed(&self) -> String {
        let mut small = large();
        small["data"] = json!(1);
        small["source_id"] = json!("another-source");
        json!([small, large()]).to_string()
    }

    async fn not_modified(&self, path: &str) -> Answer {
        let first = self.ready.client.get(path).await;
        let tag = first.header("etag").expect("an ETag").to_owned();
        let request = self.ready.client.request(Method::GET, path);
        self.ready.client.send(request.header("If-None-Match", tag)).await
    }

    async fn half_a_body(&self, path: &str) -> u16 {
        let head = "Content-Type: application/json\r\nContent-Length: 100\r\n\r\n{";
        self.raw(&format!("POST {path} HTTP/1.1\r\nHost: h\r\n{head}")).await
    }

    async fn huge_head(&self, path: &str) -> u16 {
        let header = format!("X-Filler: {}\r\n", "x".repeat(200_000));
        self.raw(&format!("GET {path} HTTP/1.1\r\nHost: h\r\n{header}\r\n")).await
    }

    /// Sends bytes as they are and reads the status.
    async fn raw(&self, request: &str) -> u16 {
        let mut connection = TcpStream::connect(&self.ready.client.address).await.unwrap();
        // The server may hang up before it has read everything.
        let _ = connection.write_all(request.as_bytes()).await;
        let mut line = [0; 12];
        connection.read_exact(&mut line).await.expect("a status line");
        String::from_utf8_lossy(&line[9..]).parse().expect("a status")
    }
}

/// Posts to a service whose broker takes the write and says nothing.
async fn with_silent_kafka(path: &str, body: &str) -> Answer {
    let kafka = MockCluster::new(1).unwrap();
    kafka.create_topic("silent", 1, 1).unwrap();
    let app = TestApp::builder()
        .brokers(&kafka.bootstrap_servers())
        .topic("silent")
        .set("kafka.message_timeout", "1s")
        .start()
        .await;
    // A producer that has its id from the broker can send; one that waits for it cannot, and then
    // the truth would be "not stored".
    app.client.event(EVENT).await;
    kafka.broker_round_trip_time(1, Duration::from_secs(60)).unwrap();
    app.client.send(app.client.post(path, "application/json", body.to_owned())).await
}

fn large() -> Value {
    json!({"type": "t", "source_type": "s", "source_id": "source-of-the-large-one", "data": "x".repeat(10_000)})
}
