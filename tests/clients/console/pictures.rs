//! Pictures of the console, to look at after a change:
//!
//! `scripts/with-services cargo test --test clients -- --ignored pictures` writes them into
//! `target/console`; `light.png` is that of the README, `docs/console.png`.

use std::path::Path;

use serde_json::json;

use super::open;
use crate::browser::Browser;
use crate::harness::TestApp;
use crate::restarts::Restarts;

async fn picture(browser: &Browser, name: &str, (width, height): (u32, u32), scheme: &str) {
    browser.look(width, height, scheme).await;
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/console");
    std::fs::create_dir_all(&directory).unwrap();
    let path = directory.join(name).with_extension("png");
    browser.driver.screenshot(&path).await.unwrap();
}

const WIDE: (u32, u32) = (1280, 800);
const NARROW: (u32, u32) = (360, 1900);

#[tokio::test]
#[ignore = "it looks at nothing by itself"]
async fn pictures() {
    let mut service = Restarts::start(TestApp::builder()).await;
    let browser = open(&service.url()).await;
    picture(&browser, "empty", WIDE, "light").await;
    for n in 0..12 {
        let event = json!({"id": format!("push-{n}"), "type": "push", "source_type": "repo",
                           "source_id": "octocat/hello-world", "data": {"commits": n}});
        service.other.client.event(event).await;
    }
    for n in 1..=3 {
        browser.click("#send-ten").await;
        browser.has("#arrivals > li", 12 + 10 * n).await;
    }
    browser.fill("#event-id", "star-1720").await;
    browser.click("#send-one").await;
    browser.has("#arrivals > li", 43).await;
    browser.click("#arrivals > li:nth-child(4) summary").await;
    browser.shows("#arrivals .inside", "Fetch it").await;
    browser.script("document.activeElement.blur()").await;
    picture(&browser, "light", WIDE, "light").await;
    picture(&browser, "dark", WIDE, "dark").await;
    picture(&browser, "narrow", NARROW, "light").await;
    picture(&browser, "narrow-dark", NARROW, "dark").await;
    picture(&browser, "middle", (820, 1180), "light").await;

    browser.look(WIDE.0, WIDE.1, "light").await;
    browser.click("#send .line summary").await;
    browser.click("#watch .line summary").await;
    browser.fill("#event-source_type", "re:po").await;
    browser.fill("#event-type", "").await;
    browser.click("#send-one").await;
    browser.shows("#answer", "422").await;
    picture(&browser, "faults", (1440, 1000), "light").await;
    service.kill().await;
    browser.fill("#event-source_type", "repo").await;
    browser.fill("#event-type", "push").await;
    browser.click("#send-one").await;
    browser.shows("#answer", "No answer").await;
    browser.shows("#state", "Reconnecting").await;
    picture(&browser, "cut", WIDE, "light").await;
    picture(&browser, "cut-dark", WIDE, "dark").await;
    browser.quit(&["net::ERR_", "422"]).await;
}
