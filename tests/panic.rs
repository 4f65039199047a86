//! A handler that panics is answered, and takes nothing else down.

#![allow(clippy::expect_used, clippy::unwrap_used, reason = "a test fails by them")]

use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Router;
use axum::routing::get;
use dual_stream::http::{Edge, Phase, Server};
use dual_stream::metrics::Metrics;
use tokio::net::TcpListener;
use tokio::sync::watch;

#[tokio::test]
async fn a_panic_in_a_handler_is_an_internal_problem() {
    let metrics = Arc::new(Metrics::new());
    let router = Router::new().route("/panic", get(panic)).route("/fine", get(async || "fine"));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let server = Server {
        edge: Edge::new(router, &[], Arc::clone(&metrics)),
        max_connections: 10,
        idle_timeout: Duration::from_secs(5),
        write_timeout: Duration::from_secs(5),
        farewell: Duration::ZERO,
        metrics,
    };
    let (stop, stopped) = watch::channel(Phase::Serving);
    let server = tokio::spawn(server.run(listener, stopped));
    let client = reqwest::Client::builder().no_proxy().build().unwrap();

    let failed = client.get(format!("{url}/panic")).send().await.unwrap();
    let fine = client.get(format!("{url}/fine")).send().await.unwrap();

    assert_eq!(failed.status(), 500);
    assert_eq!(failed.headers()["content-type"], "application/problem+json");
    let problem: serde_json::Value =
        serde_json::from_slice(&failed.bytes().await.unwrap()).unwrap();
    assert_eq!(problem["type"], "/docs/problems#internal");
    assert_eq!(fine.status(), 200);
    drop(client);
    stop.send_replace(Phase::Stopping(Instant::now() + Duration::from_secs(5)));
    assert_eq!(server.await.unwrap(), 0);
}

async fn panic() -> &'static str {
    panic!("on purpose")
}
