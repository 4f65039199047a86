//! `POST /events` and `POST /events/batch`.

use std::slice;
use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::HeaderMap;
use axum::response::Response;

use super::App;
use super::answer;
use super::body::{self, Posted, Received};
use super::media::{self, Media};
use super::problem::Problem;
use crate::event;

/// Stores one event.
pub(super) async fn create(State(app): State<Arc<App>>, request: Request) -> Response {
    let (headers, mut posted) = body::split(request);
    match store(&app, &headers, &mut posted).await {
        Ok(response) => response,
        Err(problem) => body::refuse(problem, &headers, posted).await,
    }
}

/// Stores a batch of events, or none of them when one is wrong.
pub(super) async fn create_batch(State(app): State<Arc<App>>, request: Request) -> Response {
    let (headers, mut posted) = body::split(request);
    match store_batch(&app, &headers, &mut posted).await {
        Ok(response) => response,
        Err(problem) => body::refuse(problem, &headers, posted).await,
    }
}

async fn store(app: &App, headers: &HeaderMap, posted: &mut Posted) -> Result<Response, Problem> {
    media::of_event(headers)?;
    let limit = app.max_body.min(app.limits.max_event + LENIENCE);
    let Received { bytes, permit } = body::receive(app, posted, limit).await?;
    let rejected = |rejection| Problem::rejected(rejection, &app.admission);
    let event = event::parse_one(&bytes, &app.limits).map_err(rejected)?;
    let trace = media::trace(headers);
    let outcomes = app.publisher.publish(slice::from_ref(&event), trace, permit).await;
    answer::single(app, &event, &outcomes)
}

/// How much white space around a single event is read before its size is judged.
const LENIENCE: usize = 1024;

async fn store_batch(
    app: &App,
    headers: &HeaderMap,
    posted: &mut Posted,
) -> Result<Response, Problem> {
    let media = media::of_batch(headers)?;
    let Received { bytes, permit } = body::receive(app, posted, app.max_body).await?;
    let rejected = |rejection| Problem::rejected(rejection, &app.admission);
    let events = match media {
        Media::Json => event::parse_array(&bytes, &app.limits),
        Media::NdJson => event::parse_lines(&bytes, &app.limits),
    }
    .map_err(rejected)?;
    let trace = media::trace(headers);
    let outcomes = app.publisher.publish(&events, trace, permit).await;
    answer::batch(app, &events, &outcomes, media::prefers_minimal(headers))
}
