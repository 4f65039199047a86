//! The form, its answers, and what arrives of it.

use std::process::Command;

use serde_json::json;
use thirtyfour::prelude::*;

use super::{listed, open};
use crate::harness::TestApp;

#[tokio::test]
async fn what_is_typed_is_sent_and_arrives_with_its_latency() {
    let app = TestApp::start().await;
    let browser = open(&app.client.url).await;

    browser.fill("#event-type", "star.created").await;
    browser.fill("#event-id", "star-1").await;
    let data = r#"{"stars": 12345678901234567890123, "by": "mona"}"#;
    browser.fill("#event-data", data).await;
    browser.click("#send-one").await;

    browser.shows("#answer", "201 Stored at").await;
    browser.has("#arrivals > li", 1).await;
    browser.shows("#answer", "arrived in").await;
    browser.shows("#arrivals .took", "ms").await;
    browser.shows("#p50-answered", "ms").await;
    browser.shows("#p50-arrived", "ms").await;
    browser.has("#chart > svg .answered circle", 1).await;
    browser.has("#chart > svg .arrived path", 1).await;
    let cursor = listed(&browser).await.remove(0);
    assert_eq!(browser.text("#answer .cursor").await, cursor);

    browser.click("#arrivals summary").await;
    browser.shows("#arrivals .inside", "The event in Kafka").await;
    let texts = browser.texts("#arrivals .inside code").await;
    assert!(texts[0].contains("\"cursor\": \"") && texts[0].contains(&cursor), "{texts:?}");
    // To the last digit: it was never a number here.
    assert!(texts[1].contains("\"stars\": 12345678901234567890123"), "{texts:?}");
    let stored = app.client.get(&format!("/events/{cursor}")).await.text();
    let posted = format!(
        r#"{{"id":"star-1","type":"star.created","source_type":"repo","source_id":"octocat/hello-world","data":{data}}}"#
    );
    assert_eq!(stored, posted);
    browser.quit(&[]).await;
}

#[tokio::test]
async fn ten_are_ten_and_each_is_timed() {
    let app = TestApp::start().await;
    let browser = open(&app.client.url).await;
    browser.fill("#event-id", "many").await;
    browser.click("#send-ten").await;
    browser.has("#arrivals > li", 10).await;
    browser.has("#chart > svg .arrived path", 10).await;
    assert_eq!(browser.text("#count").await, "10");
    let ids: Vec<_> = browser.texts("#arrivals .id").await.into_iter().rev().collect();
    let expected: Vec<_> = (1..=10).map(|n| format!("many-{n}")).collect();
    assert_eq!(ids, expected);
    browser.quit(&[]).await;
}

#[tokio::test]
async fn faults_stand_beside_their_fields() {
    let app = TestApp::start().await;
    let browser = open(&app.client.url).await;

    // What is no JSON is not sent.
    browser.fill("#event-data", "{\"stars\": }").await;
    browser.shows("#fault-data", "Not JSON").await;
    browser.click("#send-one").await;
    assert_eq!(browser.text("#answer").await, "");
    assert_eq!(app.metric("dual_stream_http_requests_total", &["/events\"", "POST"]).await, 0.0);

    // What is no event the service says.
    browser.fill("#event-data", "").await;
    browser.fill("#event-source_type", "re:po").await;
    browser.fill("#event-type", "").await;
    browser.click("#send-one").await;
    browser.shows("#answer", "422 Invalid event").await;
    browser.shows("#fault-source_type", "source_type holds ':'").await;
    browser.shows("#fault-type", "type ").await;
    assert_eq!(browser.each("[aria-invalid]", "element.name").await, ["source_type", "type"]);
    let focused = browser.script("return document.activeElement.name").await;
    assert_eq!(focused, "source_type");
    let href = browser.each("#answer a", "element.getAttribute('href')").await;
    assert_eq!(href, [format!("{}/docs/problems#invalid-event", app.client.url)]);

    // Mended, they are gone.
    browser.fill("#event-source_type", "repo").await;
    browser.fill("#event-type", "push").await;
    browser.click("#send-one").await;
    browser.shows("#answer", "201 Stored").await;
    assert!(browser.each("[aria-invalid]", "element.name").await.is_empty());
    browser.quit(&["422"]).await;
}

#[tokio::test]
async fn another_source_than_the_watched_one_is_offered() {
    let app = TestApp::start().await;
    let browser = open(&app.client.url).await;
    browser.fill("#event-source_id", "owner/another").await;
    browser.click("#send-one").await;
    browser.shows("#answer", "Watch this source").await;
    browser.click("#answer button").await;
    browser.shows("#state", "Live").await;
    browser.shows("#curl-watch", "").await;
    browser.click("#send-one").await;
    browser.shows("#arrivals", "owner/another").await;
    browser.quit(&[]).await;
}

/// Whatever is typed: the lines do in a shell what the page does.
#[tokio::test]
async fn the_curl_lines_are_right_whatever_is_in_them() {
    let app = TestApp::start().await;
    let browser = open(&app.client.url).await;
    let source_id = r#"it's $HOME `id` "\ & *[a-b]{c,d}#?%41"#;
    browser.fill("#event-source_id", source_id).await;
    browser.fill("#event-type", "a'b''c\\'d").await;
    browser.fill("#event-data", "{\n \"it's\": \"$(id)\\n\"\n}").await;
    browser.click("#send .line summary").await;
    browser.click("#watch .line summary").await;

    let shell = async |line: String| {
        let run = move || Command::new("bash").args(["-c", &line]).env("NO_PROXY", "*").output();
        let output = tokio::task::spawn_blocking(run).await.unwrap().unwrap();
        String::from_utf8(output.stdout).unwrap()
    };
    let answer = shell(browser.text("#curl-send").await).await;
    let cursor = serde_json::from_str::<serde_json::Value>(&answer).unwrap()["cursor"].clone();
    let cursor = cursor.as_str().unwrap();
    let stored = app.client.get(&format!("/events/{cursor}")).await.json();
    assert_eq!(stored["source_id"], source_id);
    assert_eq!(stored["type"], "a'b''c\\'d");
    assert_eq!(stored["data"], json!({"it's": "$(id)\n"}));

    browser.fill("#watch-source_id", source_id).await;
    let from = browser.element("#watch-from").await;
    from.send_keys("the last").await.unwrap();
    browser.press(Key::Tab + "").await;
    browser.has("#arrivals > li", 1).await;
    let line = browser.text("#curl-watch").await;
    // A stream has no end; curl's is that of its patience.
    let came = shell(format!("{line} --silent --max-time 2")).await;
    assert!(came.contains(&format!("\"cursor\":\"{cursor}\"")), "{line}: {came}");

    browser.click("#arrivals summary").await;
    browser.shows("#arrivals .inside", "Fetch it").await;
    let line = browser.texts("#arrivals .inside code").await.remove(2);
    assert_eq!(serde_json::from_str::<serde_json::Value>(&shell(line).await).unwrap(), stored);
    browser.quit(&[]).await;
}

#[tokio::test]
async fn without_an_answer_the_outcome_is_said_to_be_unknown() {
    let mut app = TestApp::start().await;
    let browser = open(&app.client.url).await;
    app.signal(nix::sys::signal::Signal::SIGKILL);
    app.wait(std::time::Duration::from_secs(10)).await;
    browser.click("#send-one").await;
    browser.shows("#answer", "No answer").await;
    browser.shows("#answer", "unknown").await;
    browser.quit(&["net::ERR_"]).await;
}
