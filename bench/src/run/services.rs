//! Kafka and Redis: those that `scripts/with-services` started, and a Redis to be frozen.

use std::net::TcpListener;
use std::process::{Command, Stdio};

use anyhow::{Context, Result};

use super::process::Process;

/// Where they are.
#[derive(Clone)]
pub struct Services {
    pub brokers: String,
    pub redis_url: String,
    /// Their process ids where they are known, by name.
    pub processes: Vec<(String, u32)>,
}

impl Services {
    pub fn of_environment() -> Result<Self> {
        let given = |name| {
            std::env::var(name).with_context(|| format!("{name} is not set; run it by make bench"))
        };
        let process = |name: &str, variable| {
            let pid = std::env::var(variable).ok()?.parse().ok()?;
            Some((name.to_owned(), pid))
        };
        Ok(Services {
            brokers: given("KAFKA_BROKERS")?,
            redis_url: given("REDIS_URL")?,
            processes: [process("kafka", "KAFKA_PID"), process("redis", "REDIS_PID")]
                .into_iter()
                .flatten()
                .collect(),
        })
    }

    /// The same with a Redis of our own.
    pub fn with_redis(&self, redis: &OwnRedis) -> Self {
        let kafka = self.processes.iter().filter(|(name, _)| name == "kafka").cloned();
        Services { redis_url: redis.url(), processes: kafka.collect(), ..self.clone() }
    }
}

/// A Redis that can be frozen without harm to anyone else.
pub struct OwnRedis {
    pub process: Process,
    port: u16,
    _directory: tempfile::TempDir,
}

impl OwnRedis {
    pub fn start() -> Result<Self> {
        let port = free_port()?;
        let directory = tempfile::tempdir()?;
        let process = Process::start(
            Command::new("redis-server")
                .args(["--bind", "127.0.0.1", "--port", &port.to_string()])
                .args(["--save", "", "--appendonly", "no"])
                .current_dir(directory.path())
                .stdout(Stdio::null()),
        )?;
        Ok(OwnRedis { process, port, _directory: directory })
    }

    fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }
}

/// A port that nothing listens on now.
pub fn free_port() -> Result<u16> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}
