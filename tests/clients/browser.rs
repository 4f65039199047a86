//! A Chromium without a window, by WebDriver: Debian's `chromium` and the driver of the same package.

use std::io::{BufRead, BufReader};
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use nix::sys::signal::{Signal, killpg};
use nix::unistd::{Pid, geteuid};
use serde_json::{Value, json};
use thirtyfour::prelude::*;
use thirtyfour::{BrowserLogEntry, ChromiumLikeCapabilities, LoggingPrefsLogLevel};
use tokio::sync::{Semaphore, SemaphorePermit};

use crate::harness::eventually;
use crate::harness::process::Process;

/// Each has several processes: more at once only make each other slow.
static ROOM: Semaphore = Semaphore::const_new(2);

/// One browser with one page.
pub struct Browser {
    pub driver: WebDriver,
    _chromedriver: Chromedriver,
    _profile: tempfile::TempDir,
    _room: SemaphorePermit<'static>,
}

impl Browser {
    pub async fn start() -> Self {
        let room = ROOM.acquire().await.expect("it stays open");
        let profile = tempfile::tempdir().expect("a directory");
        let chromedriver = Chromedriver::start();
        let url = format!("http://127.0.0.1:{}", chromedriver.port);
        let http = reqwest::Client::builder().no_proxy().build().expect("a client");
        let capabilities = capabilities(&profile).expect("capabilities");
        let driver = WebDriver::builder(url, capabilities).client(http).connect().await;
        let driver = driver.unwrap_or_else(|error| panic!("Chromium does not start: {error}"));
        Browser { driver, _chromedriver: chromedriver, _profile: profile, _room: room }
    }

    pub async fn open(&self, url: &str) {
        self.driver.goto(url).await.expect("a page");
    }

    /// What the window is like: its width, and whether it is dark.
    pub async fn look(&self, width: u32, height: u32, scheme: &str) {
        let size =
            json!({"width": width, "height": height, "deviceScaleFactor": 1, "mobile": false});
        self.devtools("Emulation.setDeviceMetricsOverride", size).await;
        let features = json!({"features": [{"name": "prefers-color-scheme", "value": scheme}]});
        self.devtools("Emulation.setEmulatedMedia", features).await;
    }

    async fn devtools(&self, method: &str, parameters: Value) {
        self.driver.cdp().send_raw(method, parameters).await.expect("an answer of the browser");
    }

    /// What a script returns.
    pub async fn script(&self, text: &str) -> Value {
        let result = self.driver.execute(text, Vec::new()).await;
        result.unwrap_or_else(|error| panic!("{text}: {error}")).json().clone()
    }

    /// The text that is seen of an element; empty when there is none.
    pub async fn text(&self, selector: &str) -> String {
        let selector = json!(selector);
        let text = self
            .script(&format!("return document.querySelector({selector})?.innerText ?? ''"))
            .await;
        text.as_str().expect("text").to_owned()
    }

    /// One text of each element.
    pub async fn texts(&self, selector: &str) -> Vec<String> {
        self.each(selector, "element.innerText").await
    }

    /// What an expression gives for each element.
    pub async fn each(&self, selector: &str, expression: &str) -> Vec<String> {
        let selector = json!(selector);
        let script = format!(
            "return [...document.querySelectorAll({selector})].map((element) => {expression})"
        );
        let texts = self.script(&script).await;
        let text = |value: &Value| value.as_str().expect("text").to_owned();
        texts.as_array().expect("a list").iter().map(text).collect()
    }

    /// Waits until an element shows this.
    pub async fn shows(&self, selector: &str, text: &str) {
        let what = format!("{selector} shows {text:?}");
        eventually(&what, async || self.text(selector).await.contains(text).then_some(())).await;
    }

    /// Waits until there are so many.
    pub async fn has(&self, selector: &str, count: usize) {
        let what = format!("there are {count} of {selector}");
        eventually(&what, async || (self.each(selector, "''").await.len() == count).then_some(()))
            .await;
    }

    pub async fn element(&self, selector: &str) -> WebElement {
        self.driver.find(By::Css(selector)).await.unwrap_or_else(|error| panic!("{error}"))
    }

    pub async fn click(&self, selector: &str) {
        self.element(selector).await.click().await.expect("it can be clicked");
    }

