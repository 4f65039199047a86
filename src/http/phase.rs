//! How servers and their connections are told of the end.

use std::time::Instant;

use tokio::sync::watch;

/// What a server is told of the service's end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// There is none in sight.
    Serving,
    /// Clients are asked to go elsewhere: every answer is the last of its connection.
    Leaving,
    /// No new connections; by this time the last request should be answered.
    Stopping(Instant),
}

/// Tells servers, and their connections, when to stop.
pub type Stop = watch::Receiver<Phase>;

/// Waits until told to stop, and says by when.
pub(super) async fn stopped(stop: &mut Stop) -> Instant {
    let told = stop.wait_for(|phase| matches!(phase, Phase::Stopping(_))).await;
    match told.as_deref() {
        Ok(Phase::Stopping(deadline)) => *deadline,
        // Whoever could have told is gone.
        _ => Instant::now(),
    }
}
