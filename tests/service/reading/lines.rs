//! A replay as lines.

use crate::harness::TestApp;
use crate::harness::reading::{after, read_lines, store};

#[tokio::test]
async fn a_long_replay_comes_whole_and_in_order() {
    let app = TestApp::start().await;
    let mut cursors = Vec::new();
    for _ in 0..5 {
        cursors.extend(store(&app.client, "i", 1000).await);
        store(&app.client, "another", 1000).await;
    }

    let answer = app.client.lines_of(&after("s", "i", "beginning")).await;

    assert_eq!((answer.status, answer.media_type()), (200, Some("application/x-ndjson")));
    assert_eq!(answer.header("content-length"), None);
    let read: Vec<_> = read_lines(&answer).into_iter().map(|read| read.cursor).collect();
    assert_eq!(read, cursors);
    let rest = app.client.lines_of(&after("s", "i", &cursors[4990])).await;
    assert_eq!(read_lines(&rest).len(), 9);
    let nothing = app.client.lines_of(&after("s", "i", &cursors[4999])).await;
    assert_eq!((nothing.status, nothing.body.len()), (200, 0));
}

#[tokio::test]
async fn an_event_of_several_lines_is_one_line() {
    let app = TestApp::start().await;
    let event = "{\r\n  \"id\": \"1\",\n  \"type\": \"t\",\n  \"source_type\": \"s\",\n  \"source_id\": \"i\",\n  \"text\": \"a\\nb\"\n}";
    assert_eq!(app.client.event(event).await.status, 201);
    let answer = app.client.lines_of(&after("s", "i", "beginning")).await;
    assert_eq!(answer.text().matches('\n').count(), 1);
    let read = read_lines(&answer);
    assert_eq!(read[0].event, serde_json::from_str::<serde_json::Value>(event).unwrap());
    let line = event.replace(['\r', '\n'], " ");
    assert!(answer.text().ends_with(&format!("\"event\":{line}}}\n")), "{}", answer.text());
}

#[tokio::test]
async fn two_services_read_the_same() {
    let one = TestApp::start().await;
    let cursors = store(&one.client, "i", 50).await;
    let other = TestApp::builder().topic(&one.topic).start().await;
    for app in [&one, &other] {
        let read = app.client.replay("s", "i", "beginning", "&limit=20").await;
        assert_eq!(read.into_iter().map(|read| read.cursor).collect::<Vec<_>>(), cursors);
        assert_eq!(app.client.get(&format!("/events/{}", cursors[7])).await.json()["data"], 7);
    }
}
