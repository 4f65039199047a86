//! A Redis of the test's own, and a subscriber.

use std::process::{Command, Stdio};
use std::time::Duration;

use deadpool_redis::redis::aio::PubSubStream;
use deadpool_redis::redis::{self, Client};
use futures_util::StreamExt;
use nix::sys::signal::Signal;
use serde_json::Value;
use tokio::time::timeout;

use super::process::Process;
use super::{PATIENCE, eventually, free_port};

/// A `redis-server` on a fixed port.
pub struct RedisServer {
    process: Option<Process>,
    port: u16,
    options: Vec<String>,
    directory: tempfile::TempDir,
}

impl RedisServer {
    /// A server that is not started.
    pub fn new() -> Self {
        Self::with(&[])
    }

    /// The same with options of its command line.
    pub fn with(options: &[&str]) -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        let options = options.iter().map(ToString::to_string).collect();
        RedisServer { process: None, port: free_port(), options, directory }
    }

    pub async fn start(&mut self) {
        let process = Process::spawn(
            Command::new("redis-server")
                .args(["--port", &self.port.to_string(), "--bind", "127.0.0.1"])
                .args(["--save", "", "--appendonly", "no"])
                .args(&self.options)
                .current_dir(self.directory.path())
                .stdin(Stdio::null())
                .stdout(Stdio::null()),
        );
        self.process = Some(process);
        let address = self.address();
        eventually("redis listens", async || std::net::TcpStream::connect(&address).ok()).await;
    }

    pub fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    pub fn url(&self) -> String {
        format!("redis://{}", self.address())
    }

    pub async fn kill(&mut self) {
        let mut process = self.process.take().expect("it runs");
        process.signal(Signal::SIGKILL);
        process.wait(Duration::from_secs(10)).await;
    }

    pub fn freeze(&self) {
        self.process.as_ref().expect("it runs").freeze();
    }

    pub fn thaw(&self) {
        self.process.as_ref().expect("it runs").signal(Signal::SIGCONT);
    }

    /// Announces something as anybody may.
    pub async fn publish(&self, channel: &str, payload: &Value) {
        self.command(&["PUBLISH", channel, &payload.to_string()]).await.expect("redis");
    }

    /// How many are subscribed to a channel.
    pub async fn subscribers(&self, channel: &str) -> i64 {
        let answer = self.command(&["PUBSUB", "NUMSUB", channel]).await.expect("redis");
        let (_, count): (String, i64) = redis::from_redis_value(answer).expect("a count");
        count
    }

    /// Waits until so many are.
    pub async fn subscribers_are(&self, channel: &str, count: i64) {
        let what = format!("{count} are subscribed to {channel}");
        eventually(&what, async || (self.subscribers(channel).await == count).then_some(())).await;
    }

    /// Runs a command and gives what it answers.
    pub async fn command(&self, words: &[&str]) -> redis::RedisResult<redis::Value> {
        self.run(&self.url(), words).await
    }

    /// The same with a password.
    pub async fn command_as(
        &self,
        password: &str,
        words: &[&str],
    ) -> redis::RedisResult<redis::Value> {
        let url = format!("redis://:{password}@{}", self.address());
        self.run(&url, words).await
    }

    async fn run(&self, url: &str, words: &[&str]) -> redis::RedisResult<redis::Value> {
        let mut connection = Client::open(url)?.get_multiplexed_async_connection().await?;
        let mut command = redis::Cmd::new();
        words.iter().for_each(|word| {
            command.arg(word);
        });
        command.query_async(&mut connection).await
    }
}

/// What a gateway sees.
pub struct Subscriber {
    messages: PubSubStream,
}

/// A notification as it came.
#[derive(Clone, Debug)]
pub struct Notification {
    pub channel: String,
    pub payload: Value,
}

impl Subscriber {
    /// Subscribes to a pattern.
    pub async fn to(url: &str, pattern: &str) -> Self {
        let client = Client::open(url).expect("a URL");
        let (mut sink, messages) = client.get_async_pubsub().await.expect("redis").split();
        sink.psubscribe(pattern).await.expect("a subscription");
        // The sink must live for as long as the stream does.
        std::mem::forget(sink);
        Subscriber { messages }
    }

    pub async fn next(&mut self) -> Notification {
        self.next_within(PATIENCE).await.expect("a notification in time")
    }

    /// The next notification, if one comes in this time.
    pub async fn next_within(&mut self, limit: Duration) -> Option<Notification> {
        let message = timeout(limit, self.messages.next()).await.ok()??;
        let payload: String = message.get_payload().expect("text");
        Some(Notification {
            channel: message.get_channel_name().to_owned(),
            payload: serde_json::from_str(&payload).expect("JSON"),
        })
    }

    pub async fn take(&mut self, count: usize) -> Vec<Notification> {
        let mut all = Vec::with_capacity(count);
        for _ in 0..count {
            all.push(self.next().await);
        }
        all
    }
}
