//! Clients that are many, slow, or gone.

use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::sleep;

use super::{hasty, patient};
use crate::harness::broker::Settings;
use crate::harness::proxy::{Mode, Proxy};
use crate::harness::{Broker, TestApp, eventually};
use crate::journal::{self, Event, Journal, Verdict};
use crate::report::Row;
use crate::run::Run;
use crate::traffic::Plan;

pub const CONNECTIONS: usize = 5000;

/// Five thousand connections that all write.
pub async fn thousands(name: &'static str) -> Row {
    let plan = Plan { singles: CONNECTIONS - 20, batches: 20, data: 20..200, ..crate::plan() };
    let run = Run::start(name, TestApp::builder(), &plan).await;

    eventually("all are connected", async || {
        let open = run.app.metric("dual_stream_http_connections", &[]).await;
        (open >= CONNECTIONS as f64).then_some(())
    })
    .await;
    run.until("each has written", |counts| counts.stored() > 4 * CONNECTIONS as u64).await;

    let (row, findings) = run.finish().await;
    let others = (findings.unknown, findings.connection_lost, findings.without_cursor);
    assert_eq!(others, (0, 0, 0));
    row
}

/// Many that send half a request, or byte by byte, or reset: the others do not notice, and
/// nothing is written of what was not complete.
pub async fn slow_and_half(name: &'static str) -> Row {
    let mut run = Run::start(name, hasty().set("http.body_timeout", "3s"), &crate::plan()).await;
    let address = run.app.client.address.clone();
    let before = run.counts.stored();

    let mut bad = JoinSet::new();
    for number in 0..300 {
        let address = address.clone();
        bad.spawn(async move {
            match number % 3 {
                0 => half_a_body(&address).await,
                1 => byte_by_byte(&address).await,
                _ => reset_midway(&address).await,
            }
        });
    }
    run.until("the others are served", |counts| counts.stored() > before + 2000).await;
    while let Some(ended) = bad.join_next().await {
        ended.expect("no panic");
    }

    run.recovers().await;
    let (row, findings) = run.finish().await;
    let others = (findings.not_stored, findings.unknown, findings.connection_lost);
    assert_eq!(others, (0, 0, 0), "the others do not notice");
    row
}

const HALF: &str = "POST /events HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n\
    content-length: 200\r\n\r\n{\"id\":\"half\",\"type\":\"t\",\"source_type\":\"half\",";

/// Waits for what the service makes of it: an answer, or the end.
async fn half_a_body(address: &str) {
    let mut stream = TcpStream::connect(address).await.expect("a connection");
    stream.write_all(HALF.as_bytes()).await.expect("it is sent");
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer).await;
    let answer = String::from_utf8_lossy(&answer);
    assert!(answer.starts_with("HTTP/1.1 408"), "{answer}");
}

async fn byte_by_byte(address: &str) {
    let mut stream = TcpStream::connect(address).await.expect("a connection");
    for byte in HALF.as_bytes().chunks(1) {
        if stream.write_all(byte).await.is_err() {
            return;
        }
        sleep(Duration::from_millis(25)).await;
    }
}

async fn reset_midway(address: &str) {
    let mut stream = TcpStream::connect(address).await.expect("a connection");
    stream.write_all(HALF.as_bytes()).await.expect("it is sent");
    sleep(Duration::from_millis(100)).await;
    stream.set_zero_linger().expect("a reset");
}

const LEAVERS: usize = 150;
/// More than all others together have in flight meanwhile.
const LEAVERS_DATA: usize = 8 * 1024;
const LEAVER: usize = 500_000;

