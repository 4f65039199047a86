//! Glue as it is first written in Rust: JSON into a tree, a future for each record, one PUBLISH
//! for each event.

use std::env::var;
use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::{DefaultBodyLimit, Json, State};
use axum::http::StatusCode;
use axum::routing::{get, post};
use rdkafka::ClientConfig;
use rdkafka::producer::{FutureProducer, FutureRecord};
use redis::AsyncCommands;
use redis::aio::ConnectionManager;
use serde_json::{Value, json};

struct App {
    producer: FutureProducer,
    topic: String,
    redis: Option<ConnectionManager>,
}

type Answer = Result<(StatusCode, Json<Value>), (StatusCode, String)>;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let producer = ClientConfig::new()
        .set("bootstrap.servers", var("KAFKA_BROKERS")?)
        .set("acks", "all")
        .create()?;
    let redis = match var("REDIS_URL").unwrap_or_default() {
        url if url.is_empty() => None,
        url => Some(ConnectionManager::new(redis::Client::open(url)?).await?),
    };
    let app = Arc::new(App { producer, topic: var("KAFKA_TOPIC")?, redis });
    let router = Router::new()
        .route("/readyz", get(|| async { "ready" }))
        .route("/events", post(create))
        .route("/events/batch", post(create_batch))
        .layer(DefaultBodyLimit::max(16 * 1024 * 1024))
        .with_state(app);
    let listener = tokio::net::TcpListener::bind(var("LISTEN")?).await?;
    axum::serve(listener, router).await?;
    Ok(())
}

async fn create(State(app): State<Arc<App>>, Json(event): Json<Value>) -> Answer {
    let stored = app.store(&event).await?;
    Ok((StatusCode::CREATED, Json(stored)))
}

async fn create_batch(State(app): State<Arc<App>>, Json(events): Json<Vec<Value>>) -> Answer {
    // All at once, so that they share requests to Kafka.
    let mut tasks = tokio::task::JoinSet::new();
    for event in events {
        let app = Arc::clone(&app);
        tasks.spawn(async move { app.store(&event).await });
    }
    let mut results = Vec::new();
    while let Some(stored) = tasks.join_next().await {
        results.push(stored.map_err(internal)??);
    }
    Ok((StatusCode::CREATED, Json(json!({ "results": results }))))
}

impl App {
    async fn store(&self, event: &Value) -> Result<Value, (StatusCode, String)> {
        let [id, kind, source_id] = ["id", "type", "source_id"].map(|name| &event[name]);
        let (Some(id), Some(kind), Some(source_id)) =
            (id.as_str(), kind.as_str(), source_id.as_str())
        else {
            let needed = "id, type and source_id are needed".to_owned();
            return Err((StatusCode::UNPROCESSABLE_ENTITY, needed));
        };
        let value = event.to_string();
        let record = FutureRecord::to(&self.topic).key(source_id).payload(&value);
        let sent = self.producer.send(record, Duration::from_secs(10)).await;
        let delivery = sent.map_err(|(error, _)| internal(error))?;
        if let Some(mut redis) = self.redis.clone() {
            let channel = format!("events:{kind}:{id}");
            let message = json!({ "id": id, "type": kind, "source_id": source_id }).to_string();
            if let Err(error) = redis.publish::<_, _, ()>(channel, message).await {
                eprintln!("not announced: {error}");
            }
        }
        let cursor = format!("{}-{}", delivery.partition, delivery.offset);
        Ok(json!({ "id": id, "cursor": cursor }))
    }
}

fn internal(error: impl Error) -> (StatusCode, String) {
    (StatusCode::INTERNAL_SERVER_ERROR, error.to_string())
}
