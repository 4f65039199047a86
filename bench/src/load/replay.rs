//! A replay as lines, read to its end as fast as it comes.

use std::time::Instant;

use anyhow::{Result, ensure};
use clap::Args;

use super::connection::Connection;
use super::questions::get;
use crate::outcome::Outcome;
use crate::window::{MEASURING, Watched};

#[derive(Args)]
pub struct Replay {
    /// Where the contestant listens, host:port
    #[arg(long)]
    target: String,
    #[arg(long)]
    path: String,
    /// How many lines there have to be
    #[arg(long)]
    lines: u64,
    /// How many records are looked at for them
    #[arg(long)]
    records: u64,
    #[command(flatten)]
    watched: Watched,
}

/// Reads the replay, and reports the records that were looked at as the load generator does events.
pub fn run(replay: Replay) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let watched = replay.watched.and_this_one("load");
    println!("{MEASURING}");
    let (before, started) = (watched.cpu()?, Instant::now());
    let request = get(&replay.path, &replay.target, "application/x-ndjson");
    let mut lines = 0;
    let status = runtime.block_on(async {
        let mut connection = Connection::open(&replay.target).await?;
        let count = |piece: &[u8]| lines += piece.iter().filter(|byte| **byte == b'\n').count();
        connection.read(&request, count).await
    })?;
    let seconds = started.elapsed().as_secs_f64();
    ensure!(status == 200, "the replay was answered {status}");
    ensure!(lines as u64 == replay.lines, "{lines} lines instead of {}", replay.lines);
    let cpu = watched.since(&before)?;
    let outcome = Outcome { seconds, events: replay.records, cpu, ..Outcome::default() };
    println!("{}", serde_json::to_string(&outcome)?);
    Ok(())
}
