//! Readers of the pipe: slow ones, and those that go.

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Read};
use std::process::ChildStdout;
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use serde_json::Value;

use crate::command::Tail;
use crate::harness::eventually;
use crate::log::{Log, Record, a_moment};

/// Reads so many lines and not a byte more.
fn take_lines(stdout: &mut ChildStdout, count: usize) -> Vec<Value> {
    let (mut lines, mut line, mut byte) = (Vec::new(), Vec::new(), [0]);
    while lines.len() < count {
        stdout.read_exact(&mut byte).expect("a byte");
        line.push(byte[0]);
        if byte[0] == b'\n' {
            lines.push(serde_json::from_slice(&line).expect("JSON"));
            line.clear();
        }
    }
    lines
}

fn number(line: &Value) -> usize {
    let id = line["event"]["id"].as_str().expect("an id");
    id.rsplit('-').next().and_then(|number| number.parse().ok()).expect("a number")
}

#[tokio::test]
async fn what_a_reader_that_goes_has_not_taken_is_not_committed() {
    let log = Log::new(1).await;
    log.events("a", 2000).await;
    let mut tail = Tail::unread(&log, &["--follow", "--group", "billing"], &[]);
    let mut stdout = tail.stdout();
    let taken = tokio::task::spawn_blocking(move || take_lines(&mut stdout, 700)).await.unwrap();
    // The reader is gone with its end of the pipe, which had some hundreds more in it.
    let ended = tail.end().await.succeeds();
    assert_eq!(taken.iter().map(number).collect::<Vec<_>>(), (0..700).collect::<Vec<_>>());
    assert_eq!(log.committed("billing", 0), Some(700), "{}", ended.errors);
    assert!(ended.errors.starts_with("dual-stream tail: 700 events taken;"), "{}", ended.errors);

    let rest = Tail::run(&log, &["--group", "billing"]).await.succeeds();
    assert_eq!(rest.lines.iter().map(number).collect::<Vec<_>>(), (700..2000).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_closed_pipe_ends_it_quietly_though_nothing_comes() {
    let log = Log::new(2).await;
    log.events("a", 10).await;
    let mut tail = Tail::unread(&log, &["--follow"], &[]);
    let mut stdout = tail.stdout();
    tokio::task::spawn_blocking(move || take_lines(&mut stdout, 3)).await.unwrap();
    let ended = tail.end().await.succeeds();
    let lines: Vec<_> = ended.errors.lines().collect();
    assert!(lines.len() == 1 && lines[0].contains("3 events taken"), "{}", ended.errors);
    // Where it told to go on the other seven come.
    let rest = Tail::run(&log, &["--from", &ended.position()]).await.succeeds();
    assert_eq!(rest.lines.len(), 7);
}

#[tokio::test]
async fn what_the_pipe_held_when_it_was_told_to_stop_is_taken_before_it_is_committed() {
    let log = Log::new(1).await;
    log.events("a", 2000).await;
    let mut tail = Tail::unread(&log, &["--follow", "--group", "billing"], &[]);
    let mut stdout = tail.stdout();
    let (mut stdout, first) = tokio::task::spawn_blocking(move || {
        let lines = take_lines(&mut stdout, 10);
        (stdout, lines)
    })
    .await
    .unwrap();
    tail.signal(Signal::SIGTERM);
    a_moment().await;
    assert!(!tail.has_ended(), "the reader is still at it");
    let rest = tokio::task::spawn_blocking(move || {
        let mut rest = String::new();
        stdout.read_to_string(&mut rest).unwrap();
        rest
    });
    let ended = tail.end().await.succeeds();
    let rest = rest.await.unwrap();
    assert!(rest.ends_with('\n'), "no line is torn");
    let taken = first.len() + rest.lines().count();
    assert!(taken < 2000, "it ended before the end of the log");
    assert_eq!(log.committed("billing", 0), Some(taken as i64), "{}", ended.errors);
}

#[tokio::test]
async fn a_reader_that_takes_nothing_does_not_keep_it_from_ending() {
    let log = Log::new(1).await;
    log.events("a", 2000).await;
    let grace = [
        ("DUAL_STREAM__KAFKA__MESSAGE_TIMEOUT", "1s"),
        ("DUAL_STREAM__HTTP__REQUEST_TIMEOUT", "3s"),
        ("DUAL_STREAM__HTTP__BODY_TIMEOUT", "1s"),
        ("DUAL_STREAM__SHUTDOWN__GRACE", "11s"),
    ];
    let mut tail = Tail::unread(&log, &["--follow", "--group", "billing"], &grace);
    let mut stdout = tail.stdout();
    let mut byte = [0];
    let _pipe = tokio::task::spawn_blocking(move || {
        stdout.read_exact(&mut byte).unwrap();
        stdout
    })
    .await
    .unwrap();
    let start = Instant::now();
    let ended = tail.stop().await.succeeds();
    assert!(start.elapsed() < Duration::from_secs(10));
    assert!(ended.errors.contains("0 events taken"), "{}", ended.errors);
}

#[tokio::test]
async fn a_reader_that_stalls_costs_little_memory_and_keeps_its_place_in_the_group() {
    let log = Log::new(4).await;
    let large = "x".repeat(10_000);
    let mut written = BTreeSet::new();
    for round in 0..12 {
        let ids: Vec<_> = (0..500).map(|number| format!("a-{round}-{number}")).collect();
        let record = |(number, id): (usize, &String)| {
            let value = format!(r#"{{"id":"{id}","x":"{large}"}}"#);
            Record::event("owner/repo", id).value(&value).partition(number as i32 % 4)
        };
        log.write(ids.iter().enumerate().map(record)).await;
        written.extend(ids);
    }
    let arguments = ["--follow", "--group", "billing"];
    let short = [
        ("DUAL_STREAM__KAFKA__OPTIONS__SESSION_TIMEOUT_MS", "6000"),
        ("DUAL_STREAM__KAFKA__OPTIONS__MAX_POLL_INTERVAL_MS", "6000"),
        ("DUAL_STREAM__LOG__LEVEL", "debug"),
    ];
    let mut stalled = Tail::unread(&log, &arguments, &short);
    let mut stdout = stalled.stdout();
    let (stdout, mut seen) = tokio::task::spawn_blocking(move || {
        let lines = take_lines(&mut stdout, 1);
        (stdout, crate::command::ids(&lines))
    })
    .await
    .unwrap();
    // Longer than a member may go unheard.
    tokio::time::sleep(Duration::from_secs(9)).await;
    let other = Tail::reading(Tail::unread(&log, &arguments, &short));
    // It gets its half though the first one's reader has not moved.
    other.has(1000).await;
    let peak = stalled.peak_kib();
    assert!(peak < 110 * 1024, "{peak} KiB for 60 MB");

    let rest = std::thread::spawn(move || {
        let lines = BufReader::new(stdout).lines().map_while(Result::ok);
        lines.map(|line| serde_json::from_str(&line).expect("JSON")).collect::<Vec<Value>>()
    });
    let all = written.len();
    eventually("the other half is read", async || {
        let left = (0..4).map(|partition| log.committed("billing", partition).unwrap_or(0));
        (left.sum::<i64>() >= all as i64).then_some(())
    })
    .await;
    let errors = stalled.stop().await.succeeds().errors;
    assert!(!errors.contains("maximum poll interval"), "{errors}");
    seen.extend(crate::command::ids(&rest.join().unwrap()));
    seen.extend(other.stop().await.succeeds().ids());
    let once: BTreeSet<_> = seen.iter().cloned().collect();
    assert!(once == written, "{} of {all} events", once.len());
    // What lay in the pipe when its partition went.
    assert!(seen.len() < all + 100, "{} repeats", seen.len() - all);
}
