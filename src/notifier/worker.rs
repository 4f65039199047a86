//! The workers that send what waits, and the thread they live on.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::time::{sleep, timeout};

use super::broadcaster::Broadcaster;
use super::circuit::{Circuit, Failure};
use super::queue::{Batch, Queue, Taken};
use crate::metrics::{Dropped, Metrics};
use crate::redis::Replies;
use crate::telemetry;

/// How long a worker is idle before it looks whether Redis is still there, so that `/readyz`
/// knows it before the next notification has to find out.
const IDLE_PROBE: Duration = Duration::from_secs(2);

/// Sends the notifications of one queue over one connection, so that they keep their order.
pub(super) struct Worker {
    pub(super) queue: Arc<Queue>,
    pub(super) circuit: Arc<Circuit>,
    pub(super) broadcaster: Broadcaster,
    pub(super) max_pipeline: usize,
    pub(super) linger: Duration,
    pub(super) cooldown: Duration,
    /// How many notifications of the batch under way are not sent yet.
    pub(super) unsent: usize,
    /// How many notifications of all workers were left when the time was up.
    pub(super) left: Arc<AtomicUsize>,
    pub(super) metrics: Arc<Metrics>,
}

/// Runs the workers on one thread until all queues are closed.
pub(super) fn start(workers: Vec<Worker>) -> Result<JoinHandle<()>, String> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| format!("cannot start the notifier: {error}"))?;
    std::thread::Builder::new()
        .name("notifier".into())
        .spawn(move || {
            runtime.block_on(futures_util::future::join_all(workers.into_iter().map(Worker::run)));
            // Dropped, it would wait for a name to be resolved, for as long as that takes.
            runtime.shutdown_background();
        })
        .map_err(|error| format!("cannot start the notifier's thread: {error}"))
}

impl Worker {
    /// Works until the queue is closed and empty, or its deadline is over.
    async fn run(mut self) {
        let queue = Arc::clone(&self.queue);
        tokio::select! {
            () = self.work() => {}
            () = queue.expired() => {
                let left = self.unsent + queue.clear();
                self.left.fetch_add(left, Ordering::Relaxed);
            }
        }
    }

    async fn work(&mut self) {
        self.probe().await;
        let mut batch = Batch::default();
        loop {
            if self.circuit.is_open() {
                self.wait_and_probe().await;
            }
            match timeout(IDLE_PROBE, self.queue.take(std::mem::take(&mut batch))).await {
                Err(_) => self.probe().await,
                Ok(Taken::Batch(mut taken)) => {
                    self.send(&taken).await;
                    self.queue.settle(&mut taken);
                    batch = taken;
                    self.linger().await;
                }
                Ok(Taken::Last(mut taken)) => {
                    self.send(&taken).await;
                    self.queue.settle(&mut taken);
                    return;
                }
            }
        }
    }

    /// Lets notifications gather after a pipeline. Nobody is woken for them meanwhile, and one that
    /// comes after a longer silence goes out at once.
    async fn linger(&self) {
        if !self.linger.is_zero() {
            sleep(self.linger).await;
        }
    }

    /// Drops what waited for a Redis that is not there, and asks for it again.
    async fn wait_and_probe(&mut self) {
        self.metrics.dropped(Dropped::CircuitOpen, self.queue.clear());
        tokio::select! {
            () = sleep(self.cooldown) => self.probe().await,
            () = self.queue.closed() => {}
        }
    }

    async fn probe(&mut self) {
        match self.broadcaster.probe().await {
            Ok(()) => self.circuit.answered(),
            Err(error) => self.circuit.failed(Failure::Unreachable(error)),
        }
    }

    /// Sends a batch in pipelines, and keeps count of what is `unsent`. A pipeline that fails is
    /// dropped, not repeated: some of it may have been delivered.
    async fn send(&mut self, batch: &Batch) {
        self.unsent = batch.len();
        while self.unsent > 0 {
            if self.circuit.is_open() {
                self.metrics.dropped(Dropped::CircuitOpen, std::mem::take(&mut self.unsent));
                return;
            }
            let start = batch.len() - self.unsent;
            let count = self.unsent.min(self.max_pipeline);
            let sent = self.broadcaster.publish(batch, start..start + count).await;
            self.settle(count, sent);
            self.unsent -= count;
        }
    }

    fn settle(&self, count: usize, sent: Result<Replies, Failure>) {
        match sent {
            Ok(Replies { refused, refusal }) => {
                self.metrics.notifications_published.inc_by((count - refused) as u64);
                self.metrics.dropped(Dropped::Refused, refused);
                if let Some(error) = refusal {
                    tell_refusal(refused, &error);
                }
                self.circuit.sent();
            }
            Err(failure) => {
                if let Failure::Refused(error) = &failure {
                    tell_refusal(count, error);
                }
                self.metrics.dropped(reason(&failure), count);
                self.circuit.failed(failure);
            }
        }
    }
}

/// The circuit tells of a Redis that takes nothing. One that takes some keeps it closed.
fn tell_refusal(refused: usize, error: &str) {
    telemetry::warn_limited!(refused, "redis refuses notifications, which are dropped: {error}");
}

fn reason(failure: &Failure) -> Dropped {
    match failure {
        Failure::Unreachable(_) => Dropped::Failed,
        Failure::Refused(_) => Dropped::Refused,
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use tokio::sync::broadcast;

    use super::*;

    #[tokio::test]
    async fn what_comes_soon_after_a_pipeline_gathers_for_the_next() {
        let linger = Duration::from_millis(100);
        let metrics = Arc::new(Metrics::new());
        let queue = Arc::new(Queue::new(1024, Arc::clone(&metrics)));
        let (subscribers, mut subscriber) = broadcast::channel(8);
        let worker = Worker {
            queue: Arc::clone(&queue),
            circuit: Arc::new(Circuit::new(3, Arc::clone(&metrics))),
            broadcaster: Broadcaster::Local(subscribers),
            max_pipeline: 512,
            linger,
            cooldown: Duration::from_secs(1),
            unsent: 0,
            left: Arc::default(),
            metrics: Arc::clone(&metrics),
        };
        let working = tokio::spawn(worker.run());
        assert!(queue.push(b"a", b"1"));
        subscriber.recv().await.unwrap();
        let first = Instant::now();
        // Its room is free again while the worker lingers.
        assert_eq!(metrics.notify_queue.get(), 0);
        assert!(queue.push(b"a", b"2"));
        subscriber.recv().await.unwrap();
        assert!(first.elapsed() >= linger / 2);
        queue.close(Instant::now());
        working.await.unwrap();
    }
}
