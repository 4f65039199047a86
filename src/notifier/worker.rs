//! The workers that send what waits, and the thread they live on.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use tokio::time::{sleep, timeout, timeout_at};

use super::broadcaster::Broadcaster;
use super::circuit::{Circuit, Failure};
use super::queue::{Batch, Queue, Taken};
use crate::metrics::{Dropped, Metrics};

/// How long a worker is idle before it looks whether Redis is still there, so that `/readyz`
/// knows it before the next notification has to find out.
const IDLE_PROBE: Duration = Duration::from_secs(2);

/// Sends the notifications of one queue over one connection, so that they keep their order.
pub(super) struct Worker {
    pub(super) queue: Arc<Queue>,
    pub(super) circuit: Arc<Circuit>,
    pub(super) broadcaster: Broadcaster,
    pub(super) max_pipeline: usize,
    pub(super) cooldown: Duration,
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
        })
        .map_err(|error| format!("cannot start the notifier's thread: {error}"))
}

impl Worker {
    async fn run(mut self) {
        self.probe().await;
        let mut batch = Batch::default();
        loop {
            if self.circuit.is_open() {
                self.wait_and_probe().await;
            }
            match timeout(IDLE_PROBE, self.queue.take(std::mem::take(&mut batch))).await {
                Err(_) => self.probe().await,
                Ok(Taken::Batch(taken)) => {
                    self.send(&taken, &mut 0).await;
                    batch = taken;
                }
                Ok(Taken::Last(taken, deadline)) => {
                    self.send_by(deadline, &taken).await;
                    self.queue.settle(&taken);
                    return;
                }
            }
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

    async fn send_by(&mut self, deadline: Instant, batch: &Batch) {
        let mut done = 0;
        if timeout_at(deadline.into(), self.send(batch, &mut done)).await.is_err() {
            self.left.fetch_add(batch.len() - done, Ordering::Relaxed);
        }
    }

    /// Sends a batch in pipelines, and counts in `done` how much of it is dealt with. A pipeline
    /// that fails is dropped, not repeated: some of it may have been delivered.
    async fn send(&mut self, batch: &Batch, done: &mut usize) {
        while *done < batch.len() {
            if self.circuit.is_open() {
                self.metrics.dropped(Dropped::CircuitOpen, batch.len() - *done);
                *done = batch.len();
                return;
            }
            let end = batch.len().min(*done + self.max_pipeline);
            let sent = self.broadcaster.publish(batch, *done..end).await;
            self.settle(end - *done, sent);
            *done = end;
        }
    }

    fn settle(&self, count: usize, sent: Result<usize, Failure>) {
        match sent {
            Ok(refused) => {
                self.metrics.notifications_published.inc_by((count - refused) as u64);
                self.metrics.dropped(Dropped::Refused, refused);
                self.circuit.sent();
            }
            Err(failure) => {
                self.metrics.dropped(reason(&failure), count);
                self.circuit.failed(failure);
            }
        }
    }
}

fn reason(failure: &Failure) -> Dropped {
    match failure {
        Failure::Unreachable(_) => Dropped::Failed,
        Failure::Refused(_) => Dropped::Refused,
    }
}
