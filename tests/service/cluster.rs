//! Redis Cluster: sharded Pub/Sub, each channel on its shard.

use std::collections::BTreeSet;
use std::process::{Command, Stdio};

use deadpool_redis::redis::cluster::ClusterClient;
use deadpool_redis::redis::{self, PushKind};
use serde_json::json;
use tokio::sync::mpsc;
use tokio::time::timeout;

use crate::harness::reading::store;
use crate::harness::{PATIENCE, RedisServer, TestApp, eventually, free_port, unique};

struct Cluster {
    nodes: Vec<RedisServer>,
}

impl Cluster {
    async fn start() -> Self {
        let mut nodes = Vec::new();
        for _ in 0..3 {
            // By itself it takes its port and 10,000, which an outgoing connection may have.
            let bus = free_port().to_string();
            let options = ["--cluster-enabled", "yes", "--cluster-node-timeout", "2000"];
            let mut node = RedisServer::with(&[&options[..], &["--cluster-port", &bus]].concat());
            node.start().await;
            nodes.push(node);
        }
        let status = Command::new("redis-cli")
            .args(["--cluster", "create"])
            .args(nodes.iter().map(RedisServer::address))
            .args(["--cluster-replicas", "0", "--cluster-yes"])
            .stdout(Stdio::null())
            .status()
            .expect("redis-cli runs");
        assert!(status.success(), "redis-cli --cluster create: {status}");
        let cluster = Cluster { nodes };
        eventually("the cluster is whole", async || {
            let info = cluster.nodes[0].command(&["CLUSTER", "INFO"]).await.ok()?;
            format!("{info:?}").contains("cluster_state:ok").then_some(())
        })
        .await;
        cluster
    }

    fn url(&self) -> String {
        self.nodes.iter().map(RedisServer::url).collect::<Vec<_>>().join(",")
    }
}

async fn app(redis: &Cluster) -> TestApp {
    let builder = TestApp::builder().default_channels().set("redis.url", redis.url());
    builder.set("redis.cluster", true).start().await
}

#[tokio::test]
async fn notifications_reach_the_shard_of_their_channel() {
    let redis = Cluster::start().await;
    let app = app(&redis).await;
    let source_type = unique("repo");
    let channels: Vec<_> = (0..20).map(|source| format!("events:{source_type}:{source}")).collect();
    let (sender, mut pushes) = mpsc::unbounded_channel();
    let client = ClusterClient::builder(redis.nodes.iter().map(RedisServer::url))
        .use_protocol(redis::ProtocolVersion::RESP3)
        .push_sender(sender)
        .build()
        .unwrap();
    let mut subscriber = client.get_async_connection().await.unwrap();
    for channel in &channels {
        redis::cmd("SSUBSCRIBE").arg(channel).exec_async(&mut subscriber).await.unwrap();
    }

    let events: Vec<_> = (0..20)
        .flat_map(|source| (0..5).map(move |number| (source, number)))
        .map(|(source, number)| {
            json!({"id": format!("{source}-{number}"), "type": "t", "source_type": source_type, "source_id": source.to_string()})
        })
        .collect();
    assert_eq!(app.client.batch(json!(events)).await.status, 201);

    let mut heard = Vec::new();
    while heard.len() < events.len() {
        let push = timeout(PATIENCE, pushes.recv()).await.expect("a message in time").unwrap();
        if push.kind == PushKind::SMessage {
            let payload: String = redis::from_redis_value(push.data[1].clone()).unwrap();
            let payload: serde_json::Value = serde_json::from_str(&payload).unwrap();
            heard.push(payload["id"].as_str().unwrap().to_owned());
        }
    }
    let expected: BTreeSet<_> =
        events.iter().map(|event| event["id"].as_str().unwrap().to_owned()).collect();
    assert_eq!(heard.iter().cloned().collect::<BTreeSet<_>>(), expected);
    for source in 0..20 {
        let of_source: Vec<_> =
            heard.iter().filter(|id| id.starts_with(&format!("{source}-"))).cloned().collect();
        assert!(of_source.is_sorted(), "{of_source:?}");
    }
}

#[tokio::test]
async fn streams_hear_every_shard_and_go_on_when_one_is_away() {
    let mut redis = Cluster::start().await;
    let app = app(&redis).await;
    let sources = ["a", "b", "c", "d", "e", "f", "g", "h"];
    let mut streams = Vec::new();
    for source in sources {
        let query = format!("?source_type=s&source_id={source}");
        streams.push((source, app.client.stream(&query).await));
    }
    app.metric_is("dual_stream_live_channels", 8.0).await;
    let early = async || app.metric("dual_stream_live_delivered_total", &["early"]).await;
    for (source, stream) in &mut streams {
        let before = early().await;
        eventually("it comes early", async || {
            let posted = store(&app.client, source, 1).await;
            assert_eq!(stream.cursors(1).await, posted);
            (early().await > before).then_some(())
        })
        .await;
    }

    redis.nodes[0].kill().await;
    for (source, stream) in &mut streams {
        let posted = store(&app.client, source, 20).await;
        assert_eq!(stream.cursors(20).await, posted);
    }
    assert!(app.readiness().await.0);
    drop(streams);
    app.metric_is("dual_stream_live_channels_missing", 0.0).await;
}
