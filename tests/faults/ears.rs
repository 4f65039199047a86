//! A subscriber that stays: it hears every notification of a source type, and subscribes anew
//! when Redis was away.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use deadpool_redis::redis::Client;
use futures_util::StreamExt;
use serde_json::Value;
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};

use super::oracle::Heard;

pub struct Ears {
    heard: Arc<Mutex<Vec<Heard>>>,
    task: JoinHandle<()>,
}

impl Ears {
    /// Starts to listen, and returns once the subscription stands, if Redis is there.
    pub async fn open(url: &str, source_type: &str) -> Self {
        let heard = Arc::new(Mutex::new(Vec::new()));
        let (ready, is_ready) = tokio::sync::oneshot::channel();
        let listener = Listener {
            client: Client::open(url).expect("a URL"),
            pattern: format!("*:{source_type}:*"),
            heard: Arc::clone(&heard),
            ready: Some(ready),
        };
        let task = tokio::spawn(listener.run());
        let _ = timeout(Duration::from_secs(2), is_ready).await;
        Ears { heard, task }
    }

    pub fn count(&self) -> usize {
        self.heard.lock().expect("no panic").len()
    }

    /// What was heard up to now is of no interest any more.
    pub fn forget(&self) {
        self.heard.lock().expect("no panic").clear();
    }

    /// Gives what was heard, once nothing more comes.
    pub async fn close(self) -> Vec<Heard> {
        loop {
            let before = self.count();
            sleep(Duration::from_secs(1)).await;
            if self.count() == before {
                break;
            }
        }
        if self.task.is_finished() {
            // It never ends by itself: something was no notification.
            self.task.await.expect("notifications are what they should be");
            unreachable!("it listens for ever");
        }
        self.task.abort();
        std::mem::take(&mut self.heard.lock().expect("no panic"))
    }
}

struct Listener {
    client: Client,
    pattern: String,
    heard: Arc<Mutex<Vec<Heard>>>,
    ready: Option<tokio::sync::oneshot::Sender<()>>,
}

impl Listener {
    async fn run(mut self) {
        loop {
            // However it ended: Redis is away, or there again and without this subscription.
            let _ = self.listen().await;
            sleep(Duration::from_millis(100)).await;
        }
    }

    async fn listen(&mut self) -> deadpool_redis::redis::RedisResult<()> {
        let (mut sink, mut messages) = self.client.get_async_pubsub().await?.split();
        sink.psubscribe(&self.pattern).await?;
        if let Some(ready) = self.ready.take() {
            let _ = ready.send(());
        }
        while let Some(message) = messages.next().await {
            let payload: String = message.get_payload()?;
            let payload: Value = serde_json::from_str(&payload).expect("JSON");
            let id = payload["id"].as_str().expect("an id").to_owned();
            let source_id = payload["source_id"].as_str().expect("a source").to_owned();
            let cursor = payload["cursor"].as_str().map(|text| text.parse().expect("a cursor"));
            let end = format!("{}{source_id}", self.pattern.trim_matches('*'));
            let channel = message.get_channel_name();
            assert!(channel.ends_with(&end), "{channel} is not that of {source_id}");
            self.heard.lock().expect("no panic").push(Heard { id, source_id, cursor });
        }
        Ok(())
    }
}
