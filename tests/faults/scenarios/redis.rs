//! Whatever happens to Redis, every event is stored and answered as stored.

use std::time::Duration;

use tokio::time::{sleep, timeout};

use crate::fake_redis::{self, Manner};
use crate::harness::app::Builder;
use crate::harness::{PATIENCE, RedisServer, TestApp, eventually, required, unique};
use crate::report::Row;
use crate::run::{Place, Run};

const DROPPED: &str = "dual_stream_notifications_dropped_total";

fn builder(url: &str) -> Builder {
    TestApp::builder()
        .set("redis.url", url)
        .set("redis.connect_timeout", "300ms")
        .set("redis.response_timeout", "300ms")
        .set("notify.breaker_cooldown", "200ms")
}

fn place(url: &str) -> Place {
    let brokers = required("KAFKA_BROKERS");
    Place { source_type: unique("f"), brokers, redis: url.to_owned() }
}

async fn start(name: &'static str, redis: &mut RedisServer) -> Run {
    redis.start().await;
    Run::at(place(&redis.url()), name, builder(&redis.url()), &crate::plan()).await
}

async fn notifications_are_dropped(run: &Run, more: f64) {
    let before = run.app.metric(DROPPED, &[]).await;
    eventually("notifications are dropped", async || {
        (run.app.metric(DROPPED, &[]).await >= before + more).then_some(())
    })
    .await;
}

async fn notifications_flow(run: &Run) {
    let published = "dual_stream_notifications_published_total";
    let before = run.app.metric(published, &[]).await;
    eventually("notifications are sent", async || {
        (run.app.metric(published, &[]).await > before + 100.0).then_some(())
    })
    .await;
}

async fn finish(run: Run) -> Row {
    let (row, findings) = run.finish().await;
    let all = (findings.not_stored, findings.unknown, findings.connection_lost);
    assert_eq!(all, (0, 0, 0), "Redis changes no answer");
    assert_eq!((findings.without_cursor, findings.doubled), (0, 0));
    row
}

pub async fn killed(name: &'static str) -> Row {
    let mut redis = RedisServer::new();
    let run = start(name, &mut redis).await;

    redis.kill().await;
    notifications_are_dropped(&run, 1000.0).await;
    redis.start().await;

    notifications_flow(&run).await;
    finish(run).await
}

pub async fn frozen(name: &'static str) -> Row {
    let mut redis = RedisServer::new();
    let run = start(name, &mut redis).await;

    redis.freeze();
    notifications_are_dropped(&run, 1000.0).await;
    redis.thaw();

    notifications_flow(&run).await;
    finish(run).await
}

pub async fn paused(name: &'static str) -> Row {
    let mut redis = RedisServer::new();
    let run = start(name, &mut redis).await;

    redis.command(&["CLIENT", "PAUSE", "2000", "ALL"]).await.expect("a pause");
    notifications_are_dropped(&run, 1000.0).await;

    notifications_flow(&run).await;
    finish(run).await
}

/// The service's connections are cut again and again, and a subscriber that does not read has
/// its own cut for the size of its output buffer.
pub async fn connections_cut(name: &'static str) -> Row {
    let mut redis =
        RedisServer::with(&["--client-output-buffer-limit", "pubsub", "16kb", "0", "0"]);
    let run = start(name, &mut redis).await;
    let deaf = Deaf::subscribe(&redis).await;

    for _ in 0..20 {
        redis.command(&["CLIENT", "KILL", "TYPE", "normal"]).await.expect("cuts");
        sleep(Duration::from_millis(100)).await;
    }
    timeout(PATIENCE, deaf.until_cut()).await.expect("it is cut");
    assert!(run.app.metric(DROPPED, &[]).await > 0.0, "pipelines were cut");

    notifications_flow(&run).await;
    finish(run).await
}

/// A subscriber that never reads.
struct Deaf {
    stream: tokio::net::TcpStream,
}

impl Deaf {
    async fn subscribe(redis: &RedisServer) -> Self {
        use tokio::io::AsyncWriteExt;
        let socket = tokio::net::TcpSocket::new_v4().expect("a socket");
        socket.set_recv_buffer_size(4096).expect("a small buffer");
        let address = redis.address().parse().expect("an address");
        let mut stream = socket.connect(address).await.expect("redis");
        stream.write_all(b"PSUBSCRIBE *\r\n").await.expect("a subscription");
        Deaf { stream }
    }

    /// Reads what lies in the buffers, up to the end that Redis has made of it.
    async fn until_cut(mut self) {
        use tokio::io::AsyncReadExt;
        let mut buffer = vec![0; 65536];
        while !matches!(self.stream.read(&mut buffer).await, Ok(0) | Err(_)) {}
    }
}

/// The password changes under the service.
pub async fn password_changed(name: &'static str) -> Row {
    let mut redis = RedisServer::new();
    let run = start(name, &mut redis).await;

    redis.command(&["CONFIG", "SET", "requirepass", "s3cret"]).await.expect("a password");
    redis.command_as("s3cret", &["CLIENT", "KILL", "TYPE", "normal"]).await.expect("cuts");
    notifications_are_dropped(&run, 1000.0).await;
    redis.command_as("s3cret", &["CONFIG", "SET", "requirepass", ""]).await.expect("none");

    notifications_flow(&run).await;
    finish(run).await
}

pub async fn out_of_memory(name: &'static str) -> Row {
    let url = fake_redis::start(Manner::OutOfMemory).await;
    let run = Run::at(place(&required("REDIS_URL")), name, builder(&url), &crate::plan()).await;

    notifications_are_dropped(&run, 2000.0).await;
    finish(run).await
}

pub async fn garbage(name: &'static str) -> Row {
    let url = fake_redis::start(Manner::Garbage).await;
    let run = Run::at(place(&required("REDIS_URL")), name, builder(&url), &crate::plan()).await;

    notifications_are_dropped(&run, 2000.0).await;
    finish(run).await
}
