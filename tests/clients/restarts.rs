//! A service that is killed and comes again, and another instance that takes events meanwhile.

use std::time::Duration;

use nix::sys::signal::Signal;
use serde_json::json;

use crate::harness::app::Builder;
use crate::harness::{TestApp, free_port};

/// One instance at an address that stays, and one that stays up.
pub struct Restarts {
    port: u16,
    settings: Builder,
    app: Option<TestApp>,
    pub other: TestApp,
    posted: Vec<String>,
}

impl Restarts {
    pub async fn start(settings: Builder) -> Self {
        let port = free_port();
        let other = settings.clone().start().await;
        let settings = settings.set("http.listen", format!("127.0.0.1:{port}"));
        let app = Some(settings.clone().start().await);
        Restarts { port, settings, app, other, posted: Vec::new() }
    }

    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    pub async fn kill(&mut self) {
        let mut app = self.app.take().expect("it runs");
        app.signal(Signal::SIGKILL);
        app.wait(Duration::from_secs(10)).await;
    }

    pub async fn start_again(&mut self) {
        self.app = Some(self.settings.clone().start().await);
    }

    /// Posts to the instance that stays up.
    pub async fn post(&mut self, source_type: &str, source_id: &str, count: usize) {
        for _ in 0..count {
            let n = self.posted.len();
            let event = json!({"id": format!("e-{n}"), "type": "t", "source_type": source_type,
                               "source_id": source_id, "data": n});
            let answer = self.other.client.event(event).await;
            assert_eq!(answer.status, 201, "{}", answer.text());
            self.posted.push(answer.json()["cursor"].as_str().expect("a cursor").to_owned());
        }
    }

    /// The cursors of all that was posted, in this order.
    pub fn posted(&self) -> &[String] {
        &self.posted
    }
}
