//! The example of an event processor.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use nix::sys::signal::Signal;

use crate::command::assert_same;
use crate::harness::eventually;
use crate::harness::process::Process;
use crate::log::{Log, Record};

/// Builds it: `cargo test --test tail` alone does not.
fn program() -> PathBuf {
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(["build", "--quiet", "--locked", "--example", "event_processor"]);
    if !cfg!(debug_assertions) {
        cargo.arg("--release");
    }
    let status = cargo.current_dir(env!("CARGO_MANIFEST_DIR")).status().expect("cargo runs");
    assert!(status.success(), "{status}");
    // …/deps/tail-123 is this test.
    let test = std::env::current_exe().expect("a path");
    let built = test.parent().and_then(Path::parent).expect("a directory");
    built.join("examples/event_processor")
}

fn start(program: &Path, log: &Log, ledgers: &Path) -> Process {
    Process::spawn(
        Command::new(program)
            .env("KAFKA_BROKERS", &log.brokers)
            .env("KAFKA_TOPIC", &log.topic)
            .env("KAFKA_GROUP", "billing")
            .env("LEDGERS", ledgers)
            .stdin(Stdio::null())
            .stderr(Stdio::piped()),
    )
}

/// The ids in all ledgers.
fn worked_on(ledgers: &Path) -> Vec<String> {
    let files = std::fs::read_dir(ledgers).into_iter().flatten().flatten();
    let texts = files.map(|file| std::fs::read_to_string(file.path()).expect("UTF-8"));
    let id = |line: &str| line.split('\t').next().unwrap_or_default().to_owned();
    texts.flat_map(|text| text.lines().map(id).collect::<Vec<_>>()).collect()
}

#[tokio::test]
async fn killed_in_the_midst_of_its_work_it_does_each_once_and_misses_none() {
    let log = Log::new(4).await;
    let directory = tempfile::tempdir().unwrap();
    let ledgers = directory.path();
    let program = tokio::task::spawn_blocking(program).await.unwrap();
    let mut written = Vec::new();
    for round in 0..3 {
        let before = worked_on(ledgers).len();
        let mut process = start(&program, &log, ledgers);
        let prefix = format!("a-{round}");
        let write = async {
            let ids = log.events(&prefix, 5000).await;
            // A client that got no answer posts again.
            let again = ids.iter().enumerate().step_by(10);
            let again = again.map(|(n, id)| Record::event(&format!("owner/{}", n % 20), id));
            log.write(again).await;
            ids
        };
        let kill = async {
            eventually("it has begun", async || {
                (worked_on(ledgers).len() > before + 300).then_some(())
            })
            .await;
            process.signal(Signal::SIGKILL);
            process.wait(Duration::from_secs(10)).await;
        };
        let (ids, ()) = tokio::join!(write, kill);
        written.extend(ids);
    }
    assert!(worked_on(ledgers).len() < written.len(), "it was killed midway");
    // Two of them share what is left.
    let mut members = [start(&program, &log, ledgers), start(&program, &log, ledgers)];
    eventually("all is done", async || (worked_on(ledgers).len() >= written.len()).then_some(()))
        .await;
    // The repeats at the end, too, before it is looked at whether they did anything.
    eventually("all is committed", async || {
        let behind = (0..4).map(|partition| log.committed("billing", partition).unwrap_or(0));
        (behind.sum::<i64>() as usize == written.len() * 11 / 10).then_some(())
    })
    .await;
    for member in &mut members {
        member.signal(Signal::SIGTERM);
        assert!(member.wait(Duration::from_secs(30)).await.success());
    }
    assert_same(&worked_on(ledgers), &written);
}
