//! The limit of streams: axum that passes on what is posted by one broadcast channel, without
//! Kafka, without positions, and forgetting whoever is slow.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;

use anyhow::Result;
use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{Query, State};
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use axum::routing::{get, post};
use futures_util::{StreamExt, stream};
use serde::{Deserialize, Serialize};
use tokio::net::TcpListener;
use tokio::sync::broadcast::{self, Sender, error::RecvError};

/// Events that a stream may be behind.
const CAPACITY: usize = 1024;
const READY: Bytes = Bytes::from_static(b"event: ready\ndata: {}\n\n");
const ANSWER: &str = r#"{"id":"018f3a5c-7b2e-7000-8000-000000000000","cursor":"3-42424242"}"#;

type Channel = Sender<Arc<Passing>>;

/// One event on its way, its block made once for all.
struct Passing {
    source_type: String,
    source_id: String,
    block: Bytes,
}

/// What is passed on of an event, as much as the service does.
#[derive(Deserialize, Serialize)]
struct Notification<'a> {
    id: &'a str,
    r#type: &'a str,
    source_type: &'a str,
    source_id: &'a str,
}

#[derive(Deserialize)]
struct Wanted {
    source_type: String,
    source_id: String,
}

pub fn run(listen: SocketAddr) -> Result<()> {
    tokio::runtime::Runtime::new()?.block_on(async {
        let channel: Channel = broadcast::channel(CAPACITY).0;
        let router = Router::new()
            .route("/readyz", get(|| async { "ready" }))
            .route("/events", post(take))
            .route("/events/stream", get(follow))
            .with_state(channel);
        let listener = TcpListener::bind(listen).await?;
        axum::serve(listener, router).await?;
        Ok(())
    })
}

async fn take(State(channel): State<Channel>, body: Bytes) -> impl IntoResponse {
    let Ok(passing) = Passing::of(&body) else {
        return (StatusCode::BAD_REQUEST, "not an event").into_response();
    };
    // Nobody may be there.
    let _ = channel.send(Arc::new(passing));
    (StatusCode::CREATED, [(header::CONTENT_TYPE, "application/json")], ANSWER).into_response()
}

impl Passing {
    fn of(event: &[u8]) -> serde_json::Result<Self> {
        let event: Notification<'_> = serde_json::from_slice(event)?;
        let block = format!("data: {}\n\n", serde_json::to_string(&event)?).into();
        let (source_type, source_id) = (event.source_type.to_owned(), event.source_id.to_owned());
        Ok(Passing { source_type, source_id, block })
    }
}

async fn follow(State(channel): State<Channel>, Query(wanted): Query<Wanted>) -> impl IntoResponse {
    let events = stream::unfold((channel.subscribe(), wanted), |(mut events, wanted)| async move {
        loop {
            match events.recv().await {
                Ok(event) if wanted.is(&event) => {
                    return Some((event.block.clone(), (events, wanted)));
                }
                Ok(_) | Err(RecvError::Lagged(_)) => {}
                Err(RecvError::Closed) => return None,
            }
        }
    });
    let blocks = stream::iter([READY]).chain(events).map(Ok::<_, Infallible>);
    ([(header::CONTENT_TYPE, "text/event-stream")], Body::from_stream(blocks))
}

impl Wanted {
    fn is(&self, event: &Passing) -> bool {
        self.source_id == event.source_id && self.source_type == event.source_type
    }
}
