//! The service under test.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::process::{Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use nix::sys::signal::Signal;
use serde_json::Value;

use super::client::Client;
use super::kafka::{self, Record};
use super::process::Process;
use super::{eventually, required, unique};

/// `dual-stream serve` as its users run it, on a topic of its own.
pub struct TestApp {
    process: Process,
    log: Arc<Mutex<Vec<String>>>,
    pub client: Client,
    pub admin: Client,
    pub topic: String,
    pub brokers: String,
}

/// Settings that differ from the defaults.
#[derive(Clone)]
pub struct Builder {
    variables: BTreeMap<String, String>,
    command: &'static str,
    reads_log: bool,
    pub topic: String,
    pub brokers: String,
}

impl Builder {
    /// Reads the log until the service listens, and then leaves it in its pipe.
    pub fn log_unread(self) -> Self {
        Builder { reads_log: false, ..self }
    }

    /// Without Kafka and Redis: `dual-stream dev`.
    pub fn dev(self) -> Self {
        Builder { command: "dev", ..self }
    }

    /// Sets for example `http.max_body`.
    pub fn set(mut self, setting: &str, value: impl ToString) -> Self {
        let variable = format!("DUAL_STREAM__{}", setting.replace('.', "__").to_uppercase());
        self.variables.insert(variable, value.to_string());
        self
    }

    pub fn brokers(mut self, brokers: &str) -> Self {
        self.brokers = brokers.to_owned();
        self.set("kafka.brokers", brokers)
    }

    /// On channels of its own, too: streams of another topic must not hear of these events, as they
    /// must not of those of a service that shares the Redis.
    pub fn topic(mut self, topic: &str) -> Self {
        self.topic = topic.to_owned();
        let channels = format!("{topic}:{{source_type}}:{{source_id}}");
        self.set("kafka.topic", topic).set("notify.channels", channels)
    }

    /// On the channels of the default settings.
    pub fn default_channels(self) -> Self {
        self.set("notify.channels", "events:{source_type}:{source_id}")
    }

    /// Starts it and waits until it is ready.
    pub async fn start(self) -> TestApp {
        let app = self.start_unready().await;
        app.ready().await;
        app
    }

    /// Starts it and waits until it listens.
    pub async fn start_unready(self) -> TestApp {
        let mut process = Process::spawn(
            Command::new(program())
                .arg(self.command)
                .env_clear()
                .envs(&self.variables)
                .stdin(Stdio::null())
                .stdout(Stdio::null())
                .stderr(Stdio::piped()),
        );
        let log = collect_log(&mut process, self.reads_log);
        let listening = eventually("the service listens", async || {
            if let Some(status) = process.child().try_wait().expect("a child of ours") {
                panic!("the service ended with {status}:\n{}", log.lock().unwrap().join("\n"));
            }
            line_with(&log, "listening")
        })
        .await;
        let address = |field: &str| listening[field].as_str().expect("an address").to_owned();
        TestApp {
            client: Client::new(&address("http")),
            admin: Client::new(&address("admin")),
            topic: self.topic,
            brokers: self.brokers,
            process,
            log,
        }
    }
}

/// The program that was built with the tests, or another one, to see whether the tests notice.
fn program() -> String {
    let built = env!("CARGO_BIN_EXE_dual-stream");
    std::env::var("DUAL_STREAM_PROGRAM").unwrap_or_else(|_| built.to_owned())
}

fn collect_log(process: &mut Process, to_the_end: bool) -> Arc<Mutex<Vec<String>>> {
    let log = Arc::new(Mutex::new(Vec::new()));
    let stderr = process.child().stderr.take().expect("piped");
    let lines = Arc::clone(&log);
    std::thread::spawn(move || {
        let mut stderr = BufReader::new(stderr).lines();
        for line in stderr.by_ref().map_while(Result::ok) {
            let listens = line.contains("listening");
            lines.lock().unwrap().push(line);
            if listens && !to_the_end {
                // Closed, it would be a pipe that refuses and not one that is full.
                return std::mem::forget(stderr);
            }
        }
    });
    log
}

