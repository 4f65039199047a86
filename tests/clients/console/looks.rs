//! Narrow and wide, light and dark, and without a mouse.

use serde_json::json;
use thirtyfour::prelude::*;

use super::{listed, open};
use crate::harness::TestApp;

/// Texts whose contrast with what is behind them is below that of WCAG 2.2, level AA: 4.5 to 1.
const FAINT: &str = r#"
    const parts = (color) => color.match(/[\d.]+/g).map(Number);
    const light = ([r, g, b]) => [r, g, b]
        .map((c) => c / 255)
        .map((c) => (c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4))
        .reduce((sum, c, i) => sum + c * [0.2126, 0.7152, 0.0722][i], 0);
    const behind = (element) => {
        for (let at = element; at; at = at.parentElement) {
            const color = parts(getComputedStyle(at).backgroundColor);
            if (color.length === 3 || color[3] === 1) return color;
        }
        return [255, 255, 255];
    };
    const faint = [];
    for (const element of document.querySelectorAll('body *')) {
        const text = [...element.childNodes].find((node) => node.nodeType === 3 && node.data.trim());
        if (!text || !element.checkVisibility() || element.closest('svg')) continue;
        const [one, other] = [getComputedStyle(element).color, behind(element)];
        const [high, low] = [light(parts(one)), light(other)].sort((a, b) => b - a);
        const contrast = (high + 0.05) / (low + 0.05);
        if (contrast < 4.5) faint.push(`${text.data.trim()}: ${contrast.toFixed(2)}`);
    }
    return faint;
"#;

const TOO_WIDE: &str =
    "return document.documentElement.scrollWidth - document.documentElement.clientWidth";

#[tokio::test]
async fn it_fits_every_width_and_can_be_read_in_both_schemes() {
    let app = TestApp::start().await;
    let browser = open(&app.client.url).await;
    let long = "x".repeat(120);
    let event = json!({"id": long, "type": long, "source_type": "repo",
                       "source_id": "octocat/hello-world", "data": {"long": "y".repeat(2000)}});
    app.client.event(event).await;
    browser.click("#send-ten").await;
    browser.has("#arrivals > li", 11).await;
    browser.click("#arrivals > li:last-child summary").await;
    browser.shows("#arrivals .inside", "The event in Kafka").await;
    browser.click("#send .line summary").await;
    browser.click("#watch .line summary").await;
    browser.fill("#event-source_type", "a:b").await;
    browser.click("#send-one").await;
    browser.shows("#answer", "422").await;
    for scheme in ["light", "dark"] {
        for width in [360, 480, 768, 1024, 1440] {
            browser.look(width, 800, scheme).await;
            assert_eq!(browser.script(TOO_WIDE).await, 0, "{width} {scheme}");
        }
        assert_eq!(browser.script(FAINT).await, json!([]), "{scheme}");
    }
    browser.quit(&["422"]).await;
}

#[tokio::test]
async fn everything_can_be_done_by_keyboard() {
    let app = TestApp::start().await;
    let browser = open(&app.client.url).await;
    browser.press(Key::Tab + "").await;
    let focused = browser.script("return document.activeElement.className").await;
    assert_eq!(focused, "skip");

    browser.tab_to("#event-source_id").await;
    browser.press("owner/keys").await;
    browser.tab_to("#event-data").await;
    browser.press(Key::Control + Key::Enter).await;
    browser.shows("#answer", "Watch this source").await;
    browser.tab_to("#answer button").await;
    browser.press(Key::Enter + "").await;
    browser.shows("#state", "Live").await;
    browser.tab_to("#toggle").await;

    // Back to the form, whose keys work wherever one is in it.
    browser.script("document.getElementById('event-type').focus()").await;
    browser.press(Key::Control + Key::Enter).await;
    browser.has("#arrivals > li", 1).await;
    browser.press(Key::Control + Key::Enter).await;
    browser.has("#arrivals > li", 2).await;
    browser.tab_to("#arrivals summary").await;
    browser.press(Key::Down + "").await;
    browser.press(Key::Enter + "").await;
    browser.shows("#arrivals > li:last-child .inside", "The event in Kafka").await;
    assert_eq!(listed(&browser).await.len(), 2);
    // Who looks sees where the focus is.
    let outline = browser.script("return getComputedStyle(document.activeElement).outlineStyle");
    assert_eq!(outline.await, "solid");
    browser.quit(&[]).await;
}
