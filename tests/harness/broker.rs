//! Kafka brokers of the test's own, for faults that the shared one must not have.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs::DirEntry;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use nix::sys::signal::Signal;
use parking_lot::Mutex;

use super::process::Process;
use super::{eventually, free_port, required};

/// A broker on a fixed port, with a data directory that outlives its process.
pub struct Broker {
    process: Option<Process>,
    port: u16,
    back_door: Option<u16>,
    directory: tempfile::TempDir,
}

/// How a broker differs from a plain one that is alone.
pub struct Settings {
    node: u16,
    controller: u16,
    /// Whether it is the controller, too.
    controls: bool,
    advertised: Option<u16>,
    /// The port without passwords of a broker that asks for them on the other.
    back_door: Option<u16>,
    more: String,
}

const CLUSTER: &str = "dualstreamtestsaaaaaaa";

impl Settings {
    /// A broker that is its own controller.
    pub fn plain() -> Self {
        Settings {
            node: 1,
            controller: free_port(),
            controls: true,
            advertised: None,
            back_door: None,
            more: String::new(),
        }
    }

    /// For one user with a password (SASL/PLAIN), with a back door for tests and operators.
    pub fn for_user(user: &str, password: &str) -> Self {
        let more = SASL.replace("USER", user).replace("PASSWORD", password);
        Settings { back_door: Some(free_port()), ..Self::plain() }.with(&more)
    }

    /// Clients are told this port, behind which something stands between them and the broker.
    pub fn advertised(mut self, port: u16) -> Self {
        self.advertised = Some(port);
        self
    }

    /// Adds lines to the broker's properties.
    pub fn with(mut self, lines: &str) -> Self {
        self.more.push_str(lines);
        self.more.push('\n');
        self
    }

    fn properties(&self, port: u16, data: &Path) -> String {
        let Settings { node, controller, controls, more, .. } = self;
        let roles = if *controls { "broker,controller" } else { "broker" };
        let (mut listeners, mut advertised) = (Vec::new(), Vec::new());
        let protocol = match self.back_door {
            Some(back_door) => {
                listeners.push(format!("PLAINTEXT://127.0.0.1:{back_door}"));
                advertised.push(format!("PLAINTEXT://127.0.0.1:{back_door}"));
                "SASL_PLAINTEXT"
            }
            None => "PLAINTEXT",
        };
        listeners.push(format!("{protocol}://127.0.0.1:{port}"));
        let told = self.advertised.unwrap_or(port);
        advertised.push(format!("{protocol}://127.0.0.1:{told}"));
        if *controls {
            listeners.push(format!("CONTROLLER://127.0.0.1:{controller}"));
        }
        format!(
            "{COMMON}\
             node.id={node}\n\
             process.roles={roles}\n\
             controller.quorum.voters=1@127.0.0.1:{controller}\n\
             listeners={}\n\
             advertised.listeners={}\n\
             log.dirs={}\n\
             {more}",
            listeners.join(","),
            advertised.join(","),
            data.display()
        )
    }
}

impl Broker {
    /// A broker that is formatted and not started.
    pub fn new() -> Self {
        Self::with(&Settings::plain())
    }

    /// The same, for one user with a password only (SASL/PLAIN).
    pub fn for_user(user: &str, password: &str) -> Self {
        Self::with(&Settings::for_user(user, password))
    }

    /// The same, as the settings say.
    pub fn with(settings: &Settings) -> Self {
        let port = free_port();
        let directory = tempfile::tempdir().expect("a directory");
        let broker = Broker { process: None, port, back_door: settings.back_door, directory };
        let data = broker.directory.path().join("data");
        let text = settings.properties(port, &data);
        std::fs::write(broker.properties(), text).expect("the settings are written");
        broker.format(settings.node, &data);
        broker
    }

    /// Formats its storage as the first broker with this number had it formatted by Kafka's tool:
    /// what that writes differs by the number alone, and it takes seconds.
    fn format(&self, node: u16, data: &Path) {
        type Files = Vec<(OsString, Vec<u8>)>;
        static FORMATTED: Mutex<BTreeMap<u16, Files>> = Mutex::new(BTreeMap::new());
        let known = FORMATTED.lock().get(&node).cloned();
        if let Some(files) = known {
            std::fs::create_dir(data).expect("a directory");
            for (name, content) in files {
                std::fs::write(data.join(name), content).expect("a file");
            }
            return;
        }
        let status = kafka("kafka.tools.StorageTool")
            .args(["format", "-t", CLUSTER, "-c"])
            .arg(self.properties())
            .stdout(Stdio::null())
            .status()
            .expect("java runs");
        assert!(status.success(), "cannot format the broker's storage: {status}");
        let entries = std::fs::read_dir(data).expect("the storage");
        let file = |entry: std::io::Result<DirEntry>| {
            let entry = entry.expect("a file");
            (entry.file_name(), std::fs::read(entry.path()).expect("its content"))
        };
        FORMATTED.lock().insert(node, entries.map(file).collect());
    }

