//! How long nothing has been asked on a connection.

use std::future::pending;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::timeout;

/// Knows the requests of one connection.
#[derive(Clone)]
pub(super) struct Quiet {
    requests: Arc<watch::Sender<Requests>>,
}

#[derive(Default)]
struct Requests {
    begun: u64,
    under_way: usize,
}

/// A request that is under way, until it is dropped.
pub(super) struct UnderWay {
    requests: Arc<watch::Sender<Requests>>,
}

impl Quiet {
    pub(super) fn new() -> Self {
        Quiet { requests: Arc::new(watch::Sender::default()) }
    }

    pub(super) fn request(&self) -> UnderWay {
        self.requests.send_modify(|requests| {
            requests.begun += 1;
            requests.under_way += 1;
        });
        UnderWay { requests: Arc::clone(&self.requests) }
    }

    /// Waits until there has been no request for so long.
    pub(super) async fn lasts(&self, limit: Duration) {
        let mut requests = self.requests.subscribe();
        loop {
            let quiet = requests.wait_for(|requests| requests.under_way == 0).await;
            // The sender is our own, and here.
            let Ok(begun) = quiet.map(|requests| requests.begun) else { return pending().await };
            let next = requests.wait_for(|requests| requests.begun > begun);
            if timeout(limit, next).await.is_err() {
                return;
            }
        }
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.requests.send_modify(|requests| requests.under_way -= 1);
    }
}
