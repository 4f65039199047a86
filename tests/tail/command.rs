//! The command under test.

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Read};
use std::process::{ChildStdout, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use nix::sys::signal::Signal;
use serde_json::Value;

use crate::harness::eventually;
use crate::harness::process::Process;
use crate::log::Log;

const LIMIT: Duration = Duration::from_secs(60);

/// `dual-stream tail`, with its lines as they come.
pub struct Tail {
    process: Process,
    lines: Arc<Mutex<Vec<Value>>>,
    errors: Arc<Mutex<String>>,
}

/// How it ended.
pub struct Ended {
    pub lines: Vec<Value>,
    pub errors: String,
    pub status: ExitStatus,
}

impl Tail {
    /// Starts it, and reads what it writes.
    pub fn start(log: &Log, arguments: &[&str]) -> Self {
        Self::reading(Self::unread(log, arguments, &[]))
    }

    /// Reads what it writes from now on.
    pub fn reading(mut tail: Tail) -> Self {
        let stdout = tail.stdout();
        let lines = Arc::clone(&tail.lines);
        std::thread::spawn(move || {
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                let line = serde_json::from_str(&line).unwrap_or_else(|_| panic!("JSON: {line}"));
                lines.lock().unwrap().push(line);
            }
        });
        tail
    }

    /// Starts it with further settings, and leaves what it writes to the test.
    pub fn unread(log: &Log, arguments: &[&str], settings: &[(&str, &str)]) -> Self {
        let mut process = Process::spawn(
            Command::new(env!("CARGO_BIN_EXE_dual-stream"))
                .arg("tail")
                .args(arguments)
                .env_clear()
                .env("DUAL_STREAM__KAFKA__BROKERS", &log.brokers)
                .env("DUAL_STREAM__KAFKA__TOPIC", &log.topic)
                .envs(settings.iter().copied())
                .stdin(Stdio::null())
                .stdout(Stdio::piped())
                .stderr(Stdio::piped()),
        );
        let mut stderr = process.child().stderr.take().expect("piped");
        let errors = Arc::new(Mutex::new(String::new()));
        let said = Arc::clone(&errors);
        std::thread::spawn(move || {
            let mut piece = [0; 4096];
            while let Ok(len @ 1..) = stderr.read(&mut piece) {
                said.lock().unwrap().push_str(&String::from_utf8_lossy(&piece[..len]));
            }
        });
        Tail { process, lines: Arc::default(), errors }
    }

    /// Runs it to its end.
    pub async fn run(log: &Log, arguments: &[&str]) -> Ended {
        Self::start(log, arguments).end().await
    }

    pub fn stdout(&mut self) -> ChildStdout {
        self.process.child().stdout.take().expect("piped, and not taken")
    }

    pub fn signal(&self, signal: Signal) {
        self.process.signal(signal);
    }

    pub fn peak_kib(&self) -> u64 {
        self.process.memory_kib("VmHWM")
    }

    pub fn lines(&self) -> Vec<Value> {
        self.lines.lock().unwrap().clone()
    }

    pub fn ids(&self) -> Vec<String> {
        ids(&self.lines())
    }

    pub fn errors(&self) -> String {
        self.errors.lock().unwrap().clone()
    }

    /// Waits until so many lines are there.
    pub async fn has(&self, count: usize) {
        let what = format!("{count} lines");
        eventually(&what, async || (self.lines.lock().unwrap().len() >= count).then_some(())).await;
    }

    /// Waits until standard error says something.
    pub async fn says(&self, what: &str) {
        eventually(what, async || self.errors().contains(what).then_some(())).await;
    }

    pub fn has_ended(&mut self) -> bool {
        self.process.child().try_wait().expect("a child of ours").is_some()
    }

    /// Waits for the end.
    pub async fn end(mut self) -> Ended {
        let status = self.process.wait(LIMIT).await;
        // The pipes are read to their ends when nobody else has the other halves.
        eventually("its output is read", async || {
            (Arc::strong_count(&self.lines) == 1 && Arc::strong_count(&self.errors) == 1)
                .then_some(())
        })
        .await;
        Ended { lines: self.lines(), errors: self.errors(), status }
    }

    /// Has it end in order.
    pub async fn stop(self) -> Ended {
        self.signal(Signal::SIGTERM);
        self.end().await
    }

    pub async fn kill(self) -> Ended {
        self.signal(Signal::SIGKILL);
        self.end().await
    }
}

impl Ended {
    pub fn ids(&self) -> Vec<String> {
        ids(&self.lines)
    }

    /// The position that it told at the end.
    pub fn position(&self) -> String {
        let marker = "go on with --from ";
        let start = self.errors.find(marker).unwrap_or_else(|| panic!("{}", self.errors));
        self.errors[start + marker.len()..].lines().next().expect("a line").to_owned()
    }

    pub fn succeeds(self) -> Self {
        assert!(self.status.success(), "{}: {}", self.status, self.errors);
        self
    }
}

pub fn ids(lines: &[Value]) -> Vec<String> {
    lines.iter().map(|line| line["event"]["id"].as_str().expect("an id").to_owned()).collect()
}

/// Fails when there is any difference, and says which, without all that is the same.
pub fn assert_same(seen: &[String], expected: &[String]) {
    let (once, all): (BTreeSet<_>, BTreeSet<_>) =
        (seen.iter().collect(), expected.iter().collect());
    let missing: Vec<_> = all.difference(&once).take(5).collect();
    let foreign: Vec<_> = once.difference(&all).take(5).collect();
    assert!(missing.is_empty() && foreign.is_empty(), "missing {missing:?}, foreign {foreign:?}");
    let (repeats, allowed) = (seen.len() - once.len(), expected.len() - all.len());
    assert_eq!(repeats, allowed, "repeats");
}
