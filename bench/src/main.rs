//! What dual-stream costs, measured in one run against its limits and against glue that teams
//! write by hand.
//!
//! `run` starts one contestant after the other, each as a process, puts the load generator
//! (`load`, a process, too) on it, and reports. `bare` and `raw` are the two limits: HTTP without
//! Kafka, and Kafka without HTTP. See `docs/performance.md`.

#![allow(unreachable_pub, reason = "a program has no outside")]

mod contestants;
mod load;
mod outcome;
mod report;
mod run;
mod watch;
mod window;
mod work;

use std::net::SocketAddr;

use anyhow::Result;
use clap::{Parser, Subcommand};

#[derive(Parser)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Measure everyone; needs a Kafka and a Redis: run it by make bench
    Run(run::Run),
    /// The load generator
    Load(load::Load),
    /// Bare axum, which answers without storing
    Bare {
        #[arg(long, env = "LISTEN")]
        listen: SocketAddr,
    },
    /// librdkafka without HTTP
    Raw(contestants::raw::Raw),
    /// A plain relay of what is posted to those who follow
    Relay {
        #[arg(long, env = "LISTEN")]
        listen: SocketAddr,
    },
    /// Many streams, and posts meanwhile
    Streams(load::Streams),
    /// A plain consumer of a whole topic
    Consume(contestants::consumer::Consume),
    /// A replay as lines, read to its end
    Replay(load::Replay),
}

fn main() -> Result<()> {
    match Cli::parse().command {
        Command::Run(run) => run::run(&run),
        Command::Load(load) => load::run(load),
        Command::Bare { listen } => contestants::bare::run(listen),
        Command::Raw(raw) => contestants::raw::run(raw),
        Command::Relay { listen } => contestants::relay::run(listen),
        Command::Streams(streams) => load::streams(streams),
        Command::Consume(consume) => contestants::consumer::run(consume),
        Command::Replay(replay) => load::replay(replay),
    }
}
