//! The stream: what it follows, how it breaks, and how it goes on.

use serde_json::json;

use super::{listed, open};
use crate::harness::TestApp;
use crate::harness::reading::store;
use crate::restarts::Restarts;

#[tokio::test]
async fn a_service_that_is_killed_is_found_again_and_nothing_is_missed() {
    let mut service = Restarts::start(TestApp::builder()).await;
    let browser = open(&service.url()).await;
    let (kind, id) = ("repo", "octocat/hello-world");
    service.post(kind, id, 5).await;
    browser.has("#arrivals > li", 5).await;

    service.kill().await;
    browser.shows("#state", "Reconnecting").await;
    service.post(kind, id, 5).await;
    service.start_again().await;
    browser.shows("#state", "Live").await;
    service.post(kind, id, 5).await;

    browser.has("#arrivals > li", 15).await;
    let came: Vec<_> = listed(&browser).await.into_iter().rev().collect();
    assert_eq!(came, service.posted());
    assert_eq!(browser.text("#count").await, "15");
    // And it still sends.
    browser.click("#send-one").await;
    browser.has("#arrivals > li", 16).await;
    browser.quit(&["net::ERR_"]).await;
}

#[tokio::test]
async fn what_is_watched_stays_over_a_reload() {
    let app = TestApp::start().await;
    let browser = open(&app.client.url).await;
    browser.click("#watching [value=type] + span").await;
    browser.fill("#watch-source_type", "s").await;
    browser.click("#watching [name=include]").await;
    browser.shows("#state", "Live").await;
    store(&app.client, "one", 1).await;
    store(&app.client, "two", 1).await;
    browser.has("#arrivals > li", 2).await;

    browser.driver.refresh().await.unwrap();
    browser.shows("#state", "Live").await;
    store(&app.client, "three", 1).await;
    browser.has("#arrivals > li", 1).await;
    browser.shows("#arrivals .source", "s three").await;
    browser.click("#arrivals summary").await;
    // With the event, what comes has it.
    browser.shows("#arrivals .inside", "\"event\": {").await;

    browser.click("#toggle").await;
    browser.shows("#state", "Stopped").await;
    browser.driver.refresh().await.unwrap();
    browser.shows("#toggle", "Watch").await;
    browser.shows("#state", "Stopped").await;
    app.metric_is("dual_stream_live_streams", 0.0).await;
    browser.quit(&[]).await;
}

#[tokio::test]
async fn a_stream_that_is_refused_says_why() {
    let app = TestApp::start().await;
    let browser = open(&app.client.url).await;
    browser.fill("#watch-source_type", "a:b").await;
    browser.click("#watch-title").await;
    browser.shows("#state", "Refused source_type holds ':'").await;
    browser.shows("#toggle", "Watch").await;

    browser.fill("#watch-source_type", "repo").await;
    browser.click("#toggle").await;
    browser.shows("#state", "Live").await;
    browser.quit(&["400"]).await;
}

#[tokio::test]
async fn a_service_without_room_is_asked_again_later() {
    let app = TestApp::builder().set("live.streams", 1).start().await;
    let taken = app.client.stream("").await;
    let browser = crate::browser::Browser::start().await;
    browser.open(&app.client.url).await;
    browser.shows("#state", "Reconnecting As many streams are open").await;
    drop(taken);
    browser.shows("#state", "Live").await;
    browser.quit(&["503"]).await;
}

#[tokio::test]
async fn a_pause_holds_what_arrives_and_loses_none() {
    let app = TestApp::start().await;
    let browser = open(&app.client.url).await;
    browser.click("#pause").await;
    browser.click("#send-ten").await;
    browser.shows("#pause", "Go on (10 new)").await;
    assert!(listed(&browser).await.is_empty());
    browser.click("#pause").await;
    browser.has("#arrivals > li", 10).await;
    browser.click("#clear").await;
    browser.has("#arrivals > li", 0).await;
    browser.quit(&[]).await;
}

#[tokio::test]
async fn the_list_is_bounded_and_the_count_is_not() {
    let app = TestApp::start().await;
    let browser = open(&app.client.url).await;
    let events: Vec<_> = (0..1000)
        .map(|n| {
            json!({"id": format!("e-{n}"), "type": "t", "source_type": "repo",
                   "source_id": "octocat/hello-world"})
        })
        .collect();
    app.client.batch(json!(events)).await;
    browser.shows("#count", "1,000").await;
    browser.has("#arrivals > li", 200).await;
    browser.shows("#arrivals .id", "e-999").await;
    browser.quit(&[]).await;
}
