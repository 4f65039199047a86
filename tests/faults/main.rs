//! Faults injected on purpose, and an oracle that holds every answer against the log.
//!
//! `make test` runs the short form, under less load and some scenarios side by side; `make faults`
//! runs all of it, and `make soak-writes MINUTES=…` the last scenario for as long as one likes. The names
//! of scenarios are arguments, as with any test.

#![allow(clippy::expect_used, clippy::unwrap_used, reason = "a test fails by them")]
#![allow(unreachable_pub, reason = "a test binary has no outside")]

mod ears;
mod fake_redis;
#[path = "../harness/mod.rs"]
mod harness;
mod oracle;
mod readers;
mod report;
mod run;
mod scenarios;

use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::future::LocalBoxFuture;
use libtest_mimic::{Arguments, Trial};
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use parking_lot::RwLock;

use harness::load::{connection, journal, traffic, verdicts};
use harness::page;
use report::Row;
use scenarios::{broker, clients, cluster, errors, limits, network, reading, redis, service, soak};
use traffic::Plan;

/// Whether a scenario belongs to the short form, and whether it has the machine for itself there.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Form {
    Short,
    Alone,
    Full,
}

/// How many scenarios of the short form run at a time: they wait for brokers more than they compute.
const SIDE_BY_SIDE: usize = 3;

