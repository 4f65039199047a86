//! Accepting connections, and letting them finish.

use std::sync::Arc;
use std::time::Duration;

use hyper_util::server::graceful::GracefulShutdown;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{sleep, timeout, timeout_at};

use super::Edge;
use super::connection::Connection;
use super::last;
use super::open::Open;
use super::phase::{Stop, stopped};
use super::unread::WHOLE;
use super::wire;
use crate::metrics::Metrics;
use crate::telemetry;

/// How long accepting pauses when the system has no descriptors left.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// What the connections of a listener are served.
pub struct Server {
    /// What answers the requests.
    pub edge: Edge,
    /// Connections at once; further ones wait to be accepted.
    pub max_connections: usize,
    /// How long a connection may go without a request.
    pub idle_timeout: Duration,
    /// How long a client may leave its answer unread; for the whole of it a few times that.
    pub write_timeout: Duration,
    /// How long connections are still served once there are no new ones. A client that posts in
    /// the moment in which its idle connection is closed has no answer, and cannot tell why.
    pub farewell: Duration,
    /// The service's metrics.
    pub metrics: Arc<Metrics>,
}

impl Server {
    /// Serves until told to stop, then lets the requests under way finish. Returns how many
    /// connections had not finished by the deadline; they are cut.
    pub async fn run(self, listener: TcpListener, stop: Stop) -> usize {
        if let Err(error) = wire::give_up_after(&listener, self.write_timeout * WHOLE) {
            tracing::debug!("clients whose network is gone are noticed late: {error}");
        }
        let graceful = GracefulShutdown::new();
        let slots = Arc::new(Semaphore::new(self.max_connections));
        let serve = |accepted: Option<(TcpStream, OwnedSemaphorePermit)>| {
            let Some((stream, slot)) = accepted else { return };
            let open = Open::count(slot, graceful.watcher(), Arc::clone(&self.metrics));
            let connection = self.connection(stream, open);
            tokio::spawn(connection.serve(graceful.watcher(), stop.clone()));
        };
        let mut told = stop.clone();
        let deadline = loop {
            tokio::select! {
                biased;
                deadline = stopped(&mut told) => break deadline,
                accepted = Self::accept(&listener, &slots) => serve(accepted),
            }
        };
        for stream in last::connections(listener).await {
            // Those beyond the most at once would have waited for their turn, and there is none.
            let Ok(slot) = Arc::clone(&slots).try_acquire_owned() else { break };
            serve(Some((stream, slot)));
        }
        Self::farewell(self.max_connections, self.farewell, &slots).await;
        let finished = timeout_at(deadline.into(), graceful.shutdown()).await;
        if finished.is_ok() { 0 } else { self.max_connections - slots.available_permits() }
    }

    async fn accept(
        listener: &TcpListener,
        slots: &Arc<Semaphore>,
    ) -> Option<(TcpStream, OwnedSemaphorePermit)> {
        let slot = Arc::clone(slots).acquire_owned().await.ok()?;
        match listener.accept().await {
            Ok((stream, _)) => Some((stream, slot)),
            Err(error) => {
                telemetry::warn_limited!("cannot accept a connection: {error}");
                sleep(ACCEPT_PAUSE).await;
                None
            }
        }
    }

    /// Waits until all connections have had their last answer, but not for idle ones.
    async fn farewell(max_connections: usize, farewell: Duration, slots: &Semaphore) {
        let all = u32::try_from(max_connections).unwrap_or(u32::MAX);
        let _ = timeout(farewell, slots.acquire_many(all)).await;
    }

    fn connection(&self, stream: TcpStream, open: Open) -> Connection {
        Connection {
            stream,
            edge: self.edge.clone(),
            idle_timeout: self.idle_timeout,
            write_timeout: self.write_timeout,
            farewell: self.farewell,
            open,
        }
    }
}
