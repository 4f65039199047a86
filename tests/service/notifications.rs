//! What subscribers see of stored events.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use crate::harness::{Answer, Subscriber, TestApp, eventually, required, unique};

#[tokio::test]
async fn a_stored_event_is_announced_by_its_identifiers_only() {
    let app = TestApp::builder().default_channels().start().await;
    let source_type = unique("repo");
    let mut subscriber =
        Subscriber::to(&required("REDIS_URL"), &format!("events:{source_type}:*")).await;

    let event = json!({"id": "a \"1\"", "type": "push", "source_type": source_type,
        "source_id": "owner/repo:x", "data": {"secret": "payload"}});
    let answer = app.client.event(event).await;

    let notification = subscriber.next().await;
    assert_eq!(notification.channel, format!("events:{source_type}:owner/repo:x"));
    assert_eq!(
        notification.payload,
        json!({"id": "a \"1\"", "type": "push", "source_id": "owner/repo:x",
            "cursor": answer.json()["cursor"]})
    );
}

#[tokio::test]
async fn an_aggregate_channel_gets_the_same_notification() {
    let app = TestApp::builder()
        .set(
            "notify.channels",
            "events:{source_type}:{source_id},all:{source_type},by-type:{source_type}:{type}",
        )
        .start()
        .await;
    let source_type = unique("org");
    let mut subscriber = Subscriber::to(&required("REDIS_URL"), &format!("*:{source_type}*")).await;

    app.client
        .event(json!({"type": "created", "source_type": source_type, "source_id": "x"}))
        .await;

    let notifications = subscriber.take(3).await;
    let channels: BTreeSet<_> = notifications.iter().map(|n| n.channel.clone()).collect();
    let expected = [
        format!("events:{source_type}:x"),
        format!("all:{source_type}"),
        format!("by-type:{source_type}:created"),
    ];
    assert_eq!(channels, expected.into());
    assert!(notifications.windows(2).all(|pair| pair[0].payload == pair[1].payload));
}

#[tokio::test]
async fn no_channel_means_no_notification() {
    let app = TestApp::builder().set("notify.channels", "").start().await;

    assert_eq!(
        app.client.event(json!({"type": "t", "source_type": "s", "source_id": "i"})).await.status,
        201
    );

    assert_eq!(app.readiness().await.1["redis"]["state"], "off");
    assert_eq!(app.metric("dual_stream_notifications_published_total", &[]).await, 0.0);
}

#[tokio::test]
async fn a_refused_event_is_not_announced() {
    let app = TestApp::builder().default_channels().start().await;
    let source_type = unique("repo");
    let mut subscriber =
        Subscriber::to(&required("REDIS_URL"), &format!("events:{source_type}:*")).await;

    app.client.event(json!({"type": "", "source_type": source_type, "source_id": "first"})).await;
    app.client.event(json!({"type": "t", "source_type": source_type, "source_id": "second"})).await;

    assert_eq!(subscriber.next().await.payload["source_id"], "second");
}

/// The main job, whole: every event of a mixed load is in Kafka once, where the answer said, as
/// posted; and every one was announced once, in Kafka's order per channel.
#[tokio::test(flavor = "multi_thread")]
async fn ten_thousand_events_are_each_stored_once_and_announced_once() {
    let app = TestApp::builder().default_channels().start().await;
    let source_type = unique("load");
    let mut subscriber =
        Subscriber::to(&required("REDIS_URL"), &format!("events:{source_type}:*")).await;
    let announced = tokio::spawn(async move { subscriber.take(EVENTS).await });

    let mut clients = tokio::task::JoinSet::new();
    for client in 0..CLIENTS {
        clients.spawn(post_share(app.client.clone(), source_type.clone(), client));
    }
    let answered: BTreeMap<String, (String, String)> =
        clients.join_all().await.into_iter().flatten().collect();
    let announced = announced.await.unwrap();

    assert_eq!(answered.len(), EVENTS);
    let records = app.records().await;
    assert_eq!(records.len(), EVENTS);
    for record in &records {
        let id = &record.headers["id"];
        let (posted, cursor) = &answered[id];
        assert_eq!(&record.cursor.to_string(), cursor, "{id}");
        assert_eq!(String::from_utf8_lossy(&record.value), *posted, "{id}");
        let posted: Value = serde_json::from_str(posted).unwrap();
        assert_eq!(record.key, posted["source_id"], "{id}");
        assert_eq!(record.headers["type"], posted["type"], "{id}");
        assert_eq!(record.headers["source_type"], source_type, "{id}");
    }

    let mut heard: BTreeMap<String, Vec<&Value>> = BTreeMap::new();
    for notification in &announced {
        heard.entry(notification.channel.clone()).or_default().push(&notification.payload);
    }
    let mut expected: BTreeMap<String, Vec<Value>> = BTreeMap::new();
    for record in &records {
        let payload = json!({"id": record.headers["id"], "type": record.headers["type"],
            "source_id": record.key, "cursor": record.cursor.to_string()});
        expected.entry(format!("events:{source_type}:{}", record.key)).or_default().push(payload);
    }
    // `records` is in Kafka's order per partition, and a source lives in one partition.
    assert!(heard.into_iter().eq(expected.iter().map(|(k, v)| (k.clone(), v.iter().collect()))));
    let published = "dual_stream_notifications_published_total";
    eventually("all are counted", async || {
        (app.metric(published, &[]).await == EVENTS as f64).then_some(())
    })
    .await;
}

const EVENTS: usize = 10_000;
const CLIENTS: usize = 20;
const SHARE: usize = EVENTS / CLIENTS;

/// Posts a client's share: half one by one, the rest in batches, as an array and as lines.
/// Gives what was posted and the cursor that was answered, by id.
async fn post_share(
    http: crate::harness::Client,
    source_type: String,
    client: usize,
) -> Vec<(String, (String, String))> {
    let events: Vec<String> = (0..SHARE)
        .map(|number| {
            let source = (client * 7 + number) % 50;
            format!(r#"{{"id":"{client}-{number}","type":"t{source}","source_type":"{source_type}", "source_id":"source/{source}","data":{{"n":{number}.0,"text":"é"}}}}"#)
        })
        .collect();
    let (singles, batched) = events.split_at(SHARE / 2);
    let (array, lines) = batched.split_at(SHARE / 4);
    let mut cursors = Vec::new();
    for event in singles {
        let answer = http.event(event).await;
        assert_eq!(answer.status, 201, "{}", answer.text());
        cursors.push(answer.json()["cursor"].as_str().unwrap().to_owned());
    }
    cursors.extend(cursors_of(http.batch(format!("[{}]", array.join(", "))).await));
    cursors.extend(cursors_of(http.lines(lines.join("\n")).await));
    let ids = (0..SHARE).map(|number| format!("{client}-{number}"));
    ids.zip(events.into_iter().zip(cursors)).collect()
}

fn cursors_of(answer: Answer) -> Vec<String> {
    assert_eq!(answer.status, 201, "{}", answer.text());
    let results = answer.json()["results"].as_array().unwrap().clone();
    results.iter().map(|result| result["cursor"].as_str().unwrap().to_owned()).collect()
}
