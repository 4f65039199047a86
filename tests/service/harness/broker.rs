//! A Kafka broker of the test's own, for faults that the shared one must not have.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use nix::sys::signal::Signal;

use super::process::Process;
use super::{eventually, free_port, required};

/// A broker on a fixed port, with a data directory that outlives its process.
pub struct Broker {
    process: Option<Process>,
    port: u16,
    directory: tempfile::TempDir,
}

const CLUSTER: &str = "dualstreamtestsaaaaaaa";

impl Broker {
    /// A broker that is formatted and not started.
    pub fn new() -> Self {
        let port = free_port();
        let directory = tempfile::tempdir().expect("a directory");
        let broker = Broker { process: None, port, directory };
        std::fs::write(broker.properties(), broker.settings()).expect("the settings are written");
        let status = kafka("kafka.tools.StorageTool")
            .args(["format", "-t", CLUSTER, "-c"])
            .arg(broker.properties())
            .stdout(Stdio::null())
            .status()
            .expect("java runs");
        assert!(status.success(), "cannot format the broker's storage: {status}");
        broker
    }

    pub fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// Starts it and waits until it takes connections.
    pub async fn start(&mut self) {
        let log = std::fs::File::create(self.directory.path().join("broker.log")).expect("a log");
        let process = Process::spawn(
            kafka("kafka.Kafka")
                .arg(self.properties())
                .stdout(log.try_clone().expect("a log"))
                .stderr(log),
        );
        self.process = Some(process);
        let address = self.address();
        eventually("the broker listens", async || std::net::TcpStream::connect(&address).ok())
            .await;
    }

    /// Ends it without a goodbye.
    pub async fn kill(&mut self) {
        let mut process = self.process.take().expect("it runs");
        process.signal(Signal::SIGKILL);
        process.wait(Duration::from_secs(10)).await;
    }

    /// Stops it in its tracks: connections stay open, and nothing is answered.
    pub fn freeze(&self) {
        self.process.as_ref().expect("it runs").signal(Signal::SIGSTOP);
    }

    pub fn thaw(&self) {
        self.process.as_ref().expect("it runs").signal(Signal::SIGCONT);
    }

    fn properties(&self) -> PathBuf {
        self.directory.path().join("server.properties")
    }

    fn settings(&self) -> String {
        let (port, controller) = (self.port, free_port());
        let data = self.directory.path().join("data");
        format!(
            "process.roles=broker,controller\n\
             node.id=1\n\
             controller.quorum.voters=1@127.0.0.1:{controller}\n\
             controller.listener.names=CONTROLLER\n\
             listeners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller}\n\
             advertised.listeners=PLAINTEXT://127.0.0.1:{port}\n\
             listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT\n\
             log.dirs={}\n\
             auto.create.topics.enable=false\n\
             offsets.topic.replication.factor=1\n",
            data.display()
        )
    }
}

fn kafka(class: &str) -> Command {
    let libraries = required("KAFKA_LIBS");
    assert!(Path::new(&libraries).is_dir(), "KAFKA_LIBS = {libraries} is no directory");
    let mut command = Command::new("java");
    command.args(["-Xmx256m", "-cp", &format!("{libraries}/*"), class]).stdin(Stdio::null());
    command
}
