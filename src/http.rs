//! The HTTP interface: routes, media types, answers.

mod answer;
mod body;
mod connection;
mod console;
pub mod docs;
mod document;
mod edge;
mod etag;
mod events;
mod flow;
mod health;
mod item;
mod last;
mod live;
mod media;
mod open;
mod phase;
mod pieces;
mod problem;
mod quiet;
mod reading;
mod routes;
mod server;
mod unread;
mod upgrade;
mod wire;

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::response::IntoResponse;
use axum::routing::{get, post};

pub use edge::Edge;
pub use health::Health;
pub use live::Origins;
pub use phase::{Phase, Stop};
pub use problem::{KINDS as PROBLEMS, Kind as ProblemKind};
pub use reading::Room;
pub use routes::{ADMIN as ADMIN_ROUTES, API as API_ROUTES, Route, served};
pub use server::Server;

use crate::event;
use crate::live::Hub;
use crate::metrics::{self, Metrics};
use crate::publisher::{Admission, DualPublisher};
use crate::reader::Reader;
use crate::settings;

/// What the handlers share.
pub struct App {
    /// Writes events.
    pub publisher: DualPublisher,
    /// The bytes that may be in flight.
    pub admission: Admission,
    /// Reads events back.
    pub reader: Reader,
    /// Hands on what the tail brings.
    pub live: Hub,
    /// The origins whose pages may open WebSockets, beside the service's own.
    pub origins: Origins,
    /// The bytes of what was read that may be left unread.
    pub answers: Room,
    /// The most cursors that are fetched at once.
    pub max_fetch: usize,
    /// The limits of an event and of a batch.
    pub limits: event::Limits,
    /// The most bytes of a body.
    pub max_body: usize,
    /// How long a body may take to arrive.
    pub body_timeout: Duration,
    /// What `/readyz` says.
    pub health: Health,
    /// The service's metrics.
    pub metrics: Arc<Metrics>,
}

/// The routes of the API.
pub fn api(app: Arc<App>, settings: &settings::Http) -> Router {
    let mut router = Router::new()
        .route("/events", get(reading::list).post(events::create))
        .route("/events/batch", post(events::create_batch))
        .route("/events/fetch", post(reading::fetch))
        .route("/events/stream", get(live::stream))
        .route("/events/ws", get(live::socket).connect(live::socket))
        .route("/events/{cursor}", get(reading::event))
        .merge(probes())
        .merge(docs::routes());
    if settings.console {
        router = router.merge(console::routes());
    }
    let router = router
        .fallback(routes::not_found)
        .method_not_allowed_fallback(routes::method_not_allowed)
        .with_state(app);
    match routes::cors(&settings.cors_origins) {
        Some(cors) => router.layer(cors),
        None => router,
    }
}

/// The routes of the admin listener.
pub fn admin(app: Arc<App>) -> Router {
    Router::new()
        .route("/metrics", get(render_metrics))
        .merge(probes())
        .fallback(routes::not_found_by_operators)
        .method_not_allowed_fallback(routes::method_not_allowed)
        .with_state(app)
}

fn probes() -> Router<Arc<App>> {
    Router::new().route("/livez", get(health::live)).route("/readyz", get(health::ready))
}

async fn render_metrics(State(app): State<Arc<App>>) -> impl IntoResponse {
    app.health.measure(&app.metrics);
    ([(CONTENT_TYPE, metrics::MEDIA_TYPE)], app.metrics.render())
}