type Scenario = fn(&'static str) -> LocalBoxFuture<'static, Row>;

macro_rules! scenarios {
    ($($form:ident $name:literal $path:path;)*) => {
        [$((Form::$form, $name, (|name| Box::pin($path(name))) as Scenario)),*]
    };
}

fn all() -> Vec<(Form, &'static str, Scenario)> {
    scenarios! {
        Short "broker killed and started again" broker::killed;
        Short "broker frozen for longer than the message timeout" broker::frozen;
        Full "broker restarted in order" broker::restarted;
        Full "broker absent at the start" broker::absent_at_start;
        Full "errors that are retried" errors::retried;
        Short "errors that are permanent" errors::permanent;
        Short "errors that are fatal to the producer" errors::fatal;
        Full "answers of Kafka late, then too late" errors::latency;
        Short "three brokers, the leader killed" cluster::leader_killed;
        Full "three brokers, two killed" cluster::two_killed;
        Full "three brokers rolled" cluster::rolled;
        Full "connections reset" network::resets;
        Full "answers of Kafka lost for a moment" network::answers_lost_for_a_moment;
        Short "answers of Kafka lost for long" network::answers_lost_for_long;
        Full "black hole" network::black_hole;
        Full "delays" network::delays;
        Short "topic takes smaller messages" limits::smaller_messages;
        Full "topic turns to smaller messages" limits::messages_become_smaller;
        Full "topic deleted and made again" limits::topic_deleted;
        Short "partitions added" limits::partitions_added;
        Full "right to write revoked" limits::rights_revoked;
        Short "broker killed while events are read" reading::broker_killed;
        Full "broker frozen while events are read" reading::broker_frozen;
        Short "Redis killed and started again" redis::killed;
        Full "Redis frozen" redis::frozen;
        Full "Redis paused" redis::paused;
        Full "Redis cuts connections" redis::connections_cut;
        Full "Redis changes its password" redis::password_changed;
        Full "Redis out of memory" redis::out_of_memory;
        Short "Redis answers garbage" redis::garbage;
        Short "SIGTERM under load" service::terminated;
        Full "SIGTERM while Kafka is frozen" service::terminated_while_kafka_is_frozen;
        Short "SIGKILL" service::killed;
        Full "5,000 connections" clients::thousands;
        Alone "slow, half-sent and reset requests" clients::slow_and_half;
        Short "clients that hang up" clients::hanging_up;
        Alone "more than Kafka takes" clients::overload;
        Full "memory over time" memory_over_time;
        Short "soak" by_chance;
    }
    .into()
}

/// `MINUTES` sets how long the soak lasts.
fn minutes() -> Option<f64> {
    std::env::var("MINUTES").ok().map(|text| text.parse().expect("MINUTES is a number"))
}

async fn memory_over_time(name: &'static str) -> Row {
    clients::memory_over_time(name, Duration::from_secs(60)).await
}

async fn by_chance(name: &'static str) -> Row {
    let seed = std::env::var("SEED").ok().map(|text| text.parse().expect("SEED is a number"));
    let time = Duration::from_secs_f64(60.0 * minutes().unwrap_or(0.2));
    soak::soak(name, time, seed.unwrap_or_else(|| fastrand::u64(..))).await
}

fn main() {
    let mut arguments = Arguments::from_args();
    allow_descriptors();
    // In its full form each has the machine for itself: they are about load.
    arguments.test_threads = Some(if is_full() { 1 } else { SIDE_BY_SIDE });
    let rows = Arc::new(Mutex::new(Vec::new()));
    let machine = Arc::new(RwLock::new(()));
    let trials = chosen(&arguments).into_iter().map(|(form, name, scenario)| {
        let (rows, machine) = (Arc::clone(&rows), Arc::clone(&machine));
        Trial::test(name, move || {
            let (_alone, _shared) = match form {
                Form::Alone => (Some(machine.write()), None),
                Form::Short | Form::Full => (None, Some(machine.read())),
            };
            // The name of the scenario has no line of its own.
            eprintln!();
            let row = runtime().block_on(scenario(name));
            rows.lock().expect("no panic").push(row);
            Ok(())
        })
    });
    let conclusion = libtest_mimic::run(&arguments, trials.collect());
    let rows = std::mem::take(&mut *rows.lock().expect("no panic"));
    println!("{}", report::table(&rows));
    let is_whole = arguments.filter.is_none() && !arguments.list && !conclusion.has_failed();
    if let Some(page) = std::env::var_os("FAULTS_PAGE").filter(|_| is_whole) {
        let written = page::write_into(Path::new(&page), "make faults", &report::table(&rows));
        written.expect("the page is written");
    }
    conclusion.exit();
}

/// All with `FAULTS=full` or when some are named; else the short form, and says so.
fn chosen(arguments: &Arguments) -> Vec<(Form, &'static str, Scenario)> {
    let mut chosen = all();
    if !is_full() && arguments.filter.is_none() {
        let of = chosen.len();
        chosen.retain(|(form, ..)| *form != Form::Full);
        // The longest is last in the table. Nothing waits for those that are alone, and then they
        // for nothing.
        chosen.reverse();
        chosen.sort_by_key(|(form, ..)| *form == Form::Alone);
        println!(
            "the short form: {} of {of} scenarios; all of them by `make faults`",
            chosen.len()
        );
    }
    chosen
}

fn is_full() -> bool {
    std::env::var_os("FAULTS").is_some_and(|form| form == "full")
}

/// The writers of most scenarios: as many as go in the full form; in the short one some scenarios
/// share the machine.
fn plan() -> Plan {
    let full = Plan {
        singles: 24,
        batches: 6,
        batch_size: 50,
        first: 0,
        data: 20..900,
        rest: Duration::ZERO,
        seed: 1,
    };
    if is_full() {
        full
    } else {
        Plan { singles: 12, batches: 3, rest: Duration::from_millis(2), ..full }
    }
}

/// Enough for the scenario with the most connections, in this process and in those it starts.
fn allow_descriptors() {
    let (_, most) = getrlimit(Resource::RLIMIT_NOFILE).expect("a limit");
    let needed = clients::CONNECTIONS as u64 + 1000;
    assert!(most >= needed, "{needed} open files are needed, and {most} allowed: see ulimit -Hn");
    setrlimit(Resource::RLIMIT_NOFILE, most.min(65_536), most).expect("within the hard limit");
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime")
}
