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
        Self::with(|port| PLAIN.replace("PORT", &port.to_string()))
    }

    /// The same, for one user with a password only (SASL/PLAIN).
    pub fn for_user(user: &str, password: &str) -> Self {
        Self::with(|port| {
            let settings = SASL.replace("PORT", &port.to_string());
            settings.replace("USER", user).replace("PASSWORD", password)
        })
    }

    fn with(listener: impl FnOnce(u16) -> String) -> Self {
        let port = free_port();
        let directory = tempfile::tempdir().expect("a directory");
        let broker = Broker { process: None, port, directory };
        let settings = broker.settings(&listener(port));
        std::fs::write(broker.properties(), settings).expect("the settings are written");
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
        self.process.as_ref().expect("it runs").freeze();
    }

    pub fn thaw(&self) {
        self.process.as_ref().expect("it runs").signal(Signal::SIGCONT);
    }

    fn properties(&self) -> PathBuf {
        self.directory.path().join("server.properties")
    }

    fn settings(&self, listener: &str) -> String {
        let controller = free_port();
        let data = self.directory.path().join("data");
        let common = COMMON.replace("CONTROLLER_PORT", &controller.to_string());
        format!(
            "{common}{listener},CONTROLLER://127.0.0.1:{controller}\nlog.dirs={}\n",
            data.display()
        )
    }
}

const COMMON: &str = "\
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:CONTROLLER_PORT
controller.listener.names=CONTROLLER
auto.create.topics.enable=false
offsets.topic.replication.factor=1
";
/// Ends with the listeners, to which the controller's is added.
const PLAIN: &str = "\
advertised.listeners=PLAINTEXT://127.0.0.1:PORT
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT
listeners=PLAINTEXT://127.0.0.1:PORT";
const SASL: &str = "\
advertised.listeners=SASL_PLAINTEXT://127.0.0.1:PORT
listener.security.protocol.map=SASL_PLAINTEXT:SASL_PLAINTEXT,CONTROLLER:PLAINTEXT
inter.broker.listener.name=SASL_PLAINTEXT
sasl.mechanism.inter.broker.protocol=PLAIN
sasl.enabled.mechanisms=PLAIN
listener.name.sasl_plaintext.plain.sasl.jaas.config=\
org.apache.kafka.common.security.plain.PlainLoginModule required \
username=\"USER\" password=\"PASSWORD\" user_USER=\"PASSWORD\";
listeners=SASL_PLAINTEXT://127.0.0.1:PORT";

fn kafka(class: &str) -> Command {
    let libraries = required("KAFKA_LIBS");
    assert!(Path::new(&libraries).is_dir(), "KAFKA_LIBS = {libraries} is no directory");
    let mut command = Command::new("java");
    command.args(["-Xmx256m", "-cp", &format!("{libraries}/*"), class]).stdin(Stdio::null());
    command
}
