//! `gateway.py`: by Redis and by cursor, and from the log what Redis has lost.

use std::path::Path;
use std::process::Command;

use serde_json::json;

use crate::harness::{RedisServer, TestApp, eventually};
use crate::programs::{Program, example};
use crate::restarts::Restarts;

const SOURCE: (&str, &str) = ("repo", "octocat/hello-world");

/// Python with the packages of `tests/requirements.txt`.
fn python() -> String {
    let python = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/venv/bin/python");
    assert!(python.exists(), "{} is missing: run scripts/tools python", python.display());
    python.to_string_lossy().into_owned()
}

fn start(service: &str, redis: &RedisServer) -> Program {
    let mut command = Command::new(python());
    command.arg(example("gateway.py")).args([service, &redis.url(), SOURCE.0, SOURCE.1]);
    Program::start(&mut command)
}

/// Waits until the gateway listens to Redis.
async fn is_heard(redis: &RedisServer) {
    let channel = format!("events:{}:{}", SOURCE.0, SOURCE.1);
    eventually("somebody subscribes", async || {
        let answer = redis.command(&["PUBSUB", "NUMSUB", &channel]).await.ok()?;
        format!("{answer:?}").contains("int(1)").then_some(())
    })
    .await;
}

#[tokio::test]
async fn the_gateway_has_everything_once_whoever_is_killed() {
    let mut redis = RedisServer::new();
    redis.start().await;
    let settings = TestApp::builder().default_channels().set("redis.url", redis.url());
    let mut service = Restarts::start(settings).await;
    let (kind, id) = SOURCE;

    let gateway = start(&service.url(), &redis);
    is_heard(&redis).await;
    service.post(kind, id, 20).await;
    gateway.has(20).await;

    redis.kill().await;
    service.post(kind, id, 20).await;
    redis.start().await;
    gateway.has(40).await;
    is_heard(&redis).await;
    eventually("the service has its Redis again", async || {
        (service.other.readiness().await.1["redis"]["state"] == "up").then_some(())
    })
    .await;
    service.post(kind, id, 20).await;
    gateway.has(60).await;

    service.kill().await;
    service.post(kind, id, 20).await;
    service.start_again().await;
    gateway.has(80).await;
    service.post(kind, id, 20).await;
    gateway.has(100).await;

    let mut came = gateway.kill().await;
    let mut posted = service.posted().to_vec();
    // What Redis has lost comes late.
    came.sort();
    posted.sort();
    assert_eq!(came, posted);
}

#[tokio::test]
async fn the_gateway_goes_on_from_where_there_was_nothing() {
    let mut redis = RedisServer::new();
    redis.start().await;
    let settings = TestApp::builder().default_channels().set("redis.url", redis.url());
    let app = settings.start().await;
    let gateway = start(&format!("http://{}", app.client.address), &redis);
    eventually("the log is read", async || {
        let reads = app.metric("dual_stream_http_requests_total", &["/events", "GET", "200"]).await;
        (reads > 0.0).then_some(())
    })
    .await;

    let event = json!({"type": "t", "source_type": SOURCE.0, "source_id": SOURCE.1});
    let stored = app.client.event(event).await.json()["cursor"].clone();

    gateway.has(1).await;
    assert_eq!(gateway.kill().await, [stored.as_str().unwrap()]);
}
