//! Events are written by anyone who may post: nothing in them may do anything here.

use serde_json::json;

use super::open;
use crate::harness::TestApp;

const MARKUP: &str = r#"<img src=x onerror="document.title='broken in'"><script>document.title='broken in'</script>"#;

#[tokio::test]
async fn markup_in_an_event_is_text() {
    let app = TestApp::start().await;
    let browser = open(&app.client.url).await;
    browser.click("#watching [value=all] + span").await;
    browser.shows("#state", "Live").await;
    let title = browser.driver.title().await.unwrap();
    let event = json!({"id": MARKUP, "type": MARKUP, "source_type": "repo", "source_id": MARKUP,
                       "data": {MARKUP: MARKUP}});
    assert_eq!(app.client.event(&event).await.status, 201);

    browser.has("#arrivals > li", 1).await;
    browser.click("#arrivals summary").await;
    browser.shows("#arrivals .inside", "The event in Kafka").await;
    for selector in [".type", ".source", ".id"] {
        let text = browser.each(&format!("#arrivals {selector}"), "element.textContent").await;
        assert!(text[0].contains(MARKUP), "{selector}: {text:?}");
    }
    let texts = browser.each("#arrivals code", "element.textContent").await;
    assert!(texts.iter().any(|text| text.contains("<script>")), "{texts:?}");
    browser.has("#arrivals img, #arrivals script", 0).await;

    // The same in what the service repeats of a request.
    browser.fill("#event-source_type", MARKUP).await;
    browser.click("#send-one").await;
    browser.shows("#fault-source_type", "holds '<'").await;
    browser.has("#send img, #send script", 0).await;
    assert_eq!(browser.driver.title().await.unwrap(), title);
    browser.quit(&["422"]).await;
}

/// The policy, not only the care of the scripts.
#[tokio::test]
async fn the_browser_itself_lets_no_text_become_markup() {
    let app = TestApp::start().await;
    let browser = open(&app.client.url).await;
    let outcome = browser
        .script("try { document.body.innerHTML = '<b>'; return 'set' } catch (e) { return e.name }")
        .await;
    assert_eq!(outcome, "TypeError");
    let page = app.client.get("/").await;
    let policy = page.header("content-security-policy").unwrap();
    for part in [
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "connect-src 'self'",
        "form-action 'none'",
        "frame-ancestors 'none'",
        "base-uri 'none'",
    ] {
        assert!(policy.contains(part), "{part}: {policy}");
    }
    assert!(!policy.contains("unsafe"), "{policy}");
    assert_eq!(page.header("x-content-type-options"), Some("nosniff"));
    assert_eq!(page.header("referrer-policy"), Some("no-referrer"));
    browser.quit(&["TrustedHTML"]).await;
}
