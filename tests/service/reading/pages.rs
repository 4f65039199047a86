//! `GET /events`: recent events and replay, page by page.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

use reqwest::Method;
use serde_json::json;

use crate::harness::kafka::{add_partitions, create_topic, delete_records};
use crate::harness::reading::{after, events, recent, store};
use crate::harness::{TestApp, eventually, required, unique};

/// A service on a topic of its own.
async fn on_topic(partitions: i32) -> TestApp {
    let topic = unique("events");
    create_topic(&required("KAFKA_BROKERS"), &topic, partitions, &[]).await;
    TestApp::builder().topic(&topic).start().await
}

#[tokio::test]
async fn recent_events_come_newest_first_and_lead_back_to_the_beginning() {
    let app = on_topic(6).await;
    let mut cursors = store(&app.client, "i", 23).await;
    store(&app.client, "another", 30).await;
    cursors.reverse();

    let page = app.client.page(&format!("{}&limit=10", recent("s", "i"))).await;
    let read: Vec<_> = events(&page).into_iter().map(|read| read.cursor).collect();
    assert_eq!(read, cursors[..10]);
    assert_eq!(page["complete"], true);

    for limit in [1, 7, 23, 1000] {
        let all = app.client.read_back("s", "i", &format!("&limit={limit}")).await;
        let read: Vec<_> = all.iter().map(|read| read.cursor.clone()).collect();
        assert_eq!(read, cursors, "limit {limit}");
        assert_eq!(all[0].id(), "i-22");
    }
}

#[tokio::test]
async fn a_replay_follows_next_to_the_end_and_on() {
    let app = on_topic(6).await;
    let cursors = store(&app.client, "i", 23).await;
    store(&app.client, "another", 30).await;

    for limit in [1, 7, 23, 1000] {
        let all = app.client.replay("s", "i", "beginning", &format!("&limit={limit}")).await;
        let read: Vec<_> = all.iter().map(|read| read.cursor.clone()).collect();
        assert_eq!(read, cursors, "limit {limit}");
    }
    let behind = app.client.replay("s", "i", &cursors[19], "").await;
    assert_eq!(behind.len(), 3);
    let page = app.client.page(&after("s", "i", &cursors[22])).await;
    let next = page["next"].as_str().expect("there is always a next").to_owned();
    let more = store(&app.client, "i", 2).await;
    let read = app.client.replay("s", "i", &next, "").await;
    assert_eq!(read.into_iter().map(|read| read.cursor).collect::<Vec<_>>(), more);
}