fn line_with(log: &Mutex<Vec<String>>, message: &str) -> Option<Value> {
    let lines = log.lock().unwrap();
    lines
        .iter()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok())
        .find(|line| line["message"].as_str().is_some_and(|text| text.contains(message)))
}

impl TestApp {
    /// With the broker and the Redis of the test run, and a topic that does not exist yet.
    pub fn builder() -> Builder {
        let builder = Builder {
            variables: BTreeMap::new(),
            command: "serve",
            reads_log: true,
            topic: String::new(),
            brokers: String::new(),
        };
        builder
            .set("http.listen", "127.0.0.1:0")
            .set("admin.listen", "127.0.0.1:0")
            .set("log.format", "json")
            .brokers(&required("KAFKA_BROKERS"))
            .topic(&unique("events"))
            .set("redis.url", required("REDIS_URL"))
    }

    pub async fn start() -> TestApp {
        Self::builder().start().await
    }

    pub async fn ready(&self) {
        eventually("the service is ready", async || self.readiness().await.0.then_some(())).await;
    }

    pub async fn unready(&self) -> Value {
        eventually("the service is not ready", async || {
            let (ready, body) = self.readiness().await;
            (!ready).then_some(body)
        })
        .await
    }

    /// Whether it is ready, and what it says.
    pub async fn readiness(&self) -> (bool, Value) {
        let answer = self.client.get("/readyz").await;
        (answer.status == 200, answer.json())
    }

    /// The sum of the metric's samples whose labels contain all of `labels`.
    pub async fn metric(&self, name: &str, labels: &[&str]) -> f64 {
        let answer = self.admin.get("/metrics").await;
        answer
            .text()
            .lines()
            .filter(|line| {
                line.starts_with(&format!("{name}{{")) || line.starts_with(&format!("{name} "))
            })
            .filter(|line| labels.iter().all(|label| line.contains(label)))
            .filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok())
            .sum()
    }

    /// Waits until the metric has at least this value.
    pub async fn metric_reaches(&self, name: &str, labels: &[&str], value: f64) {
        let what = format!("{name} of {labels:?} reaches {value}");
        let check = async || (self.metric(name, labels).await >= value).then_some(());
        eventually(&what, check).await;
    }

    /// Waits until the metric has this value.
    pub async fn metric_is(&self, name: &str, value: f64) {
        let what = format!("{name} is {value}");
        eventually(&what, async || (self.metric(name, &[]).await == value).then_some(())).await;
    }

    /// Everything in the topic.
    pub async fn records(&self) -> Vec<Record> {
        kafka::read_all(&self.brokers, &self.topic).await
    }

    pub fn signal(&self, signal: Signal) {
        self.process.signal(signal);
    }

    /// The status, once it has ended.
    pub fn exited(&mut self) -> Option<ExitStatus> {
        self.process.child().try_wait().expect("a child of ours")
    }

    /// Waits until no connection is taken any more.
    pub async fn listener_closes(&self) {
        let connect = async || std::net::TcpStream::connect(&self.client.address).err();
        eventually("the listener is closed", connect).await;
    }

    /// What the last line of the log counts, in its order: connections cut, records flushed and
    /// left, notifications drained and left.
    pub async fn last_numbers(&self) -> Value {
        let line = self.logged("stopped").await;
        let fields = [
            "connections_cut",
            "records_flushed",
            "records_left",
            "notifications_drained",
            "notifications_left",
        ];
        fields.into_iter().map(|field| line[field].clone()).collect()
    }

    pub async fn wait(&mut self, limit: Duration) -> ExitStatus {
        self.process.wait(limit).await
    }

    pub fn resident_kib(&self) -> u64 {
        self.process.memory_kib("VmRSS")
    }

    /// The most that it ever had.
    pub fn peak_resident_kib(&self) -> u64 {
        self.process.memory_kib("VmHWM")
    }

    /// Waits for a log line with this message.
    pub async fn logged(&self, message: &str) -> Value {
        let what = format!("the log says {message:?}");
        eventually(&what, async || line_with(&self.log, message)).await
    }

    pub fn log(&self) -> Vec<String> {
        self.log.lock().unwrap().clone()
    }
}
