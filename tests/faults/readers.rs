//! Readers beside the traffic: whatever is broken, each answer is right, or says that it is none.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use dual_stream::cursor::Cursor;
use reqwest::header::ACCEPT;
use reqwest::{Method, Response};
use serde_json::Value;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::sleep;

use crate::harness::kafka::Record;
use crate::harness::reading::{Read, after, events};
use crate::harness::{Answer, Client};

/// The source that is read: all writers write to it.
const SOURCE: &str = "shared";
/// What an answer may take at the most, whatever Kafka does.
const SOON: Duration = Duration::from_secs(10);
/// Between two questions of a reader.
const PAUSE: Duration = Duration::from_millis(5);
/// How many cursors are asked for at once.
const FETCHED: usize = 20;

/// What the readers have in common.
struct Shared {
    client: Client,
    source_type: String,
    seen: Mutex<Seen>,
    stopped: watch::Receiver<bool>,
}

/// What they saw.
#[derive(Default)]
struct Seen {
    /// By following `next`, in this order.
    followed: Vec<Read>,
    position: String,
    counts: Counts,
    lies: Vec<String>,
}

/// How often each kind of answer came.
#[derive(Clone, Copy, Debug, Default)]
pub struct Counts {
    pub read: usize,
    pub unavailable: usize,
    pub replays: usize,
    pub cut: usize,
}

pub struct Readers {
    shared: Arc<Shared>,
    stop: watch::Sender<bool>,
    tasks: Vec<JoinHandle<()>>,
}

impl Readers {
    /// Starts one reader of each kind.
    pub fn start(client: &Client, source_type: &str) -> Self {
        let (stop, stopped) = watch::channel(false);
        let seen = Seen { position: "beginning".to_owned(), ..Seen::default() };
        let shared = Arc::new(Shared {
            client: client.clone(),
            source_type: source_type.to_owned(),
            seen: Mutex::new(seen),
            stopped,
        });
        let tasks = vec![
            tokio::spawn(follow(Arc::clone(&shared))),
            tokio::spawn(points(Arc::clone(&shared))),
            tokio::spawn(fetches(Arc::clone(&shared))),
            tokio::spawn(replays(Arc::clone(&shared))),
        ];
        Readers { shared, stop, tasks }
    }

    pub fn counts(&self) -> Counts {
        self.shared.seen.lock().unwrap().counts
    }

    /// Waits until the counts are so.
    pub async fn until(&self, what: &str, so: impl Fn(Counts) -> bool) {
        let waited = crate::harness::eventually(what, async || so(self.counts()).then_some(()));
        waited.await;
    }

    /// Ends them, reads on to the end, and holds what was read against the log.
    pub async fn finish(self, log: &[Record]) -> Counts {
        self.stop.send_replace(true);
        for task in self.tasks {
            task.await.expect("no panic");
        }
        while self.shared.follow_once().await != Some(0) {}
        let seen = std::mem::take(&mut *self.shared.seen.lock().unwrap());
        assert!(seen.lies.is_empty(), "{} lies: {:#?}", seen.lies.len(), &seen.lies[..1]);
        hold(&seen.followed, log, &self.shared.source_type);
        seen.counts
    }
}

/// Each event of the source was followed exactly once, those of a partition in their order.
fn hold(followed: &[Read], log: &[Record], source_type: &str) {
    let is_ours =
        |record: &&Record| record.key == SOURCE && record.headers["source_type"] == source_type;
    let there: HashMap<Cursor, &Record> =
        log.iter().filter(is_ours).map(|record| (record.cursor, record)).collect();
    let mut last = HashMap::new();
    for read in followed {
        let cursor: Cursor = read.cursor.parse().expect("a cursor");
        let record = there.get(&cursor).unwrap_or_else(|| panic!("{cursor}: read and not there"));
        assert_eq!(read.id(), record.headers["id"], "{cursor}");
        let before = last.insert(cursor.partition(), cursor.offset());
        assert!(before.is_none_or(|before| before < cursor.offset()), "{cursor}: twice, or late");
    }
    assert_eq!(followed.len(), there.len(), "events were missed");
}

impl Shared {
    fn goes_on(&self) -> bool {
        !*self.stopped.borrow()
    }

    /// A question whose answer is right, or says that it is none.
    async fn ask(&self, method: Method, path: &str, body: Option<String>) -> Option<Answer> {
        let started = Instant::now();
        let mut request = self.client.request(method, path);
        if let Some(body) = body {
            request = request.header("content-type", "application/json").body(body);
        }
        let answer = self.client.send(request).await;
        let took = started.elapsed();
        if took > SOON {
            self.lie(format!("{path}: answered only after {took:?}"));
        }
        let mut seen = self.seen.lock().unwrap();
        if answer.status == 200 {
            seen.counts.read += 1;
            return Some(answer);
        }
        seen.counts.unavailable += 1;
        drop(seen);
        if answer.status != 503 || answer.header("retry-after").is_none() {
            self.lie(format!("{path}: {} {}", answer.status, answer.text()));
        }
        None
    }

