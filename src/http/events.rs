//! `POST /events` and `POST /events/batch`.

use std::slice;
use std::sync::Arc;

use axum::extract::{Request, State};
use axum::response::Response;

use super::App;
use super::answer;
use super::body::{self, Received};
use super::media::{self, Media};
use super::problem::Problem;
use crate::event;

/// Stores one event.
pub(super) async fn create(State(app): State<Arc<App>>, request: Request) -> Response {
    store(&app, request).await.unwrap_or_else(Problem::into_response)
}

/// Stores a batch of events, or none of them when one is wrong.
pub(super) async fn create_batch(State(app): State<Arc<App>>, request: Request) -> Response {
    store_batch(&app, request).await.unwrap_or_else(Problem::into_response)
}

async fn store(app: &App, request: Request) -> Result<Response, Problem> {
    let (headers, body) = body::split(request);
    media::of_event(&headers)?;
    let limit = app.max_body.min(app.limits.max_event + LENIENCE);
    let Received { bytes, permit } = body::receive(app, body, limit).await?;
    let event = event::parse_one(&bytes, &app.limits)?;
    let trace = media::trace(&headers);
    let outcomes = app.publisher.publish(slice::from_ref(&event), trace, permit).await;
    answer::single(app, &event, &outcomes)
}

/// How much white space around a single event is read before its size is judged.
const LENIENCE: usize = 1024;

async fn store_batch(app: &App, request: Request) -> Result<Response, Problem> {
    let (headers, body) = body::split(request);
    let media = media::of_batch(&headers)?;
    let Received { bytes, permit } = body::receive(app, body, app.max_body).await?;
    let events = match media {
        Media::Json => event::parse_array(&bytes, &app.limits),
        Media::NdJson => event::parse_lines(&bytes, &app.limits),
    }?;
    let trace = media::trace(&headers);
    let outcomes = app.publisher.publish(&events, trace, permit).await;
    answer::batch(app, &events, &outcomes, media::prefers_minimal(&headers))
}
