//! `POST /events/fetch`.

use serde_json::{Value, json};

use crate::harness::kafka::{create_topic, delete_records};
use crate::harness::reading::store;
use crate::harness::{TestApp, eventually, required, unique};

#[tokio::test]
async fn each_cursor_has_its_result_in_the_order_of_the_request() {
    let (brokers, topic) = (required("KAFKA_BROKERS"), unique("events"));
    create_topic(&brokers, &topic, 1, &[]).await;
    let app = TestApp::builder().topic(&topic).start().await;
    store(&app.client, "i", 10).await;
    delete_records(&brokers, &topic, 0, 2).await;
    eventually("memory forgets what is gone", async || {
        (app.client.get("/events/0-1").await.status == 410).then_some(())
    })
    .await;

    let answer = app.client.fetch(&["0-9", "0-2", "0-10", "0-1", "5-0", "0-9"]).await;

    assert_eq!((answer.status, answer.header("cache-control")), (200, Some("no-store")));
    let body = answer.json();
    let results = body["results"].as_array().unwrap();
    let told: Vec<_> = results
        .iter()
        .map(|result| (result["cursor"].as_str().unwrap(), result["status"].as_str().unwrap()))
        .collect();
    let expected = [
        ("0-9", "found"),
        ("0-2", "found"),
        ("0-10", "not_yet"),
        ("0-1", "gone"),
        ("5-0", "not_found"),
        ("0-9", "found"),
    ];
    assert_eq!(told, expected);
    assert_eq!(results[0], results[5]);
    assert_eq!(
        (&results[0]["event"]["data"], &results[1]["event"]["data"]),
        (&json!(9), &json!(2))
    );
    assert_eq!(results[3]["earliest"], "0-1");
}

#[tokio::test]
async fn a_burst_is_read_at_once() {
    let app = TestApp::start().await;
    let mut cursors = Vec::new();
    for source in ["a", "b", "c", "d", "e"] {
        cursors.extend(store(&app.client, source, 100).await);
    }
    fastrand::shuffle(&mut cursors);

    let body = app.client.fetch(&cursors).await.json();

    let results = body["results"].as_array().unwrap();
    assert_eq!(results.len(), 500);
    for (result, cursor) in results.iter().zip(&cursors) {
        assert_eq!((&result["status"], &result["cursor"]), (&json!("found"), &json!(cursor)));
        let single = result["event"]["source_id"].as_str().unwrap();
        assert!(result["event"]["id"].as_str().unwrap().starts_with(single));
    }
}

#[tokio::test]
async fn what_is_not_a_list_of_cursors_is_refused() {
    let app = TestApp::start().await;
    let post = async |body: Value| {
        app.client
            .send(app.client.post("/events/fetch", "application/json", body.to_string()))
            .await
    };
    for (body, status, pointer) in [
        (json!([]), 422, ""),
        (json!({}), 422, "/cursors"),
        (json!({"cursors": []}), 422, "/cursors"),
        (json!({"cursors": ["0-0", "0-00", 3]}), 422, "/cursors/1"),
        (json!({"cursors": ["0-0"], "a/b": 1}), 422, "/a~1b"),
        (json!({"cursors": vec!["0-0"; 501]}), 422, "/cursors"),
    ] {
        let answer = post(body).await;
        assert_eq!(answer.status, status, "{}", answer.text());
        assert_eq!(answer.pointers()[0], pointer);
    }
    let huge = post(json!({"cursors": vec!["0-0"; 50_000]})).await;
    assert_eq!((huge.status, huge.problem().as_str()), (413, "too-large"));
    let lines = app.client.post("/events/fetch", "application/x-ndjson", "\"0-0\"\n");
    assert_eq!(app.client.send(lines).await.status, 415);
}
