//! The oracle for streams: whatever breaks, every reader has every event that it follows.
//!
//! Writers at full speed through two instances of the service, and readers that stay, leave, lag,
//! stall and come again as chance has it, over Server-Sent Events and over WebSockets. One thing
//! after the other breaks; after each, what every reader noted is held against the log, which a
//! plain consumer has read. `make test` runs each fault once, `make soak` draws them for as long as
//! one likes.

#![allow(clippy::expect_used, clippy::unwrap_used, reason = "a test fails by them")]
#![allow(unreachable_pub, reason = "a test binary has no outside")]

mod audience;
mod book;
mod faults;
#[path = "../harness/mod.rs"]
mod harness;
mod instances;
mod judge;
mod line;
mod log;
mod reader;
mod report;
mod roster;
mod socket;
mod subscription;
mod wanted;
mod world;

use std::path::Path;
use std::time::{Duration, Instant};

use audience::Found;
use faults::FAULTS;
use harness::page;
use world::World;

/// The most memory of an instance, however long it runs.
const MEMORY_KIB: u64 = 200 * 1024;

/// `SEED` repeats what is drawn by chance.
fn seed() -> u64 {
    let given = std::env::var("SEED").ok().map(|text| text.parse().expect("SEED is a number"));
    given.unwrap_or_else(|| fastrand::u64(..1 << 32))
}

#[tokio::test(flavor = "multi_thread")]
async fn every_reader_has_every_event_whatever_breaks() {
    let mut world = World::start(seed()).await;
    for fault in FAULTS {
        let (_, lasts) = world.draw(&FAULTS, 1000);
        world.turn(fault, lasts).await;
    }
    finish(&world);
}

/// Faults drawn by chance for `SOAK` minutes.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "as long as one likes: make soak"]
async fn soak() {
    let minutes: f64 = std::env::var("SOAK").map_or(30.0, |text| text.parse().expect("minutes"));
    let ends = Instant::now() + Duration::from_secs_f64(60.0 * minutes);
    let mut world = World::start(seed()).await;
    let telling = world.tell();
    while Instant::now() < ends {
        let (fault, lasts) = world.draw(&FAULTS, 8000);
        world.turn(fault, lasts).await;
    }
    telling.abort();
    finish(&world);
    if let Some(page) = std::env::var_os("SOAK_PAGE") {
        let text = format!("{}\n{minutes} minutes: {}.\n", world.report.table(), world.line());
        page::write_into(Path::new(&page), "make soak", &text).expect("the page is written");
    }
}

fn finish(world: &World) {
    let Found { all, sockets } = world.report.sum();
    eprintln!("\n{}\n    in all: {}", world.report.table(), world.line());
    assert!(world.by_kafka() > 0, "only Redis delivered: the faults did not bite");
    assert!(world.by_redis() > 0 && all.early > 0, "nothing came early");
    for sum in [all, sockets] {
        assert!(sum.resumed > 0 && sum.recent > 0, "{sum:?}");
    }
    assert!(world.peak_kib() < MEMORY_KIB, "an instance took {} KiB", world.peak_kib());
}
