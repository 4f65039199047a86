//! `stream.py`, `stream.mjs` and `curl -N` as programs: their lines, while the service below them is
//! killed, and while they are.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use nix::sys::signal::Signal;
use serde_json::Value;

use crate::documents::block;
use crate::harness::process::Process;
use crate::harness::{TestApp, eventually};
use crate::restarts::Restarts;

const SOURCE: (&str, &str) = ("repo", "octocat/hello-world");

/// An example's file.
pub fn example(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/clients").join(name)
}

/// A client that prints a line an event.
pub struct Program {
    process: Process,
    lines: Arc<Mutex<Vec<String>>>,
}

impl Program {
    pub fn start(command: &mut Command) -> Self {
        let command = command.stdin(Stdio::null()).stdout(Stdio::piped());
        let mut process = Process::spawn(command.env("NO_PROXY", "*").env("no_proxy", "*"));
        let stdout = BufReader::new(process.child().stdout.take().expect("piped"));
        let lines = Arc::new(Mutex::new(Vec::new()));
        let read = Arc::clone(&lines);
        std::thread::spawn(move || {
            stdout.lines().map_while(Result::ok).for_each(|line| read.lock().unwrap().push(line));
        });
        Program { process, lines }
    }

    pub fn lines(&self) -> Vec<String> {
        self.lines.lock().unwrap().clone()
    }

    pub fn cursors(&self) -> Vec<String> {
        let cursor = |line: &String| {
            let line: Value = serde_json::from_str(line).expect("a line of JSON");
            line["cursor"].as_str().expect("a cursor").to_owned()
        };
        self.lines().iter().map(cursor).collect()
    }

    /// Waits until so many lines have come.
    pub async fn has(&self, count: usize) {
        let what = format!("{count} lines");
        eventually(&what, async || (self.lines().len() >= count).then_some(())).await;
    }

    pub async fn kill(mut self) -> Vec<String> {
        self.process.signal(Signal::SIGKILL);
        self.process.wait(Duration::from_secs(10)).await;
        self.cursors()
    }
}

/// What the clients of streams have in common.
async fn goes_on(program: &str, file: &str) {
    let mut service = Restarts::start(TestApp::builder()).await;
    let directory = tempfile::tempdir().unwrap();
    let (kind, id) = SOURCE;
    let url = format!(
        "{}/events/stream?source_type={kind}&source_id={id}&after=beginning",
        service.url()
    );
    let start = || {
        let place = directory.path().join("position");
        Program::start(Command::new(program).arg(example(file)).arg(&url).arg(place))
    };

    let client = start();
    service.post(kind, id, 5).await;
    client.has(5).await;
    service.kill().await;
    service.post(kind, id, 5).await;
    service.start_again().await;
    client.has(10).await;
    service.post(kind, id, 5).await;
    client.has(15).await;
    // Its position is written after its line.
    let place = directory.path().join("position");
    let last = service.posted()[14].clone();
    let is_kept = async || std::fs::read_to_string(&place).ok()?.contains(&last).then_some(());
    eventually("the position is kept", is_kept).await;
    let mut came = client.kill().await;

    service.post(kind, id, 5).await;
    let client = start();
    service.post(kind, id, 5).await;
    client.has(10).await;
    came.extend(client.kill().await);
    assert_eq!(came, service.posted());
}

#[tokio::test]
async fn the_python_client_misses_nothing_and_has_nothing_twice() {
    goes_on("python3", "stream.py").await;
}

#[tokio::test]
async fn the_node_client_misses_nothing_and_has_nothing_twice() {
    goes_on("node", "stream.mjs").await;
}

#[tokio::test]
async fn clients_that_are_refused_say_why_and_end() {
    let app = TestApp::start().await;
    for (program, file) in [("python3", "stream.py"), ("node", "stream.mjs")] {
        let output = Command::new(program)
            .arg(example(file))
            .arg(format!("{}/events/stream?source_type=a:b", app.client.url))
            .env("NO_PROXY", "*")
            .env("no_proxy", "*")
            .output()
            .unwrap();
        assert_eq!(output.status.code(), Some(1), "{program}: {output:?}");
        let errors = String::from_utf8(output.stderr).unwrap();
        assert!(errors.contains("invalid-parameter"), "{program}: {errors}");
    }
}

#[tokio::test]
async fn curl_shows_what_comes() {
    let app = TestApp::start().await;
    let line = block("docs/clients.md", "sh").replace("http://localhost:8080", &app.client.url);
    let line = format!("exec {line}");
    let curl = Program::start(Command::new("bash").args(["-c", &line]).stderr(Stdio::null()));
    let shows = async |text: &str| {
        let has = async || curl.lines().iter().any(|line| line.contains(text)).then_some(());
        eventually(text, has).await;
    };
    shows("event: ready").await;
    let (source_type, source_id) = SOURCE;
    let event = serde_json::json!({"id": "star-1", "type": "t", "source_type": source_type,
                                   "source_id": source_id});
    app.client.event(event).await;
    shows("star-1").await;
}
