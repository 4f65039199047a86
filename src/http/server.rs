//! Accepting connections, and letting them finish.

use std::sync::Arc;
use std::time::{Duration, Instant};

use hyper_util::server::graceful::GracefulShutdown;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::time::{sleep, timeout_at};

use super::Edge;
use super::connection::{Connection, Open};
use crate::metrics::Metrics;
use crate::telemetry;

/// How long accepting pauses when the system has no descriptors left.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Tells servers to stop: once set, the time by which the last request should be answered.
pub type Stop = watch::Receiver<Option<Instant>>;

/// A listener and what it serves.
pub struct Server {
    /// Where connections come from.
    pub listener: TcpListener,
    /// What answers the requests.
    pub edge: Edge,
    /// Connections at once; further ones wait to be accepted.
    pub max_connections: usize,
    /// How long a connection may go without a request.
    pub idle_timeout: Duration,
    /// How long a client may leave its answer unread; for the whole of it a few times that.
    pub write_timeout: Duration,
    /// The service's metrics.
    pub metrics: Arc<Metrics>,
}

impl Server {
    /// Serves until told to stop, then lets the requests under way finish. Returns how many
    /// connections had not finished by the deadline; they are cut.
    pub async fn run(self, mut stop: Stop) -> usize {
        let graceful = GracefulShutdown::new();
        let slots = Arc::new(Semaphore::new(self.max_connections));
        let deadline = loop {
            tokio::select! {
                biased;
                deadline = stopped(&mut stop) => break deadline,
                connection = self.accept(&slots) => {
                    if let Some((stream, slot)) = connection {
                        let connection = self.connection(stream, slot);
                        tokio::spawn(connection.serve(graceful.watcher(), stop.clone()));
                    }
                }
            }
        };
        drop(self.listener);
        let finished = timeout_at(deadline.into(), graceful.shutdown()).await;
        if finished.is_ok() { 0 } else { self.max_connections - slots.available_permits() }
    }

    async fn accept(&self, slots: &Arc<Semaphore>) -> Option<(TcpStream, OwnedSemaphorePermit)> {
        let slot = Arc::clone(slots).acquire_owned().await.ok()?;
        match self.listener.accept().await {
            Ok((stream, _)) => Some((stream, slot)),
            Err(error) => {
                telemetry::warn_limited!("cannot accept a connection: {error}");
                sleep(ACCEPT_PAUSE).await;
                None
            }
        }
    }

    fn connection(&self, stream: TcpStream, slot: OwnedSemaphorePermit) -> Connection {
        Connection {
            stream,
            edge: self.edge.clone(),
            idle_timeout: self.idle_timeout,
            write_timeout: self.write_timeout,
            open: Open::count(slot, Arc::clone(&self.metrics)),
        }
    }
}

/// Waits until told to stop, and says by when.
pub(super) async fn stopped(stop: &mut Stop) -> Instant {
    match stop.wait_for(Option::is_some).await {
        Ok(deadline) => deadline.unwrap_or_else(Instant::now),
        // Whoever could have told is gone.
        Err(_) => Instant::now(),
    }
}