/// Clients that hang up before the answer: what was accepted is stored, and announced.
pub async fn hanging_up(name: &'static str) -> Row {
    let mut proxy = Proxy::bind().await;
    let mut broker = Broker::with(&Settings::plain().advertised(proxy.port()));
    broker.start().await;
    proxy.serve(broker.address());
    let plan = Plan { singles: 8, batches: 0, ..crate::plan() };
    let mut run = Run::start(name, patient().brokers(&proxy.address()), &plan).await;

    // Answers take their time, so that nobody has one when everybody leaves.
    proxy.set(Mode::Hold);
    let mut journal = Journal::of(LEAVER);
    let mut streams = Vec::new();
    for number in 0..LEAVERS {
        streams.push(leaver(&run, &mut journal, number).await);
    }
    eventually("all are accepted", async || {
        let in_flight = run.app.metric("dual_stream_in_flight_bytes", &[]).await;
        (in_flight >= (LEAVERS * LEAVERS_DATA) as f64).then_some(())
    })
    .await;
    for (number, stream) in streams.into_iter().enumerate() {
        if number % 2 == 0 {
            stream.set_zero_linger().expect("a reset");
        }
        drop(stream);
        journal.note(number, Instant::now(), Verdict::HungUp);
    }
    sleep(Duration::from_millis(300)).await;
    proxy.set(Mode::Pass);
    run.add(journal);

    run.recovers().await;
    run.flows().await;
    let (row, findings) = run.finish().await;
    assert_eq!(findings.unheard, 0, "everything is announced");
    row
}

async fn leaver(run: &Run, journal: &mut Journal, number: usize) -> TcpStream {
    let (id, source_type) = (journal::id(LEAVER, number), run.source_type());
    let data = "x".repeat(LEAVERS_DATA);
    let body = format!(
        r#"{{"id":"{id}","type":"t","source_type":"{source_type}","source_id":"leaver","data":"{data}"}}"#
    );
    let hash = journal::hash(body.as_bytes());
    journal.events.push(Event { source_id: "leaver".into(), hash });
    let mut stream = TcpStream::connect(&run.app.client.address).await.expect("a connection");
    let length = body.len();
    let request = format!(
        "POST /events HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n\
         content-length: {length}\r\n\r\n{body}"
    );
    stream.write_all(request.as_bytes()).await.expect("it is sent");
    stream
}

/// What docs/operations.md says to plan for with the settings of [`overload`]: 64 MiB, four times
/// the bytes in flight, twice the queue of notifications, and 64 KiB for each connection.
const BOUND_KIB: u64 = (64 + 4 * 2 + 2 * 8) * 1024 + 440 * 64;

/// Far more than Kafka takes: the rest is refused with a time to come back, and memory stays
/// within its bound.
pub async fn overload(name: &'static str) -> Row {
    let mut proxy = Proxy::bind().await;
    let mut broker = Broker::with(&Settings::plain().advertised(proxy.port()));
    broker.start().await;
    proxy.serve(broker.address());
    let rest = Duration::ZERO;
    let plan = Plan { singles: 400, batches: 40, data: 20..4000, rest, ..crate::plan() };
    let builder = TestApp::builder()
        .brokers(&proxy.address())
        .set("publisher.max_in_flight_bytes", "2MiB")
        .set("http.max_body", "1MiB")
        .set("publisher.admission_timeout", "200ms");
    let mut run = Run::start(name, builder, &plan).await;

    // Each piece of 64 KiB takes its time: about a megabyte a second.
    proxy.set(Mode::Delay(Duration::from_millis(50)));
    run.until("events are refused", |counts| counts.not_stored() > 2000).await;
    let stored = run.counts.stored();
    run.until("others are stored", |counts| counts.stored() > stored + 1000).await;
    proxy.set(Mode::Pass);

    run.recovers().await;
    let full = run.app.metric("dual_stream_http_requests_total", &["503"]).await;
    assert!(full > 0.0, "the buffer was full");
    let peak = run.app.peak_resident_kib();
    let (row, findings) = run.finish().await;
    assert!(findings.unknown == 0, "Kafka is slow, not gone");
    assert!(peak < BOUND_KIB, "{} MiB", peak / 1024);
    row
}

/// Memory after a while is what it was: 32 MiB are for an allocator that takes its time.
pub async fn memory_over_time(name: &'static str, time: Duration) -> Row {
    let run = Run::start(name, TestApp::builder(), &crate::plan()).await;
    let ends = Instant::now() + time;
    sleep(time / 4).await;
    let early = run.app.resident_kib();
    while Instant::now() < ends {
        run.flows().await;
    }
    let late = run.app.resident_kib();
    let (row, _) = run.finish().await;
    assert!(late < early + 32 * 1024, "from {early} to {late} KiB");
    row
}
