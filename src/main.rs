//! The command line of dual-stream.

use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use clap::{Parser, Subcommand};
use dual_stream::kafka::MockKafka;
use dual_stream::service::{self, Announce, Listeners};
use dual_stream::settings::{Loaded, Settings, process_variables};
use dual_stream::telemetry::{self, Logs};
use dual_stream::{dev, probe, tail};
use futures_util::FutureExt;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::broadcast;
use tokio::time::sleep;

/// Records are allocated by one thread and freed by another, for which glibc's arenas are slow: an
/// event costs 7% less CPU with jemalloc, in batches 29% (docs/performance.md).
#[cfg(all(target_os = "linux", target_pointer_width = "64"))]
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

/// Memory that is free goes back to the system within a second instead of ten: at full load with
/// large batches that is some 10 MB less at the peak, for no CPU that could be measured. jemalloc reads
/// it under this name, as a pointer to text that ends with a zero; `MALLOC_CONF` in the environment
/// goes before it.
#[cfg(all(target_os = "linux", target_pointer_width = "64"))]
// SAFETY: nothing else has the name, and it is what jemalloc takes it for.
#[unsafe(export_name = "malloc_conf")]
static ALLOCATOR_SETTINGS: &[u8; 37] = b"dirty_decay_ms:1000,muzzy_decay_ms:0\0";

/// HTTP ingest in front of Kafka: an event is answered as stored after Kafka's acknowledgement,
/// and then announced on Redis Pub/Sub.
#[derive(Parser)]
#[command(name = "dual-stream", version, after_help = SETTINGS_HELP)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Run the service with the Kafka and the Redis of the settings
    Serve,
    /// Run it without any service: Kafka is mocked in memory, and nothing is kept
    Dev,
    /// Write the events of the log to standard output, one JSON object a line
    #[command(after_help = TAIL_HELP)]
    Tail(tail::Options),
    /// Print the settings in force and where each comes from, secrets masked
    Config,
    /// Ask the service on this machine whether it is ready
    Health {
        /// Only whether it is alive: for container health checks, as a restart mends no Kafka
        #[arg(long)]
        live: bool,
    },
}

const SETTINGS_HELP: &str = "\
Settings come from config/default.toml (built in), then from the file named by
DUAL_STREAM_CONFIG, then from variables such as DUAL_STREAM__KAFKA__BROKERS.
`dual-stream config` prints all of them.";

const TAIL_HELP: &str = "\
A line is {\"cursor\":\"3-42\",\"time\":\"2026-11-01T00:00:00.000Z\",\"event\":{...}}. At the end the
position to go on from is told on standard error.

The simplest event processor:
  dual-stream tail --follow --group billing | ./processor
An event is committed to the group when the processor has taken it out of the pipe.
docs/processing.md says what that promises.";

fn main() -> ExitCode {
    let command = Cli::parse().command;
    match run(command) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("dual-stream: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(command: Command) -> Result<ExitCode, String> {
    let loaded = process_variables().and_then(Loaded::load).map_err(|error| error.to_string())?;
    let settings = loaded.settings.clone();
    match command {
        Command::Serve => serve(settings),
        Command::Dev => develop(settings),
        Command::Tail(options) => follow(settings, options),
        Command::Config => {
            print!("{}", loaded.render());
            Ok(ExitCode::SUCCESS)
        }
        Command::Health { live } => {
            let path = if live { "/livez" } else { "/readyz" };
            let health = probe::ask(settings.admin.listen, path)?;
            println!("{}", health.body);
            Ok(if health.is_good { ExitCode::SUCCESS } else { ExitCode::FAILURE })
        }
    }
}

fn serve(settings: Settings) -> Result<ExitCode, String> {
    let logs = telemetry::init(&settings.log)?;
    run_to_the_end(&logs, async {
        let listeners = Listeners::bind(&settings)?;
        service::run(settings, Announce::Redis, listeners, shutdown(&logs)?).await
    })
}

fn develop(mut settings: Settings) -> Result<ExitCode, String> {
    let logs = telemetry::init(&settings.log)?;
    let partitions = settings.kafka.partitions.max(1);
    let kafka = MockKafka::start(&settings.kafka.topic, partitions)?;
    settings.kafka.brokers = kafka.brokers();
    settings.kafka.create_topic = false;
    // What is set for a real cluster, TLS for one, would keep the mock out of reach.
    settings.kafka.options.clear();
    // A question that waits there for something new is not woken by it.
    settings.reader.tail_wait = settings.reader.tail_wait.min(dev::TAIL_WAIT);
    run_to_the_end(&logs, async {
        let listeners = Listeners::bind(&settings)?;
        let (announce, announced) = broadcast::channel(dev::SHOWN_AT_ONCE);
        println!("{}", dev::greeting(&settings, &listeners));
        tokio::spawn(dev::show(announced));
        service::run(settings, Announce::Local(announce), listeners, shutdown(&logs)?).await
    })
}

fn follow(settings: Settings, options: tail::Options) -> Result<ExitCode, String> {
    let logs = telemetry::init(&settings.log)?;
    run_to_the_end(&logs, async {
        let (shutdown, stop) = (shutdown(&logs)?, Arc::new(AtomicBool::new(false)));
        let stops = Arc::clone(&stop);
        tokio::spawn(async move {
            shutdown.await;
            stops.store(true, Ordering::Relaxed);
        });
        let tail = tokio::task::spawn_blocking(move || tail::run(&settings, &options, &stop));
        tail.await.map_err(|error| error.to_string())?
    })
}

fn run_to_the_end(
    logs: &Logs,
    service: impl Future<Output = Result<(), String>>,
) -> Result<ExitCode, String> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| format!("cannot start the runtime: {error}"))?;
    let end = runtime.block_on(service);
    // Dropped, it would wait for what blocks, for however long. What had to be done is done.
    runtime.shutdown_background();
    logs.end();
    end.map(|()| ExitCode::SUCCESS)
}

/// For how long a further signal is taken for the same: some tools signal a process and its group.
const SAME_SIGNAL: Duration = Duration::from_millis(500);

/// Resolves at the first SIGTERM or SIGINT. A second one ends the process at once.
fn shutdown(logs: &Logs) -> Result<impl Future<Output = ()> + use<>, String> {
    let handler = |kind| signal(kind).map_err(|error| format!("cannot catch signals: {error}"));
    let mut terminate = handler(SignalKind::terminate())?;
    let mut interrupt = handler(SignalKind::interrupt())?;
    let logs = logs.clone();
    Ok(async move {
        either(&mut terminate, &mut interrupt).await;
        tokio::spawn(async move {
            sleep(SAME_SIGNAL).await;
            // What came meanwhile is forgotten.
            let _ = either(&mut terminate, &mut interrupt).now_or_never();
            either(&mut terminate, &mut interrupt).await;
            tracing::warn!("a second signal: stopping at once");
            logs.end();
            std::process::exit(130);
        });
    })
}

async fn either(terminate: &mut Signal, interrupt: &mut Signal) {
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
}
