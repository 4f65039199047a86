//! The limit of HTTP: axum that reads the body and answers as if everything were stored.

use std::net::SocketAddr;

use anyhow::Result;
use axum::Router;
use axum::body::Bytes;
use axum::extract::DefaultBodyLimit;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use axum::routing::{get, post};
use tokio::net::TcpListener;

/// As long as the service's own: the id and the cursor of one event.
const ANSWER: &str = r#"{"id":"018f3a5c-7b2e-7000-8000-000000000000","cursor":"3-42424242"}"#;

pub fn run(listen: SocketAddr) -> Result<()> {
    tokio::runtime::Runtime::new()?.block_on(async {
        let router = Router::new()
            .route("/readyz", get(|| async { "ready" }))
            .route("/events", post(take))
            .route("/events/batch", post(take))
            .layer(DefaultBodyLimit::disable());
        let listener = TcpListener::bind(listen).await?;
        axum::serve(listener, router).await?;
        Ok(())
    })
}

async fn take(body: Bytes) -> impl IntoResponse {
    drop(body);
    let headers = [(header::CONTENT_TYPE, "application/json"), (header::LOCATION, "/events/3-42")];
    (StatusCode::CREATED, headers, ANSWER)
}