#[tokio::test]
async fn without_memory_everything_is_read_from_kafka() {
    let app = TestApp::builder().set("reader.memory", "0B").start().await;
    let cursors = store(&app.client, "i", 60).await;
    let mut back = app.client.read_back("s", "i", "&limit=25").await;
    back.reverse();
    assert_eq!(back.into_iter().map(|read| read.cursor).collect::<Vec<_>>(), cursors);
    assert_eq!(app.client.get(&format!("/events/{}", cursors[59])).await.status, 200);
    assert_eq!(app.metric("dual_stream_reader_lookups_total", &[r#"memory="hit""#]).await, 0.0);
}

#[tokio::test]
async fn each_source_is_read_alone_though_the_key_is_the_same() {
    let app = on_topic(1).await;
    for source_type in ["a", "b", "a", "c"] {
        let event = json!({"type": "t", "source_type": source_type, "source_id": "same"});
        assert_eq!(app.client.event(event).await.status, 201);
    }
    let read = async |kind: &str| app.client.read_back(kind, "same", "").await.len();
    assert_eq!((read("a").await, read("b").await, read("d").await), (2, 1, 0));
}

#[tokio::test]
async fn events_are_embedded_as_they_were_posted() {
    let app = on_topic(1).await;
    let event = "{\"type\":\"t\", \"n\": 12345678901234567890.10,\r\n\"source_type\":\"s\",\"source_id\":\"i\",\"id\":\"1\", \"n\":2}";
    assert_eq!(app.client.event(event).await.status, 201);
    let page = app.client.get(&recent("s", "i")).await;
    assert!(page.text().contains(&format!("\"event\":{event}}}]")), "{}", page.text());
    assert_eq!(page.header("cache-control"), Some("no-store"));
    let head = app.client.send(app.client.request(Method::HEAD, &recent("s", "i"))).await;
    assert_eq!((head.status, head.body.len()), (200, 0));
    assert_eq!(head.header("content-length"), Some(page.body.len().to_string().as_str()));
}

#[tokio::test]
async fn a_replay_may_begin_at_a_time() {
    let app = on_topic(3).await;
    store(&app.client, "i", 3).await;
    tokio::time::sleep(Duration::from_millis(20)).await;
    let between = humantime::format_rfc3339_millis(SystemTime::now()).to_string();
    tokio::time::sleep(Duration::from_millis(20)).await;
    let cursors = store(&app.client, "i", 2).await;

    let read = app.client.replay("s", "i", &format!("time:{between}"), "").await;
    assert_eq!(
        read.iter().map(|read| &read.cursor).collect::<Vec<_>>(),
        cursors.iter().collect::<Vec<_>>()
    );
    assert!(read.iter().all(|read| read.time > between), "{read:?}");
    let all = app.client.replay("s", "i", "time:1970-01-01T00:00:00Z", "").await;
    assert_eq!(all.len(), 5);
    let none = app.client.page(&after("s", "i", "time:9999-12-31T23:59:59Z")).await;
    assert_eq!((events(&none).len(), &none["complete"]), (0, &json!(true)));
}

#[tokio::test]
async fn a_reader_that_retention_has_overtaken_is_told_once() {
    let app = on_topic(1).await;
    let cursors = store(&app.client, "i", 20).await;
    let before = app.client.page(&format!("{}&limit=5", after("s", "i", "beginning"))).await;
    delete_records(&app.brokers, &app.topic, 0, 10).await;

    let next = before["next"].as_str().unwrap();
    let answer = app.client.get(&after("s", "i", next)).await;
    assert_eq!((answer.status, answer.problem().as_str()), (410, "removed"));
    let body = answer.json();
    let earliest = body["earliest"].as_str().unwrap();
    let rest = app.client.replay("s", "i", earliest, "").await;
    assert_eq!(rest.iter().map(|read| read.cursor.as_str()).collect::<Vec<_>>(), cursors[10..]);
    let from_the_beginning = app.client.replay("s", "i", "beginning", "&limit=3").await;
    assert_eq!(from_the_beginning.len(), 10);
    eventually("memory forgets what is gone", async || {
        (app.client.read_back("s", "i", "&limit=4").await.len() == 10).then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_source_that_moved_with_new_partitions_is_read_whole() {
    let app = on_topic(1).await;
    let mut stored: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let post = async |stored: &mut BTreeMap<String, Vec<String>>| {
        for n in 0..10 {
            let source = format!("source-{n}");
            stored.entry(source.clone()).or_default().extend(store(&app.client, &source, 3).await);
        }
    };
    post(&mut stored).await;
    add_partitions(&app.brokers, &app.topic, 4).await;
    let moved = eventually("events go to new partitions", async || {
        post(&mut stored).await;
        let is_moved =
            |cursors: &Vec<String>| cursors.iter().any(|cursor| !cursor.starts_with("0-"));
        stored.values().any(is_moved).then_some(())
    });
    moved.await;

    let all = after("s", "source-0", "beginning");
    eventually("the new partitions are read, too", async || {
        let answer = app.client.get(&all).await;
        assert!(matches!(answer.status, 200 | 503), "{}", answer.text());
        (answer.status == 200).then_some(())
    })
    .await;

    for (source, cursors) in &stored {
        let mut expected = cursors.clone();
        expected.sort();
        let forward = app.client.replay("s", source, "beginning", "&limit=4").await;
        let back = app.client.read_back("s", source, "&limit=4").await;
        for read in [forward, back] {
            let mut read: Vec<_> = read.into_iter().map(|read| read.cursor).collect();
            read.sort();
            assert_eq!(read, expected, "{source}");
        }
    }
}

/// A question for a time that is later than all that is written, while the next event comes.
#[tokio::test]
async fn a_replay_from_now_on_passes_over_nothing_that_is_written_meanwhile() {
    let app = on_topic(1).await;
    store(&app.client, "i", 1).await;
    let client = app.client.clone();
    let writer = tokio::spawn(async move {
        for _ in 0..400 {
            store(&client, "i", 1).await;
        }
    });
    let mut pages = Vec::new();
    while !writer.is_finished() {
        let now = humantime::format_rfc3339_millis(SystemTime::now()).to_string();
        let page = app.client.page(&after("s", "i", &format!("time:{now}"))).await;
        pages.push((now, page));
    }
    writer.await.unwrap();
    let offset = |cursor: &str| cursor.split_once('-').unwrap().1.parse::<i64>().unwrap();
    let all = app.client.replay("s", "i", "beginning", "").await;
    for (now, page) in pages {
        let next = offset(page["next"].as_str().unwrap());
        let given = events(&page);
        let passed = all.iter().filter(|read| read.time >= now && offset(&read.cursor) <= next);
        for read in passed {
            assert!(
                given.contains(read),
                "{} of {} is not among {given:?}",
                read.cursor,
                read.time
            );
        }
    }
}
