//! `gateway.py`: by Redis and by cursor, and from the log what Redis has lost.

use std::path::Path;
use std::process::Command;

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

    let mut command = Command::new(python());
    command.arg(example("gateway.py")).args([&service.url(), &redis.url(), kind, id]);
    let gateway = Program::start(&mut command);
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
