//! The instances of the service, in front of one topic.

use std::collections::BTreeMap;
use std::time::Duration;

use nix::sys::signal::Signal;
use tokio::sync::watch;

use crate::harness::app::Builder;
use crate::harness::{Client, TestApp};

const DELIVERED: &str = "dual_stream_live_delivered_total";
/// How streams come by events: what the tail and the log brought, only Kafka delivered.
pub const WAYS: [&str; 4] = ["tail", "log", "early", "recent"];

/// One of them, which ends and starts.
pub struct Instance {
    builder: Builder,
    pub app: TestApp,
    /// Where readers find it.
    pub client: watch::Sender<Client>,
    /// Where writers find it.
    pub address: watch::Sender<String>,
    /// What its present process has delivered, as seen last.
    seen: BTreeMap<&'static str, f64>,
    pub peak_kib: u64,
}

impl Instance {
    pub async fn start(builder: Builder) -> Self {
        let app = builder.clone().start().await;
        let client = watch::Sender::new(app.client.clone());
        let address = watch::Sender::new(app.client.address.clone());
        Instance { builder, app, client, address, seen: BTreeMap::new(), peak_kib: 0 }
    }

    /// Ends it without a goodbye.
    pub async fn kill(&mut self) {
        self.end(Signal::SIGKILL).await;
    }

    /// Ends it in order.
    pub async fn terminate(&mut self) {
        self.end(Signal::SIGTERM).await;
    }

    async fn end(&mut self, signal: Signal) {
        self.app.signal(signal);
        self.app.wait(Duration::from_secs(40)).await;
        self.seen.clear();
    }

    /// Starts it anew; writers and readers find it.
    pub async fn restart(&mut self) {
        self.app = self.builder.clone().start().await;
        self.client.send_replace(self.app.client.clone());
        self.address.send_replace(self.app.client.address.clone());
    }

    /// What it has delivered since this was asked last, by the way it came.
    pub async fn delivered(&mut self) -> BTreeMap<&'static str, u64> {
        self.peak_kib = self.peak_kib.max(self.app.peak_resident_kib());
        let mut delivered = BTreeMap::new();
        for way in WAYS {
            let now = self.app.metric(DELIVERED, &[&format!("by=\"{way}\"")]).await;
            let before = self.seen.insert(way, now).unwrap_or(0.0);
            delivered.insert(way, (now - before) as u64);
        }
        delivered
    }
}
