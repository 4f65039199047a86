//! What stands between the service and its broker, and breaks the connection in the ways that
//! networks do. The broker advertises the proxy's port.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{ReadHalf, WriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::time::sleep;

/// What happens to what passes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    Pass,
    /// Every piece comes this much later.
    Delay(Duration),
    /// Nothing comes any more, until this is over.
    Hold,
    /// Requests arrive, and their answers are lost. A connection that lost one is reset at the end.
    LoseAnswers,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Direction {
    Request,
    Answer,
}

/// A proxy on a port of its own.
pub struct Proxy {
    port: u16,
    listener: Option<TcpListener>,
    mode: watch::Sender<Mode>,
    /// Counts up with every reset.
    resets: watch::Sender<u64>,
    /// Connections that were reset.
    broken: Arc<AtomicU64>,
}

impl Proxy {
    /// A proxy that does not serve yet, so that the broker can be told its port.
    pub async fn bind() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port on loopback");
        Proxy {
            port: listener.local_addr().expect("its address").port(),
            listener: Some(listener),
            mode: watch::channel(Mode::Pass).0,
            resets: watch::channel(0).0,
            broken: Arc::default(),
        }
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    pub fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// Serves what stands at the address.
    pub fn serve(&mut self, address: String) {
        let listener = self.listener.take().expect("it serves one address");
        let (mode, resets) = (self.mode.subscribe(), self.resets.subscribe());
        let broken = Arc::clone(&self.broken);
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let link = Link { mode: mode.clone(), resets: resets.clone() };
                let (address, broken) = (address.clone(), Arc::clone(&broken));
                tokio::spawn(async move {
                    let Ok(server) = TcpStream::connect(&address).await else { return };
                    link.run(client, server, &broken).await;
                });
            }
        });
    }

    /// From now on this happens to what passes, on all connections.
    pub fn set(&self, mode: Mode) {
        self.mode.send_replace(mode);
    }

    /// Resets every connection.
    pub fn reset(&self) {
        self.resets.send_modify(|count| *count += 1);
    }

    /// How many connections were reset while they were open.
    pub fn broken(&self) -> u64 {
        self.broken.load(Ordering::Relaxed)
    }
}

struct Link {
    mode: watch::Receiver<Mode>,
    resets: watch::Receiver<u64>,
}

impl Link {
    async fn run(mut self, mut client: TcpStream, mut server: TcpStream, broken: &AtomicU64) {
        for stream in [&client, &server] {
            let _ = stream.set_nodelay(true);
        }
        // Whatever was reset before this connection does not concern it.
        self.resets.mark_unchanged();
        let end = {
            let (from_client, to_client) = client.split();
            let (from_server, to_server) = server.split();
            tokio::select! {
                end = pump(from_client, to_server, self.mode.clone(), Direction::Request) => end,
                end = pump(from_server, to_client, self.mode.clone(), Direction::Answer) => end,
                _ = self.resets.changed() => End::Broken,
            }
        };
        if end == End::Broken {
            broken.fetch_add(1, Ordering::Relaxed);
            let _ = client.set_zero_linger();
            let _ = server.set_zero_linger();
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    /// One of the two has closed.
    Closed,
    /// It is of no further use.
    Broken,
}

async fn pump(
    mut from: ReadHalf<'_>,
    mut to: WriteHalf<'_>,
    mut mode: watch::Receiver<Mode>,
    direction: Direction,
) -> End {
    let mut buffer = vec![0; 64 * 1024];
    loop {
        let Ok(length @ 1..) = from.read(&mut buffer).await else { return End::Closed };
        let now = *mode.borrow_and_update();
        match now {
            Mode::Pass => {}
            Mode::Delay(time) => sleep(time).await,
            Mode::Hold => {
                let _ = mode.wait_for(|mode| *mode != Mode::Hold).await;
            }
            Mode::LoseAnswers if direction == Direction::Answer => {
                return lose(from, mode).await;
            }
            Mode::LoseAnswers => {}
        }
        if to.write_all(&buffer[..length]).await.is_err() {
            return End::Closed;
        }
    }
}

/// Throws away what comes for as long as answers are lost.
async fn lose(mut from: ReadHalf<'_>, mut mode: watch::Receiver<Mode>) -> End {
    let mut buffer = vec![0; 64 * 1024];
    tokio::select! {
        () = async { while let Ok(1..) = from.read(&mut buffer).await {} } => End::Closed,
        _ = mode.wait_for(|mode| *mode != Mode::LoseAnswers) => End::Broken,
    }
}