    /// Types in the place of what is there.
    pub async fn fill(&self, selector: &str, text: &str) {
        let element = self.element(selector).await;
        element.send_keys(Key::Control + "a").await.expect("it can be selected");
        element.send_keys(Key::Delete + "").await.expect("it can be emptied");
        element.send_keys(text).await.expect("it can be typed into");
    }

    /// Presses keys, wherever the focus is.
    pub async fn press(&self, keys: impl Into<TypingData>) {
        let element = self.driver.active_element().await.expect("an element with the focus");
        element.send_keys(keys).await.expect("keys");
    }

    /// Presses Tab until an element has the focus.
    pub async fn tab_to(&self, selector: &str) {
        let has_focus = format!("return document.activeElement.matches({})", json!(selector));
        for _ in 0..40 {
            if self.script(&has_focus).await == true {
                return;
            }
            self.press(Key::Tab + "").await;
        }
        panic!("Tab does not come to {selector}");
    }

    /// Ends it, and fails when the browser has complained about anything else than these.
    pub async fn quit(self, expected: &[&str]) {
        let log = self.driver.browser_log().await.expect("a log");
        let is_expected = |entry: &BrowserLogEntry| {
            expected.iter().any(|expected| entry.message.contains(expected))
        };
        let faults: Vec<_> = log.iter().filter(|entry| !is_expected(entry)).collect();
        assert!(faults.is_empty(), "the browser complains: {faults:#?}");
        self.driver.clone().quit().await.expect("an end");
    }
}

impl Drop for Browser {
    /// After a test that has failed, the driver's own drop would wait for an answer; its process is
    /// killed instead.
    fn drop(&mut self) {
        let _ = self.driver.clone().leak();
    }
}

fn capabilities(profile: &tempfile::TempDir) -> WebDriverResult<thirtyfour::ChromeCapabilities> {
    let mut capabilities = DesiredCapabilities::chrome();
    let names = ["chromium", "chromium-browser", "google-chrome"];
    capabilities.set_binary(&installed(&names).to_string_lossy())?;
    capabilities.set_browser_log_level(LoggingPrefsLogLevel::Warning)?;
    for argument in [
        "--headless=new",
        "--no-proxy-server",
        "--no-first-run",
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-dev-shm-usage",
        "--disable-gpu",
        "--force-color-profile=srgb",
        &format!("--user-data-dir={}", profile.path().display()),
    ] {
        capabilities.add_arg(argument)?;
    }
    // Root cannot have its sandbox, and CI's machines may have no other user.
    if geteuid().is_root() {
        capabilities.add_arg("--no-sandbox")?;
    }
    Ok(capabilities)
}

/// Where the first of these programs is.
fn installed(names: &[&str]) -> PathBuf {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let directories: Vec<_> = std::env::split_paths(&path).collect();
    let places = names.iter().flat_map(|name| directories.iter().map(move |dir| dir.join(name)));
    let found = places.into_iter().find(|place| place.is_file());
    found.unwrap_or_else(|| panic!("{} is not installed: run scripts/setup test", names[0]))
}

/// The driver's process, on a port of its own.
struct Chromedriver {
    process: Process,
    port: u16,
}

impl Chromedriver {
    fn start() -> Self {
        let mut process = Process::spawn(
            Command::new(installed(&["chromedriver"]))
                .arg("--port=0")
                .stdin(Stdio::null())
                .stdout(Stdio::piped())
                .stderr(Stdio::null())
                .process_group(0),
        );
        let mut lines = BufReader::new(process.child().stdout.take().expect("piped")).lines();
        let port = lines.by_ref().map_while(Result::ok).find_map(|line| {
            line.rsplit_once("successfully on port ")?.1.trim_end_matches('.').parse().ok()
        });
        // Nobody reads on: what it says later must not fill the pipe.
        std::thread::spawn(move || lines.for_each(drop));
        Chromedriver { process, port: port.expect("chromedriver says on which port it listens") }
    }
}

impl Drop for Chromedriver {
    /// With the browser, also after a test that has failed.
    fn drop(&mut self) {
        let group = Pid::from_raw(self.process.child().id() as i32);
        let _ = killpg(group, Signal::SIGKILL);
    }
}