    pub fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// Where nobody is asked for a password.
    pub fn back_door(&self) -> String {
        format!("127.0.0.1:{}", self.back_door.unwrap_or(self.port))
    }

    /// Starts it and waits until it takes connections.
    pub async fn start(&mut self) {
        self.launch();
        self.listens().await;
    }

    fn launch(&mut self) {
        let log = std::fs::File::create(self.directory.path().join("broker.log")).expect("a log");
        let process = Process::spawn(
            kafka("kafka.Kafka")
                .arg(self.properties())
                .stdout(log.try_clone().expect("a log"))
                .stderr(log),
        );
        self.process = Some(process);
    }

    async fn listens(&self) {
        let address = self.address();
        eventually("the broker listens", async || std::net::TcpStream::connect(&address).ok())
            .await;
    }

    /// Ends it without a goodbye.
    pub async fn kill(&mut self) {
        self.end(Signal::SIGKILL).await;
    }

    /// Ends it in order.
    pub async fn stop(&mut self) {
        self.end(Signal::SIGTERM).await;
    }

    async fn end(&mut self, signal: Signal) {
        let mut process = self.process.take().expect("it runs");
        process.signal(signal);
        process.wait(Duration::from_secs(60)).await;
    }

    /// Stops it in its tracks: connections stay open, and nothing is answered.
    pub fn freeze(&self) {
        self.process.as_ref().expect("it runs").freeze();
    }

    pub fn thaw(&self) {
        self.process.as_ref().expect("it runs").signal(Signal::SIGCONT);
    }

    /// Runs one of Kafka's own tools against it, and fails when it does.
    pub fn tool(&self, class: &str, arguments: &[&str]) {
        let output = kafka(class)
            .args(["--bootstrap-server", &self.back_door()])
            .args(arguments)
            .output()
            .expect("java runs");
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{class} {arguments:?}: {said}");
    }

    fn properties(&self) -> PathBuf {
        self.directory.path().join("server.properties")
    }
}

/// Three brokers that hold every partition three times. The first is the controller, and no test
/// that ends the others may end it.
pub struct Cluster {
    brokers: Vec<Broker>,
}

impl Cluster {
    /// Starts all three.
    pub async fn start() -> Self {
        let controller = free_port();
        let settings = move |node| {
            Settings { node, controller, controls: node == 1, ..Settings::plain() }.with(THREE)
        };
        let format = |node| tokio::task::spawn_blocking(move || Broker::with(&settings(node)));
        let (one, two, three) = tokio::join!(format(1), format(2), format(3));
        let mut cluster = Cluster {
            brokers: [one, two, three]
                .into_iter()
                .map(|broker| broker.expect("no panic"))
                .collect(),
        };
        cluster.brokers.iter_mut().for_each(Broker::launch);
        for broker in &cluster.brokers {
            broker.listens().await;
        }
        cluster
    }

    /// All three, as `kafka.brokers` names them.
    pub fn addresses(&self) -> String {
        self.brokers.iter().map(Broker::address).collect::<Vec<_>>().join(",")
    }

    /// The broker with this number, from 1 on.
    pub fn broker(&mut self, node: i32) -> &mut Broker {
        &mut self.brokers[node as usize - 1]
    }
}

const COMMON: &str = "\
controller.listener.names=CONTROLLER
inter.broker.listener.name=PLAINTEXT
listener.security.protocol.map=\
PLAINTEXT:PLAINTEXT,SASL_PLAINTEXT:SASL_PLAINTEXT,CONTROLLER:PLAINTEXT
auto.create.topics.enable=false
offsets.topic.replication.factor=1
offsets.topic.num.partitions=1
";

/// Brokers that notice soon that one of them is gone.
const THREE: &str = "\
default.replication.factor=3
min.insync.replicas=2
broker.session.timeout.ms=3000
broker.heartbeat.interval.ms=500
replica.lag.time.max.ms=3000
controlled.shutdown.enable=true
";

const SASL: &str = "\
sasl.enabled.mechanisms=PLAIN
listener.name.sasl_plaintext.plain.sasl.jaas.config=\
org.apache.kafka.common.security.plain.PlainLoginModule required user_USER=\"PASSWORD\";
";

/// For [`Settings::with`]: users may only what an access rule allows; the back door is for all.
pub const AUTHORIZER: &str = "\
authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer
super.users=User:ANONYMOUS";

fn kafka(class: &str) -> Command {
    let libraries = required("KAFKA_LIBS");
    assert!(Path::new(&libraries).is_dir(), "KAFKA_LIBS = {libraries} is no directory");
    let mut command = Command::new("java");
    command
        .args(["-Xmx256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"])
        .args(["-cp", &format!("{libraries}/*"), class])
        .stdin(Stdio::null());
    command
}
