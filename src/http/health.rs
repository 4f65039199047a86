//! `/livez` and `/readyz`: Kafka decides, Redis is at most degraded.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use serde::Serialize;
use tokio::sync::watch;

use super::{App, answer};
use crate::kafka::ClusterState;
use crate::metrics::Metrics;
use crate::notifier::Notifier;

/// What the service knows of itself and of what it depends on.
pub struct Health {
    topic: String,
    cluster: watch::Receiver<ClusterState>,
    notifier: Arc<Notifier>,
    shutting_down: AtomicBool,
}

#[derive(Serialize)]
struct Live {
    status: &'static str,
}

/// The answer of `/readyz`.
#[derive(Serialize)]
struct Readiness {
    status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    kafka: Kafka,
    redis: Redis,
    shutting_down: bool,
}

#[derive(Serialize)]
struct Kafka {
    state: &'static str,
    topic: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    partitions: Option<usize>,
    #[serde(skip_serializing_if = "is_zero")]
    partitions_leaderless: usize,
    #[serde(skip_serializing_if = "is_zero")]
    partitions_under_min_isr: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    detail: Option<String>,
}

fn is_zero(count: &usize) -> bool {
    *count == 0
}

#[derive(Serialize)]
struct Redis {
    state: &'static str,
    circuit: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    detail: Option<String>,
}

/// The process runs.
pub(super) async fn live() -> Response {
    answer::json(StatusCode::OK, &Live { status: "live" })
}

/// Whether the service should get requests.
pub(super) async fn ready(State(app): State<Arc<App>>) -> Response {
    let readiness = app.health.readiness();
    let status = match readiness.reason {
        None => StatusCode::OK,
        Some(_) => StatusCode::SERVICE_UNAVAILABLE,
    };
    answer::json(status, &readiness)
}

impl Health {
    /// Watches the cluster and the notifier.
    pub fn new(
        topic: String,
        cluster: watch::Receiver<ClusterState>,
        notifier: Arc<Notifier>,
    ) -> Self {
        Health { topic, cluster, notifier, shutting_down: AtomicBool::new(false) }
    }

    /// From now on the service is not ready.
    pub fn shut_down(&self) {
        self.shutting_down.store(true, Ordering::Release);
    }

    /// Writes the states into the metrics.
    pub(super) fn measure(&self, metrics: &Metrics) {
        let state = self.cluster.borrow().clone();
        let partitions = state.partitions().unwrap_or_default();
        metrics.kafka_up.set(i64::from(state.takes_writes()));
        metrics.kafka_leaderless.set(partitions.leaderless as i64);
        metrics.kafka_under_min_isr.set(partitions.under_min_isr as i64);
        metrics.ready.set(i64::from(self.readiness().reason.is_none()));
    }

    fn readiness(&self) -> Readiness {
        let shutting_down = self.shutting_down.load(Ordering::Acquire);
        let kafka = self.kafka();
        let reason = if shutting_down {
            Some("shutting down".to_owned())
        } else if kafka.state != "up" {
            Some(format!("kafka: {}", kafka.detail.as_deref().unwrap_or(kafka.state)))
        } else {
            None
        };
        let status = if reason.is_none() { "ready" } else { "not_ready" };
        Readiness { status, reason, kafka, redis: self.redis(), shutting_down }
    }

    fn kafka(&self) -> Kafka {
        let cluster = self.cluster.borrow();
        let partitions = cluster.partitions();
        let (state, detail) = match &*cluster {
            ClusterState::Starting { detail } => ("starting", Some(detail.clone())),
            ClusterState::Down { detail, .. } => ("down", Some(detail.clone())),
            ClusterState::Up(partitions) => ("up", partitions.detail()),
        };
        Kafka {
            state,
            topic: self.topic.clone(),
            partitions: partitions.map(|partitions| partitions.total),
            partitions_leaderless: partitions.map_or(0, |partitions| partitions.leaderless),
            partitions_under_min_isr: partitions.map_or(0, |partitions| partitions.under_min_isr),
            detail,
        }
    }

    fn redis(&self) -> Redis {
        let circuit = self.notifier.circuit();
        let (is_open, detail) = (circuit.is_open(), circuit.last_error());
        let state = match (self.notifier.is_off(), &detail) {
            (true, _) => "off",
            (false, Some(_)) => "degraded",
            (false, None) => "up",
        };
        Redis { state, circuit: if is_open { "open" } else { "closed" }, detail }
    }
}