    fn lie(&self, lie: String) {
        self.seen.lock().unwrap().lies.push(lie);
    }

    /// Reads the next page. Gives how many events it had, when it was complete.
    async fn follow_once(&self) -> Option<usize> {
        let position = self.seen.lock().unwrap().position.clone();
        let path = after(&self.source_type, SOURCE, &position);
        let page = self.ask(Method::GET, &path, None).await?.json();
        let read = events(&page);
        let count = read.len();
        let mut seen = self.seen.lock().unwrap();
        seen.followed.extend(read);
        seen.position = page["next"].as_str().expect("a position").to_owned();
        (page["complete"] == true).then_some(count)
    }

    /// Some of what was followed, by chance.
    fn known(&self, count: usize) -> Vec<Read> {
        let seen = self.seen.lock().unwrap();
        let length = seen.followed.len();
        if length == 0 {
            return Vec::new();
        }
        (0..count).map(|_| seen.followed[fastrand::usize(..length)].clone()).collect()
    }

    /// How much was followed so far.
    fn followed(&self) -> usize {
        self.seen.lock().unwrap().followed.len()
    }
}

async fn follow(shared: Arc<Shared>) {
    while shared.goes_on() {
        shared.follow_once().await;
        sleep(PAUSE).await;
    }
}

async fn points(shared: Arc<Shared>) {
    while shared.goes_on() {
        for known in shared.known(1) {
            let path = format!("/events/{}", known.cursor);
            if let Some(answer) = shared.ask(Method::GET, &path, None).await
                && answer.json() != known.event
            {
                shared.lie(format!("{path}: {}", answer.text()));
            }
        }
        sleep(PAUSE).await;
    }
}

async fn fetches(shared: Arc<Shared>) {
    while shared.goes_on() {
        let known = shared.known(FETCHED);
        if !known.is_empty() {
            let cursors: Vec<_> = known.iter().map(|read| &read.cursor).collect();
            let body = serde_json::json!({"cursors": cursors}).to_string();
            if let Some(answer) = shared.ask(Method::POST, "/events/fetch", Some(body)).await {
                check_fetched(&shared, &known, &answer.json());
            }
        }
        sleep(PAUSE).await;
    }
}

fn check_fetched(shared: &Shared, known: &[Read], body: &Value) {
    let results = body["results"].as_array().expect("results");
    for (known, result) in known.iter().zip(results) {
        let is_right = match result["status"].as_str() {
            Some("found") => Read::of(result) == *known,
            Some("unavailable" | "omitted") => true,
            _ => false,
        };
        if !is_right {
            shared.lie(format!("{}: {result}", known.cursor));
        }
    }
}

/// A replay as lines from the beginning, again and again.
async fn replays(shared: Arc<Shared>) {
    let path = after(&shared.source_type, SOURCE, "beginning");
    while shared.goes_on() {
        let least = shared.followed();
        let request = shared.client.request(Method::GET, &path);
        let answer = request.header(ACCEPT, "application/x-ndjson").send().await;
        let answer = answer.expect("an answer");
        match answer.status().as_u16() {
            200 => check_lines(&shared, answer, least).await,
            503 => shared.seen.lock().unwrap().counts.unavailable += 1,
            other => shared.lie(format!("a replay was answered {other}")),
        }
        sleep(PAUSE).await;
    }
}

/// Whole, it has at least what was known when it was asked for; cut, the first part of that.
async fn check_lines(shared: &Shared, mut answer: Response, least: usize) {
    let mut text = Vec::new();
    let is_whole = loop {
        match answer.chunk().await {
            Ok(Some(piece)) => text.extend_from_slice(&piece),
            Ok(None) => break true,
            Err(_) => break false,
        }
    };
    let whole_lines = text.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
    let lines = text[..whole_lines].split_inclusive(|byte| *byte == b'\n');
    let read: Vec<_> = lines
        .map(|line| Read::of(&serde_json::from_slice(line).expect("a line of JSON")))
        .collect();
    if is_whole && (whole_lines < text.len() || read.len() < least) {
        shared.lie(format!("a whole replay has {} events of {least}", read.len()));
    }
    let mut last = HashMap::new();
    for read in &read {
        let cursor: Cursor = read.cursor.parse().expect("a cursor");
        let before = last.insert(cursor.partition(), cursor.offset());
        if before.is_some_and(|before| before >= cursor.offset()) {
            shared.lie(format!("{cursor}: twice in a replay, or late"));
        }
    }
    let mut seen = shared.seen.lock().unwrap();
    seen.counts.replays += usize::from(is_whole);
    seen.counts.cut += usize::from(!is_whole);
}
