//! Who takes part, and how each is started.

use std::fmt;
use std::path::PathBuf;
use std::process::Command;

use serde::{Deserialize, Serialize};

use super::services::Services;
use crate::work::Redis;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Contestant {
    Service,
    /// Another build of the service, to compare with.
    Other,
    Bare,
    Raw,
    /// Kafka without HTTP, reading.
    Consumer,
    /// Streams without Kafka.
    Relay,
    Go,
    GoTuned,
    Node,
    Naive,
}

use Contestant::{Bare, Consumer, Go, GoTuned, Naive, Node, Other, Raw, Relay, Service};

/// All that answer HTTP and store.
pub const GLUE: [Contestant; 4] = [Go, GoTuned, Node, Naive];

impl fmt::Display for Contestant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Service => "dual-stream",
            Other => "other build",
            Bare => "bare axum",
            Raw => "raw producer",
            Consumer => "plain consumer",
            Relay => "plain relay",
            Go => "Go",
            GoTuned => "Go, tuned",
            Node => "Node",
            Naive => "Rust, naive",
        })
    }
}

/// Where programs lie: `target/release` and `target/bench/peers`.
pub struct Programs {
    release: PathBuf,
    peers: PathBuf,
    /// Another build of the service.
    other: Option<PathBuf>,
}

impl Programs {
    pub fn below(target: &std::path::Path, other: Option<PathBuf>) -> Self {
        Programs { release: target.join("release"), peers: target.join("bench/peers"), other }
    }

    fn service(&self) -> PathBuf {
        self.release.join("dual-stream")
    }

    fn file(&self, contestant: Contestant) -> Option<PathBuf> {
        match contestant {
            Service => Some(self.service()),
            Other => self.other.clone(),
            Bare | Raw | Consumer | Relay => None,
            Go | GoTuned => Some(self.peers.join("go/glue")),
            Node => Some(self.peers.join("node/ready")),
            Naive => Some(self.release.join("naive")),
        }
    }

    /// Why a contestant cannot take part, if so: what `scripts/bench` wrote down.
    pub fn missing(&self, contestant: Contestant) -> Option<String> {
        let file = self.file(contestant)?;
        if file.exists() {
            return None;
        }
        let directory = file.parent()?;
        let reason = std::fs::read_to_string(directory.with_extension("skipped")).ok();
        Some(reason.map_or_else(|| format!("no {}", file.display()), |text| text.trim().to_owned()))
    }

    /// The service without Kafka and Redis.
    pub fn dev(&self, listen: &str) -> Command {
        let mut command = Command::new(self.service());
        command.arg("dev").env_clear();
        service_variables(&mut command, listen);
        command
    }

    /// A contestant that answers HTTP, ready to be started.
    pub fn command(
        &self,
        contestant: Contestant,
        listen: &str,
        topic: &str,
        redis: Redis,
        services: &Services,
    ) -> Command {
        let mut command = match contestant {
            Service => Command::new(self.service()),
            Other => Command::new(self.other.clone().unwrap_or_else(|| self.service())),
            Go | GoTuned => Command::new(self.peers.join("go/glue")),
            Naive => Command::new(self.release.join("naive")),
            Node => Command::new("node"),
            Bare | Raw | Consumer | Relay => Command::new(super::this_program()),
        };
        if matches!(contestant, Service | Other) {
            command.arg("serve").env_clear();
            service_variables(&mut command, listen);
            command
                .env("DUAL_STREAM__KAFKA__BROKERS", &services.brokers)
                .env("DUAL_STREAM__KAFKA__TOPIC", topic)
                .env("DUAL_STREAM__REDIS__URL", &services.redis_url);
            if redis == Redis::Off {
                command.env("DUAL_STREAM__NOTIFY__CHANNELS", "");
            }
            return command;
        }
        command
            .env("LISTEN", listen)
            .env("KAFKA_BROKERS", &services.brokers)
            .env("KAFKA_TOPIC", topic)
            .env("REDIS_URL", if redis == Redis::Off { "" } else { &services.redis_url });
        match contestant {
            Bare => drop(command.arg("bare")),
            Relay => drop(command.arg("relay")),
            GoTuned => drop(command.env("TUNED", "1")),
            Node => drop(command.current_dir(self.peers.join("node")).arg("glue.js")),
            _ => {}
        }
        command
    }
}

fn service_variables(command: &mut Command, listen: &str) {
    command
        .env("DUAL_STREAM__HTTP__LISTEN", listen)
        .env("DUAL_STREAM__ADMIN__LISTEN", "127.0.0.1:0")
        .env("DUAL_STREAM__LOG__FORMAT", "json");
}
