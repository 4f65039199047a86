//! The console at `/`, as somebody uses it.

mod looks;
mod pictures;
mod sending;
mod trust;
mod watching;

use crate::browser::Browser;

/// A browser with the console open, and its stream live.
async fn open(url: &str) -> Browser {
    let browser = Browser::start().await;
    browser.look(1440, 900, "light").await;
    browser.open(&format!("{url}/")).await;
    browser.shows("#state", "Live").await;
    browser
}

/// The cursors in the list, the newest first.
async fn listed(browser: &Browser) -> Vec<String> {
    browser.each("#arrivals > li", "element.dataset.cursor").await
}
