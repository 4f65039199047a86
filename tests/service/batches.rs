//! Many events in one request.

use serde_json::{Value, json};

use crate::harness::kafka::create_topic;
use crate::harness::{TestApp, required, unique};

fn event(id: &str, source: &str) -> Value {
    json!({"id": id, "type": "t", "source_type": "s", "source_id": source})
}

#[tokio::test]
async fn an_array_is_stored_whole_in_its_order() {
    let app = TestApp::start().await;
    let body = r#" [ {"id":"1","type":"t","source_type":"s","source_id":"a","n":1.0} ,
        {"id":"2","type":"t","source_type":"s","source_id":"a"},{"type":"t","source_type":"s","source_id":"b"}]"#;

    let answer = app.client.batch(body).await;

    assert_eq!(answer.status, 201, "{}", answer.text());
    let results = answer.json()["results"].as_array().unwrap().clone();
    assert_eq!(results.len(), 3);
    assert!(results.iter().all(|result| result["status"] == "stored"));
    assert_eq!((&results[0]["id"], &results[1]["id"]), (&json!("1"), &json!("2")));
    let records = app.records().await;
    for result in &results {
        let found = records.iter().find(|record| record.cursor.to_string() == result["cursor"]);
        assert_eq!(found.expect("a record").headers["id"], result["id"]);
    }
    let first = records.iter().find(|record| record.headers["id"] == "1").unwrap();
    assert_eq!(
        String::from_utf8_lossy(&first.value),
        r#"{"id":"1","type":"t","source_type":"s","source_id":"a","n":1.0}"#
    );
    let second = records.iter().find(|record| record.headers["id"] == "2").unwrap();
    assert_eq!(second.cursor.partition(), first.cursor.partition());
    assert_eq!(second.cursor.offset(), first.cursor.offset() + 1);
}

#[tokio::test]
async fn lines_are_events_and_blank_lines_are_not() {
    let app = TestApp::start().await;
    let lines = format!("{}\r\n\n  \n{}", event("1", "a"), event("2", "a"));

    let answer = app.client.lines(lines).await;

    assert_eq!(answer.status, 201, "{}", answer.text());
    assert_eq!(answer.json()["results"].as_array().unwrap().len(), 2);
    let records = app.records().await;
    assert_eq!(String::from_utf8_lossy(&records[0].value), event("1", "a").to_string());
}

#[tokio::test]
async fn a_client_that_wants_little_gets_the_count() {
    let app = TestApp::start().await;
    let body = json!([event("1", "a"), event("2", "b")]).to_string();

    let request = app.client.post("/events/batch", "application/json", body);
    let answer = app.client.send(request.header("Prefer", "return=minimal")).await;

    assert_eq!((answer.status, answer.json()), (201, json!({"stored": 2})));
    assert_eq!(answer.header("preference-applied"), Some("return=minimal"));
    assert_eq!(app.records().await.len(), 2);
}

#[tokio::test]
async fn one_bad_event_keeps_the_whole_batch_out_and_each_fault_is_named() {
    let app = TestApp::start().await;
    let body = json!([
        event("1", "a"),
        {"type": "t", "source_type": "no:colon", "source_id": "a"},
        event("3", "a"),
        {"type": 7, "source_type": "s", "source_id": ""},
    ]);

    let answer = app.client.batch(body).await;

    assert_eq!((answer.status, answer.problem().as_str()), (422, "invalid-event"));
    assert_eq!(answer.pointers(), ["/1/source_type", "/3/type", "/3/source_id"]);
    assert_eq!(app.records().await, []);
}

#[tokio::test]
async fn a_malformed_line_is_named_by_its_index() {
    let app = TestApp::start().await;
    let lines = format!("{}\n{{\"type\":\n{}", event("1", "a"), event("2", "a"));

    let answer = app.client.lines(lines).await;

    assert_eq!((answer.status, answer.problem().as_str()), (400, "malformed-json"));
    assert_eq!(answer.pointers(), ["/1"]);
    assert_eq!(app.records().await, []);
}

#[tokio::test]
async fn an_event_that_kafka_finds_too_large_is_told_apart_from_the_others() {
    let brokers = required("KAFKA_BROKERS");
    let topic = unique("small");
    // Each partition gets requests of its own, so that one refusal leaves the other alone.
    create_topic(&brokers, &topic, 6, &[("max.message.bytes", "4000")]).await;
    let app = TestApp::builder().topic(&topic).start().await;
    let mut large = event("large", "source-of-the-large-one");
    large["data"] = json!("x".repeat(10_000));

    let mixed = app.client.batch(json!([event("small", "another-source"), large])).await;
    let single = app.client.event(&large).await;
    let alone = app.client.batch(json!([large])).await;

    assert_eq!(mixed.status, 207, "{}", mixed.text());
    let results = &mixed.json()["results"];
    assert_eq!((&results[0]["status"], &results[0]["id"]), (&json!("stored"), &json!("small")));
    assert_eq!(results[1], json!({"status": "not_stored", "id": "large", "reason": "too_large"}));
    assert_eq!((single.status, single.problem().as_str()), (413, "too-large"));
    assert_eq!((alone.status, alone.problem().as_str()), (413, "too-large"));
    assert_eq!(alone.json()["results"][0]["reason"], "too_large");
    let ids: Vec<_> = app.records().await.into_iter().map(|r| r.headers["id"].clone()).collect();
    assert_eq!(ids, ["small"]);
}
