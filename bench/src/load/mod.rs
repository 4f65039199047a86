//! The load generator, a process of its own. It shares the machine with what it measures, so it is
//! made to be cheap: requests are encoded once, answers only parsed as far as needed.

mod connection;
mod event;
mod pace;
mod questions;
mod replay;
mod request;
mod streams;
mod tally;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Result, anyhow};
use clap::Args;
use tokio::task::LocalSet;
use tokio::time::timeout_at;

pub use event::{SOURCES, Template, write_digits};
pub use replay::{Replay, run as replay};
pub use streams::{Streams, run as streams};

use crate::outcome::Outcome;
use crate::window::{Timing, Watched, Window};
use crate::work::Shape;
use connection::Connection;
use pace::Pace;
use questions::Questions;
use request::Requests;
use tally::{SharedTally, Tally};

/// How long answers are waited for after the window.
const PATIENCE: Duration = Duration::from_secs(15);
/// How long a connection that broke waits before it is opened again.
const RECONNECT_PAUSE: Duration = Duration::from_millis(20);

#[derive(Args)]
pub struct Load {
    /// Where the contestant listens, host:port
    #[arg(long)]
    target: String,
    #[arg(long, default_value_t = 64)]
    connections: usize,
    /// A file of questions, one a line, to be asked instead of posting events
    #[arg(long)]
    questions: Option<PathBuf>,
    /// Events a second for an open loop; without it, the loop is closed
    #[arg(long)]
    rate: Option<f64>,
    #[command(flatten)]
    shape: Shape,
    #[command(flatten)]
    timing: Timing,
    #[command(flatten)]
    watched: Watched,
}

/// What all connections know.
struct Plan {
    target: String,
    shape: Shape,
    questions: Option<Questions>,
    pace: Pace,
    window: Window,
}

/// What a connection sends.
enum Sent {
    Events(Requests),
    Questions(Questions),
}

impl Sent {
    fn next(&mut self) -> &[u8] {
        match self {
            Sent::Events(requests) => requests.next(),
            Sent::Questions(questions) => questions.next(),
        }
    }
}

/// Runs the load, prints a line when the window begins, and then what came of it.
pub fn run(load: Load) -> Result<()> {
    let window = load.timing.window();
    let rate = load.rate.map(|events| events / load.shape.events() as f64);
    let pace = Pace::new(rate, window.start);
    let questions = load.questions.map(|file| Questions::read(&file, &load.target)).transpose()?;
    let plan = Arc::new(Plan {
        target: load.target,
        shape: load.shape,
        questions,
        pace: pace.clone(),
        window,
    });
    // Two threads without stealing: one alone would be the limit of what is fast.
    let threads = load.connections.min(2);
    let workers: Vec<_> = (0..threads)
        .map(|thread| {
            let plan = Arc::clone(&plan);
            let connections: Vec<_> = (thread..load.connections).step_by(threads).collect();
            std::thread::spawn(move || run_thread(&plan, connections))
        })
        .collect();
    let pacer = std::thread::spawn(move || {
        pace.run(window.end);
        pace.unsent()
    });

    let cpu = window.watch(&load.watched.and_this_one("load"))?;
    let unsent = pacer.join().map_err(|_| anyhow!("the pacer panicked"))?;
    let mut tally = Tally::new();
    for worker in workers {
        tally.add(&worker.join().map_err(|_| anyhow!("a load thread panicked"))??);
    }
    let outcome = Outcome { cpu, unsent: unsent as u64, ..tally.outcome(window) };
    println!("{}", serde_json::to_string(&outcome)?);
    Ok(())
}

fn run_thread(plan: &Arc<Plan>, connections: Vec<usize>) -> Result<Tally> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let tally = SharedTally::default();
    let open = connections.len();
    let local = LocalSet::new();
    let done: Vec<_> = connections
        .into_iter()
        .map(|number| local.spawn_local(connect_and_ask(Arc::clone(plan), number, tally.clone())))
        .collect();
    let answered = runtime.block_on(local.run_until(async {
        let deadline = (plan.window.end + PATIENCE).into();
        let mut answered = 0;
        for task in done {
            answered += usize::from(matches!(timeout_at(deadline, task).await, Ok(Ok(()))));
        }
        answered
    }));
    drop(local);
    let mut tally = tally.take();
    tally.unanswered = (open - answered) as u64;
    Ok(tally)
}

/// Asks until the window ends, on a new connection when one breaks.
async fn connect_and_ask(plan: Arc<Plan>, number: usize, tally: SharedTally) {
    let mut requests = match &plan.questions {
        Some(questions) => Sent::Questions(questions.of_connection(number)),
        None => Sent::Events(Requests::new(plan.shape, &plan.target, number)),
    };
    while Instant::now() < plan.window.end {
        if ask(&plan, &mut requests, &tally).await.is_ok() {
            return;
        }
        tally.failed(0);
        tokio::time::sleep(RECONNECT_PAUSE).await;
    }
}

async fn ask(plan: &Plan, requests: &mut Sent, tally: &SharedTally) -> Result<()> {
    let mut connection = Connection::open(&plan.target).await?;
    while let Some(since) = plan.pace.next().await {
        if since >= plan.window.end {
            break;
        }
        let status = connection.ask(requests.next()).await?;
        match status {
            200 | 201 => tally.stored(plan.shape.events() as u64, since, plan.window),
            other => tally.failed(other),
        }
    }
    Ok(())
}
